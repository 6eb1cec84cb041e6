//! Reads everything that the rules of review look at, for one draft or for many at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::account::{Me, Role};
use domain::review::policy::Touched;
use domain::review::turn::Scene;
use domain::review::{Asked, Decision, Facts, Fingerprint, OwnerRule, Person, Policy, Verdict};
use domain::validate::Checked;
use domain::{AccountId, DecisionId, Document, DraftId, IntegrationId, ReviewId, Timestamp};
use uuid::Uuid;

use super::policy;
use crate::connector::component;
use crate::{Refusal, Result, Tx, account, number, timestamp};

/// What the rules need to know of a draft's content.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) problems: u32,
    pub(crate) touched: Touched,
}

impl Content {
    /// Computes it from the content itself, from what the draft started from, and from what is there
    /// of what it needs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn of(
        tx: &mut Tx,
        me: &Me,
        integration: IntegrationId,
        base: &Document,
        document: &Document,
    ) -> Result<Self> {
        let mut checked = Checked::of_integration(integration, document);
        checked.lack(document, component::lacking(tx, me, document).await?);
        let problems = checked.count();
        Ok(Self {
            fingerprint: Fingerprint::of(document),
            problems: u32::try_from(problems).unwrap_or(u32::MAX),
            touched: Touched::between(base, document),
        })
    }

    /// Returns the kinds of steps and the connections that the change touches, as columns.
    pub(crate) fn touched_columns(&self) -> (Vec<String>, Vec<Uuid>) {
        let Touched { kinds, connections } = &self.touched;
        let connections = connections.iter().map(|id| id.0);
        (kinds.iter().cloned().collect(), connections.collect())
    }
}

/// A draft, and its review where it has one, before the facts about it are read.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) draft: DraftId,
    pub(crate) integration: IntegrationId,
    pub(crate) revision: u32,
    pub(crate) base: Option<u32>,
    pub(crate) live: Option<u32>,
    pub(crate) saved_at: Timestamp,
    pub(crate) content: Content,
    pub(crate) review: Option<UnderReview>,
}

/// A review of a subject.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnderReview {
    pub(crate) id: ReviewId,
    pub(crate) is_open: bool,
    pub(crate) created_at: Timestamp,
}

/// A draft with everything that the rules look at.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) subject: Subject,
    pub(crate) facts: Facts,
    pub(crate) scene: Scene,
}

impl Seen {
    /// Returns the role that someone has now: the locks may have been waited for.
    ///
    /// # Errors
    /// When it is no member any more.
    pub(crate) fn role(&self, me: &Me) -> Result<Role> {
        let role = self.facts.roles.get(&me.account);
        Ok(role.copied().ok_or(Refusal::SessionEnded)?)
    }
}

/// Reads the facts about one draft.
pub(crate) async fn of(tx: &mut Tx, me: &Me, subject: Subject) -> Result<Seen> {
    let mut seen = all(tx, me, vec![subject]).await?;
    Ok(seen.pop().expect("one subject gives one answer"))
}

/// Reads the facts about many drafts of the organization, in their order.
pub(crate) async fn all(tx: &mut Tx, me: &Me, subjects: Vec<Subject>) -> Result<Vec<Seen>> {
    let drafts: Vec<Uuid> = subjects.iter().map(|subject| subject.draft.0).collect();
    let integrations: Vec<Uuid> = subjects.iter().map(|s| s.integration.0).collect();
    let reviews: Vec<Uuid> = subjects
        .iter()
        .filter_map(|subject| subject.review)
        .map(|review| review.id.0)
        .collect();
    let roles: BTreeMap<AccountId, Role> = members(tx, me)
        .await?
        .into_iter()
        .map(|(person, role)| (person.account, role))
        .collect();
    let policies = policy::of(tx, me, &integrations).await?;
    let owners = policy::owners(tx, me).await?;
    let mut authors = authors(tx, me, &drafts).await?;
    let mut asked = asked(tx, me, &reviews).await?;
    let mut decisions = decisions(tx, me, &reviews).await?;
    let mut last_words = last_words(tx, me, &reviews).await?;
    let tested = tested(tx, me, &drafts).await?;
    let seen = subjects.into_iter().map(|subject| {
        let review = subject.review.map_or_else(Uuid::nil, |review| review.id.0);
        let authors = authors.remove(&subject.draft.0).unwrap_or_default();
        let mut asked = asked.remove(&review).unwrap_or_default();
        for asked in &mut asked {
            asked.role = roles.get(&asked.person.account).copied();
        }
        let last_words = last_words.remove(&review).unwrap_or_default();
        let facts = Facts {
            policy: policies.of(subject.integration),
            owners: touched(&owners, &subject),
            authors: authors.iter().map(|author| author.account).collect(),
            roles: roles.clone(),
            asked: asked.iter().map(|asked| asked.person.account).collect(),
            in_review: subject.review.is_some_and(|review| review.is_open),
            decisions: decisions.remove(&review).unwrap_or_default(),
            revision: subject.revision,
            fingerprint: subject.content.fingerprint.clone(),
            open_threads: u32::try_from(last_words.len()).unwrap_or(u32::MAX),
            tested: tested.get(&subject.draft.0).copied(),
            problems: subject.content.problems,
            base: subject.base,
            live: subject.live,
        };
        let scene = Scene {
            asked,
            authors,
            last_words,
            created_at: subject
                .review
                .map_or(subject.saved_at, |review| review.created_at),
            saved_at: subject.saved_at,
        };
        Seen {
            subject,
            facts,
            scene,
        }
    });
    Ok(seen.collect())
}

fn touched(owners: &[OwnerRule], subject: &Subject) -> Vec<OwnerRule> {
    let touched = &subject.content.touched;
    let is_touched = |rule: &&OwnerRule| rule.scope.is_touched(subject.integration, touched);
    owners.iter().filter(is_touched).cloned().collect()
}

/// Returns the facts about putting other content live without any draft, by `me` alone.
pub(crate) async fn without_draft(
    tx: &mut Tx,
    me: &Me,
    integration: IntegrationId,
    live: Option<u32>,
    content: Content,
) -> Result<Facts> {
    let roles = members(tx, me).await?.into_iter();
    let policies = policy::of(tx, me, &[integration.0]).await?;
    let owners = policy::owners(tx, me).await?.into_iter();
    Ok(Facts {
        policy: policies.of(integration),
        owners: owners
            .filter(|rule| rule.scope.is_touched(integration, &content.touched))
            .collect(),
        authors: BTreeSet::from([me.account]),
        roles: roles.map(|(person, role)| (person.account, role)).collect(),
        asked: BTreeSet::new(),
        in_review: false,
        decisions: Vec::new(),
        revision: 1,
        fingerprint: content.fingerprint,
        open_threads: 0,
        tested: None,
        problems: content.problems,
        base: live,
        live,
    })
}

/// Returns all members with their roles now, by name.
pub(crate) async fn members(tx: &mut Tx, me: &Me) -> Result<Vec<(Person, Role)>> {
    let rows = sqlx::query!(
        "select account_id, name, role from member join account using (account_id)
         where organization_id = $1
         order by lower(name), account_id",
        me.organization.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| Ok((person(row.account_id, row.name), account::role(&row.role)?)))
        .collect()
}

pub(crate) fn person(account: Uuid, name: String) -> Person {
    Person {
        account: AccountId(account),
        name,
    }
}

type By<T> = HashMap<Uuid, Vec<T>>;

async fn authors(tx: &mut Tx, me: &Me, drafts: &[Uuid]) -> Result<By<Person>> {
    let rows = sqlx::query!(
        // What was brought in from another draft has its authors, up to the revision brought in.
        r#"with recursive part as (
                select draft_id, draft_id as part_id, revision as until from draft
                where organization_id = $1 and draft_id = any($2)
                union
                select part.draft_id, from_draft_id, from_revision
                from part
                join draft_brought_in as brought_in on brought_in.draft_id = part.part_id
                    and brought_in.revision <= part.until
           )
           select draft_id as "draft_id!", account_id as "account_id!", name
           from (
                select part.draft_id, account_id
                from part
                join draft_revision on draft_revision.draft_id = part_id and revision <= until
                where authored
                union
                select part.draft_id, created_by
                from part join draft on draft.draft_id = part_id
           ) as author join account using (account_id)
           order by lower(name), account_id"#,
        me.organization.0,
        drafts,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut authors = By::new();
    for row in rows {
        let author = person(row.account_id, row.name);
        authors.entry(row.draft_id).or_default().push(author);
    }
    Ok(authors)
}

async fn asked(tx: &mut Tx, me: &Me, reviews: &[Uuid]) -> Result<By<Asked>> {
    let rows = sqlx::query!(
        "select review_id, account_id, name, at
         from review_asked join account using (account_id)
         where organization_id = $1 and review_id = any($2)
         order by lower(name), account_id",
        me.organization.0,
        reviews,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut asked = By::new();
    for row in rows {
        asked.entry(row.review_id).or_default().push(Asked {
            person: person(row.account_id, row.name),
            role: None,
            at: timestamp::read(row.at),
        });
    }
    Ok(asked)
}

async fn decisions(tx: &mut Tx, me: &Me, reviews: &[Uuid]) -> Result<By<Decision>> {
    let rows = sqlx::query!(
        "select decision_id, review_id, account_id, name, verdict, message, revision, fingerprint,
                at
         from decision join account using (account_id)
         where organization_id = $1 and review_id = any($2)
         order by seq",
        me.organization.0,
        reviews,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut decisions = By::new();
    for row in rows {
        let unknown = || sqlx::Error::Decode(format!("no verdict `{}`", row.verdict).into());
        decisions.entry(row.review_id).or_default().push(Decision {
            id: DecisionId(row.decision_id),
            verdict: Verdict::from_key(&row.verdict).ok_or_else(unknown)?,
            by: person(row.account_id, row.name),
            message: row.message,
            revision: number(row.revision)?,
            fingerprint: Fingerprint(row.fingerprint),
            at: timestamp::read(row.at),
        });
    }
    Ok(decisions)
}

/// Returns who said the last word in each thread that is not resolved, and when. What is pending
/// was not said.
async fn last_words(tx: &mut Tx, me: &Me, reviews: &[Uuid]) -> Result<By<(AccountId, Timestamp)>> {
    let rows = sqlx::query!(
        r#"select distinct on (thread_id) thread_id, comment.review_id, account_id,
                sent_at as "sent_at!"
           from thread join comment using (thread_id)
           where thread.organization_id = $1 and thread.review_id = any($2)
                and resolved_at is null and sent_at is not null
           order by thread_id, sent_at desc, comment_id desc"#,
        me.organization.0,
        reviews,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut words = By::new();
    for row in rows {
        let said = (AccountId(row.account_id), timestamp::read(row.sent_at));
        words.entry(row.review_id).or_default().push(said);
    }
    Ok(words)
}

/// Returns the newest revision of each draft that passed a test as a whole.
async fn tested(tx: &mut Tx, me: &Me, drafts: &[Uuid]) -> Result<HashMap<Uuid, u32>> {
    let rows = sqlx::query!(
        r#"select draft_id as "draft_id!", max(draft_revision) as "revision!"
           from run
           where organization_id = $1 and draft_id = any($2) and is_test and state = 'succeeded'
                and scope::text = '"whole"'
           group by draft_id"#,
        me.organization.0,
        drafts,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.draft_id, number(row.revision)?)))
        .collect()
}

/// Policies by integration, with the organization's for those that have none of their own.
pub(crate) struct Policies {
    pub(crate) organization: Policy,
    pub(crate) own: HashMap<Uuid, Policy>,
}

impl Policies {
    /// Returns the policy that holds for an integration.
    pub(crate) fn of(&self, integration: IntegrationId) -> Policy {
        let own = self.own.get(&integration.0);
        own.unwrap_or(&self.organization).clone()
    }
}
