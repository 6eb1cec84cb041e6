//! The review policy of the organization and its integrations, and who owns what.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::account::Me;
use domain::policy::Act;
use domain::review::policy::{IntegrationPolicy, PolicySettings};
use domain::review::{self, OwnerRule, OwnerScope, Policy};
use domain::{AccountId, ConnectionId, IntegrationId, catalog, limit};
use serde_json::{Value, json};
use uuid::Uuid;

use super::facts::{Policies, members, person};
use super::standing;
use crate::{Error, Result, Store, Tx, audit, connection, integration, organization};

impl Store {
    /// Returns the policy of the organization and of each integration, and who owns what.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn policy_settings(&self, me: &Me) -> Result<PolicySettings> {
        let mut tx = self.begin(me, Act::See).await?;
        let rows = sqlx::query!(
            r#"select integration.integration_id, name, policy as "policy?"
               from integration
               left join review_policy using (organization_id, integration_id)
               where organization_id = $1
               order by lower(name), integration.integration_id"#,
            me.organization.0,
        )
        .fetch_all(&mut *tx)
        .await?;
        let integrations = rows.into_iter().map(|row| {
            Ok(IntegrationPolicy {
                integration: IntegrationId(row.integration_id),
                name: row.name,
                policy: row.policy.map(read).transpose()?,
            })
        });
        let members = members(&mut tx, me).await?;
        Ok(PolicySettings {
            integrations: integrations.collect::<Result<_>>()?,
            organization: of(&mut tx, me, &[]).await?.organization,
            owners: owners(&mut tx, me).await?,
            members: members.into_iter().map(|(person, _)| person).collect(),
        })
    }

    /// Sets the policy of the organization, or of one integration. `None` gives an integration
    /// the organization's again, and the organization the one it began with. Drafts under review
    /// are judged by it at once.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such integration, or a number is out of range.
    pub async fn set_policy(
        &self,
        me: &Me,
        integration: Option<IntegrationId>,
        policy: Option<Policy>,
    ) -> Result<()> {
        let mut tx = self.begin(me, Act::ManagePolicy).await?;
        if let Some(policy) = &policy {
            policy.check()?;
        }
        if let Some(integration) = integration {
            integration::exists(&mut tx, me, integration).await?;
        }
        let of = integration.map(|id| id.0);
        sqlx::query!(
            "delete from review_policy
             where organization_id = $1 and integration_id is not distinct from $2",
            me.organization.0,
            of,
        )
        .execute(&mut *tx)
        .await?;
        if let Some(policy) = &policy {
            sqlx::query!(
                "insert into review_policy (organization_id, integration_id, policy)
                 values ($1, $2, $3::text::json)
                 on conflict (organization_id, integration_id) do update
                 set policy = excluded.policy",
                me.organization.0,
                of,
                serde_json::to_string(policy).expect("a policy is JSON"),
            )
            .execute(&mut *tx)
            .await?;
        }
        let subject = of.unwrap_or(me.organization.0);
        let detail = json!({ "policy": policy });
        audit::note(&mut tx, me, "review.policy", subject, detail).await?;
        let mut changes = standing::settle_all(&mut tx, me).await?;
        changes.push(organization::changed(me.organization));
        self.commit(tx, changes).await
    }

    /// Sets who owns something; nobody when the list is empty. Returns all owner rules.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such integration, kind of step or connection, one of the
    /// owners is no member, or they are too many.
    pub async fn set_owners(
        &self,
        me: &Me,
        scope: OwnerScope,
        owning: &[AccountId],
    ) -> Result<Vec<OwnerRule>> {
        let mut tx = self.begin(me, Act::ManagePolicy).await?;
        let (integration, kind, connection) = match &scope {
            OwnerScope::Integration(id) => {
                integration::exists(&mut tx, me, *id).await?;
                (Some(id.0), None, None)
            }
            OwnerScope::StepKind(kind) => {
                catalog::action(kind).ok_or(Error::NotFound)?;
                (None, Some(kind.as_str()), None)
            }
            OwnerScope::Connection(id) => {
                connection::exists(&mut tx, me, *id).await?;
                (None, None, Some(id.0))
            }
        };
        let owning = check_members(&mut tx, me, owning).await?;
        sqlx::query!(
            "delete from owner_rule
             where organization_id = $1 and integration_id is not distinct from $2
                and step_kind is not distinct from $3
                and connection_id is not distinct from $4",
            me.organization.0,
            integration,
            kind,
            connection,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "insert into owner_rule
                (organization_id, integration_id, step_kind, connection_id, account_id)
             select $1, $2, $3, $4, account_id from unnest($5::uuid[]) as owner (account_id)
             on conflict do nothing",
            me.organization.0,
            integration,
            kind,
            connection,
            &owning,
        )
        .execute(&mut *tx)
        .await?;
        let subject = integration.or(connection).unwrap_or(me.organization.0);
        let detail = json!({ "scope": scope, "owners": owning });
        audit::note(&mut tx, me, "review.owners", subject, detail).await?;
        let rules = owners(&mut tx, me).await?;
        let mut changes = standing::settle_all(&mut tx, me).await?;
        changes.push(organization::changed(me.organization));
        self.commit(tx, changes).await?;
        Ok(rules)
    }
}

/// Returns accounts without those named twice.
///
/// # Errors
/// When one of them is no member, or they are too many.
pub(super) async fn check_members(
    tx: &mut Tx,
    me: &Me,
    accounts: &[AccountId],
) -> Result<Vec<Uuid>> {
    let wanted: BTreeSet<AccountId> = accounts.iter().copied().collect();
    if wanted.len() > limit::REVIEWERS {
        return Err(review::Refusal::TooManyPeople.into());
    }
    let members = members(tx, me).await?.into_iter();
    let known: BTreeSet<AccountId> = members.map(|(person, _)| person.account).collect();
    if !wanted.is_subset(&known) {
        return Err(review::Refusal::NotAMember.into());
    }
    Ok(wanted.into_iter().map(|account| account.0).collect())
}

/// Returns the policies that hold for some integrations.
pub(super) async fn of(tx: &mut Tx, me: &Me, integrations: &[Uuid]) -> Result<Policies> {
    let rows = sqlx::query!(
        "select integration_id, policy from review_policy
         where organization_id = $1 and (integration_id is null or integration_id = any($2))",
        me.organization.0,
        integrations,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut policies = Policies {
        organization: Policy::default(),
        own: HashMap::new(),
    };
    for row in rows {
        let policy = read(row.policy)?;
        match row.integration_id {
            Some(integration) => {
                policies.own.insert(integration, policy);
            }
            None => policies.organization = policy,
        }
    }
    Ok(policies)
}

fn read(policy: Value) -> Result<Policy> {
    serde_json::from_value(policy).map_err(|error| sqlx::Error::decode(error).into())
}

/// Returns all owner rules of the organization: of integrations first, then of kinds of steps,
/// then of connections.
pub(super) async fn owners(tx: &mut Tx, me: &Me) -> Result<Vec<OwnerRule>> {
    let rows = sqlx::query!(
        r#"select integration_id, step_kind, connection_id, account_id, account.name,
                coalesce(integration.name, connection.name) as "owned?"
         from owner_rule
         join account using (account_id)
         left join integration using (integration_id)
         left join connection using (connection_id)
         where owner_rule.organization_id = $1
         order by lower(account.name), account_id"#,
        me.organization.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut rules: BTreeMap<OwnerScope, OwnerRule> = BTreeMap::new();
    for row in rows {
        let scope = match (row.integration_id, row.step_kind, row.connection_id) {
            (Some(integration), ..) => OwnerScope::Integration(IntegrationId(integration)),
            (_, Some(kind), _) => OwnerScope::StepKind(kind),
            (.., Some(connection)) => OwnerScope::Connection(ConnectionId(connection)),
            (None, None, None) => {
                return Err(sqlx::Error::Decode("an owner owns nothing".into()).into());
            }
        };
        let name = match &scope {
            OwnerScope::StepKind(kind) => catalog::action(kind).map(|action| action.title.clone()),
            _ => row.owned,
        };
        let rule = rules.entry(scope.clone()).or_insert_with(|| OwnerRule {
            scope,
            name: name.unwrap_or_default(),
            owners: Vec::new(),
        });
        rule.owners.push(person(row.account_id, row.name));
    }
    Ok(rules.into_values().collect())
}
