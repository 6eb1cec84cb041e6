//! Signing in and out, and who a browser is.

mod attempt;

use domain::account::{self, Me, Role};
use domain::{AccountId, OrganizationId};
use serde_json::json;
use uuid::Uuid;

use crate::organization::{self, NewOrganization};
use crate::{Refusal, Result, SessionToken, Store, Tx, audit, token};

/// A session that is not used for so many days ends.
const IDLE_DAYS: i32 = 14;
/// A session ends after so many days even when it is used.
const ABSOLUTE_DAYS: i32 = 60;
/// Names the lock under which the first organization is created: "sluice" in ASCII.
const SET_UP_LOCK: i64 = 0x736c_7569_6365;

impl Store {
    /// Returns whether there is an organization, so that people sign in instead of setting up.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_set_up(&self) -> Result<bool> {
        let found = sqlx::query_scalar!(r#"select exists (select from organization) as "found!""#)
            .fetch_one(&self.inner.system)
            .await?;
        Ok(found)
    }

    /// Creates the first organization and its Admin, and signs the Admin in. Only one of many
    /// that try at once succeeds.
    ///
    /// # Errors
    /// When there is an organization already, or a text cannot be taken.
    pub async fn set_up(
        &self,
        organization: &str,
        name: &str,
        email: &str,
        password: &str,
    ) -> Result<SessionToken> {
        if self.is_set_up().await? {
            return Err(Refusal::AlreadySetUp.into());
        }
        let new = NewOrganization {
            name: organization.to_owned(),
            is_demo: false,
            admin_name: name.to_owned(),
            email: email.to_owned(),
            password: password.to_owned(),
        };
        let checked = self.check_organization(new).await?;
        let mut tx = self.inner.system.begin().await?;
        sqlx::query!("select pg_advisory_xact_lock($1)", SET_UP_LOCK)
            .execute(&mut *tx)
            .await?;
        let set_up = sqlx::query_scalar!(r#"select exists (select from organization) as "found!""#)
            .fetch_one(&mut *tx)
            .await?;
        if set_up {
            return Err(Refusal::AlreadySetUp.into());
        }
        let me = organization::insert(&mut tx, checked).await?;
        let token = insert_session(&mut tx, me.organization, me.account).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Signs in with e-mail address and password, to the organization that the account used last.
    /// Takes as long for an address without an account.
    ///
    /// # Errors
    /// When they are wrong, were wrong too often, or the account is a member of no organization.
    pub async fn sign_in(&self, email: &str, password: &str) -> Result<SessionToken> {
        let email = account::check_email(email).map_err(|_| Refusal::WrongCredentials)?;
        let account = self
            .verify(&email, password)
            .await?
            .ok_or(Refusal::WrongCredentials)?;
        let mut tx = self.inner.system.begin().await?;
        let organization = sqlx::query_scalar!(
            "select member.organization_id from member
             left join session using (organization_id, account_id)
             where member.account_id = $1
             group by member.organization_id, member.joined_at
             order by max(session.used_at) desc nulls last, member.joined_at
             limit 1",
            account.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Refusal::NoOrganization)?;
        let organization = OrganizationId(organization);
        let token = insert_session(&mut tx, organization, account).await?;
        let note = audit::write(
            &mut tx,
            organization,
            Some(account.0),
            "account.sign_in",
            account.0,
            json!({}),
        );
        note.await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Returns the account when e-mail address and password belong together. Counts the attempt
    /// before it looks, so that many at once are counted too.
    pub(crate) async fn verify(&self, email: &str, password: &str) -> Result<Option<AccountId>> {
        let found = sqlx::query!(
            "select account_id, password_hash from account where email = $1",
            email,
        )
        .fetch_optional(&self.inner.system)
        .await?;
        let (account, hash) = found.map(|row| (row.account_id, row.password_hash)).unzip();
        attempt::count(&self.inner.system, email, account.is_some()).await?;
        if password.len() > domain::limit::PASSWORD_MAX
            || !self.inner.passwords.verify(password, hash).await
        {
            return Ok(None);
        }
        attempt::forget(&self.inner.system, email).await?;
        Ok(account.map(AccountId))
    }

    /// Ends a session. One that ended before stays ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sign_out(&self, token: &SessionToken) -> Result<()> {
        let mut tx = self.inner.system.begin().await?;
        let ended = sqlx::query!(
            "delete from session where token_hash = $1 returning organization_id, account_id",
            token::hash(&token.0),
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(session) = ended {
            let organization = OrganizationId(session.organization_id);
            let account = session.account_id;
            let note = audit::write(
                &mut tx,
                organization,
                Some(account),
                "account.sign_out",
                account,
                json!({}),
            );
            note.await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Returns who shows a token; `None` when its session ended. Reads the database each time, so
    /// that a role or membership that is taken away is gone at once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn who(&self, token: &SessionToken) -> Result<Option<Me>> {
        let found = sqlx::query!(
            r#"select session.session_id, account.account_id, account.name, account.email,
                    organization.organization_id, organization.name as organization_name,
                    organization.is_demo, member.role,
                    session.used_at < now() - interval '1 hour' as "is_old!"
               from session
               join account using (account_id)
               join member using (organization_id, account_id)
               join organization using (organization_id)
               where session.token_hash = $1 and session.expires_at > now()
                    and session.used_at > now() - make_interval(days => $2)"#,
            token::hash(&token.0),
            IDLE_DAYS,
        )
        .fetch_optional(&self.inner.system)
        .await?;
        let Some(found) = found else { return Ok(None) };
        if found.is_old {
            sqlx::query!(
                "update session set used_at = now() where session_id = $1",
                found.session_id,
            )
            .execute(&self.inner.system)
            .await?;
        }
        Ok(Some(Me {
            account: AccountId(found.account_id),
            name: found.name,
            email: found.email,
            organization: OrganizationId(found.organization_id),
            organization_name: found.organization_name,
            is_demo: found.is_demo,
            role: role(&found.role)?,
        }))
    }
}

/// Begins a session, and clears away those of the account that ended.
pub(crate) async fn insert_session(
    tx: &mut Tx,
    organization: OrganizationId,
    account: AccountId,
) -> Result<SessionToken> {
    sqlx::query!(
        "delete from session where account_id = $1 and organization_id = $2
         and (expires_at < now() or used_at < now() - make_interval(days => $3))",
        account.0,
        organization.0,
        IDLE_DAYS,
    )
    .execute(&mut **tx)
    .await?;
    let token = SessionToken::random();
    sqlx::query!(
        "insert into session (session_id, token_hash, account_id, organization_id, expires_at)
         values ($1, $2, $3, $4, now() + make_interval(days => $5))",
        Uuid::now_v7(),
        token::hash(&token.0),
        account.0,
        organization.0,
        ABSOLUTE_DAYS,
    )
    .execute(&mut **tx)
    .await?;
    Ok(token)
}

/// Reads a role as it is stored.
pub(crate) fn role(key: &str) -> Result<Role> {
    let unknown = || sqlx::Error::Decode(format!("there is no role `{key}`").into());
    Ok(Role::from_key(key).ok_or_else(unknown)?)
}
