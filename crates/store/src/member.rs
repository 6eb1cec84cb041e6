//! The members of an organization and what they may do.

use domain::AccountId;
use domain::account::{Me, Member, Role};
use domain::policy::Act;
use serde_json::json;

use crate::review::standing;
use crate::{Error, Refusal, Result, Store, Tx, account, audit, organization, timestamp};

impl Store {
    /// Returns the members, in the order in which they joined.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn members(&self, me: &Me) -> Result<Vec<Member>> {
        let mut tx = self.begin(me, Act::SeeMembers).await?;
        let rows = sqlx::query!(
            "select account_id, name, email, role, joined_at
             from member join account using (account_id)
             where organization_id = $1
             order by joined_at, account_id",
            me.organization.0,
        )
        .fetch_all(&mut *tx)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Member {
                    account: AccountId(row.account_id),
                    name: row.name,
                    email: row.email,
                    role: account::role(&row.role)?,
                    joined_at: timestamp::read(row.joined_at),
                })
            })
            .collect()
    }

    /// Gives a member another role. Holds from the member's next request on.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such member, or nobody would be Admin.
    pub async fn set_role(&self, me: &Me, member: AccountId, role: Role) -> Result<()> {
        let mut tx = self.begin(me, Act::ManageMembers).await?;
        let before = lock(&mut tx, me, member).await?;
        if before == Role::Admin && role != Role::Admin {
            another_admin(&mut tx, me, member).await?;
        }
        sqlx::query!(
            "update member set role = $3 where organization_id = $1 and account_id = $2",
            me.organization.0,
            member.0,
            role.key(),
        )
        .execute(&mut *tx)
        .await?;
        let detail = json!({ "from": before.key(), "to": role.key() });
        audit::note(&mut tx, me, "member.set_role", member.0, detail).await?;
        self.commit_member(tx, me).await
    }

    /// Removes a member; its sessions in this organization end at once. What it made stays.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such member, or nobody would be Admin.
    pub async fn remove_member(&self, me: &Me, member: AccountId) -> Result<()> {
        let mut tx = self.begin(me, Act::ManageMembers).await?;
        if lock(&mut tx, me, member).await? == Role::Admin {
            another_admin(&mut tx, me, member).await?;
        }
        sqlx::query!(
            "delete from member where organization_id = $1 and account_id = $2",
            me.organization.0,
            member.0,
        )
        .execute(&mut *tx)
        .await?;
        audit::note(&mut tx, me, "member.remove", member.0, json!({})).await?;
        self.commit_member(tx, me).await
    }

    /// Commits after a member may do other things than before: verdicts then count otherwise.
    async fn commit_member(&self, mut tx: Tx, me: &Me) -> Result<()> {
        let mut changes = standing::settle_all(&mut tx, me).await?;
        changes.push(organization::changed(me.organization));
        self.commit(tx, changes).await
    }
}

/// Locks all members, so that two Admins cannot remove each other at once; returns the role of one.
async fn lock(tx: &mut Tx, me: &Me, member: AccountId) -> Result<Role> {
    let members = sqlx::query!(
        "select account_id, role from member where organization_id = $1
         order by account_id for update",
        me.organization.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    // Whoever asks may have been removed or demoted while this waited for the lock.
    let asking = members.iter().find(|row| row.account_id == me.account.0);
    let asking = asking.ok_or(Refusal::SessionEnded)?;
    domain::policy::allow(account::role(&asking.role)?, Act::ManageMembers)?;
    let found = members
        .iter()
        .find(|row| row.account_id == member.0)
        .ok_or(Error::NotFound)?;
    account::role(&found.role)
}

/// Refuses when there is no Admin besides one. The members are locked.
async fn another_admin(tx: &mut Tx, me: &Me, admin: AccountId) -> Result<()> {
    let found = sqlx::query_scalar!(
        r#"select exists (
               select from member
               where organization_id = $1 and account_id <> $2 and role = 'admin'
           ) as "found!""#,
        me.organization.0,
        admin.0,
    )
    .fetch_one(&mut **tx)
    .await?;
    if found {
        Ok(())
    } else {
        Err(Refusal::LastAdmin.into())
    }
}
