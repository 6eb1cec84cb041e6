//! Links that make whoever opens them a member.

use domain::account::{self, Invitation, InvitationOffer, Me, Role};
use domain::policy::Act;
use domain::{AccountId, InvitationId, OrganizationId};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::account::{insert_session, role};
use crate::organization::{changed, insert_account};
use crate::{Error, Refusal, Result, SessionToken, Store, audit, timestamp, token};

/// How many days an invitation can be taken.
const DAYS: i32 = 7;

impl Store {
    /// Makes an invitation with a role; returns it with the token for its link, which is shown
    /// once and not kept.
    ///
    /// # Errors
    /// When the role does not allow it.
    pub async fn invite(&self, me: &Me, invited: Role) -> Result<(Invitation, String)> {
        let mut tx = self.begin(me, Act::ManageMembers).await?;
        let id = InvitationId(Uuid::now_v7());
        let token = token::random::<32>();
        let row = sqlx::query!(
            "insert into invitation
                (invitation_id, organization_id, role, token_hash, invited_by, expires_at)
             values ($1, $2, $3, $4, $5, now() + make_interval(days => $6))
             returning created_at, expires_at",
            id.0,
            me.organization.0,
            invited.key(),
            token::hash(&token),
            me.account.0,
            DAYS,
        )
        .fetch_one(&mut *tx)
        .await?;
        let detail = json!({ "role": invited.key() });
        audit::note(&mut tx, me, "invitation.create", id.0, detail).await?;
        self.commit(tx, vec![changed(me.organization)]).await?;
        let invitation = Invitation {
            id,
            role: invited,
            invited_by: me.name.clone(),
            created_at: timestamp::read(row.created_at),
            expires_at: timestamp::read(row.expires_at),
        };
        Ok((invitation, token))
    }

    /// Returns the invitations that can still be taken, newest first.
    ///
    /// # Errors
    /// When the role does not allow it.
    pub async fn invitations(&self, me: &Me) -> Result<Vec<Invitation>> {
        let mut tx = self.begin(me, Act::ManageMembers).await?;
        let rows = sqlx::query!(
            "select invitation_id, role, account.name as invited_by,
                    invitation.created_at, expires_at
             from invitation join account on account_id = invited_by
             where organization_id = $1 and expires_at > now()
             order by invitation_id desc",
            me.organization.0,
        )
        .fetch_all(&mut *tx)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Invitation {
                    id: InvitationId(row.invitation_id),
                    role: role(&row.role)?,
                    invited_by: row.invited_by,
                    created_at: timestamp::read(row.created_at),
                    expires_at: timestamp::read(row.expires_at),
                })
            })
            .collect()
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// When the role does not allow it, or there is no such invitation.
    pub async fn withdraw_invitation(&self, me: &Me, invitation: InvitationId) -> Result<()> {
        let mut tx = self.begin(me, Act::ManageMembers).await?;
        let withdrawn = sqlx::query!(
            "delete from invitation where organization_id = $1 and invitation_id = $2",
            me.organization.0,
            invitation.0,
        )
        .execute(&mut *tx)
        .await?;
        if withdrawn.rows_affected() == 0 {
            return Err(Error::NotFound);
        }
        audit::note(&mut tx, me, "invitation.withdraw", invitation.0, json!({})).await?;
        self.commit(tx, vec![changed(me.organization)]).await
    }

    /// Returns what a link offers, to whoever has it.
    ///
    /// # Errors
    /// When it was taken, withdrawn, or is too old.
    pub async fn invitation_offer(&self, token: &str) -> Result<InvitationOffer> {
        let offer = sqlx::query!(
            "select organization.name as organization_name, role, account.name as invited_by
             from invitation
             join organization using (organization_id)
             join account on account_id = invited_by
             where token_hash = $1 and expires_at > now()",
            token::hash(token),
        )
        .fetch_optional(&self.inner.system)
        .await?
        .ok_or(Refusal::InvitationGone)?;
        Ok(InvitationOffer {
            organization_name: offer.organization_name,
            role: role(&offer.role)?,
            invited_by: offer.invited_by,
        })
    }

    /// Takes an invitation: makes an account, or joins with the one that has this e-mail address
    /// when the password is its, and signs in. The invitation is of no use afterwards.
    ///
    /// # Errors
    /// When the invitation is gone, a text cannot be taken, the address belongs to an account with
    /// another password, or that account is a member already.
    pub async fn accept_invitation(
        &self,
        token: &str,
        name: &str,
        email: &str,
        password: &str,
    ) -> Result<SessionToken> {
        // Looked at before anything is said about accounts, which is not a stranger's business.
        self.invitation_offer(token).await?;
        let email = account::check_email(email)?;
        let guest = self.guest(name, email, password).await?;
        let mut tx = self.inner.system.begin().await?;
        let invitation = sqlx::query!(
            "delete from invitation where token_hash = $1 and expires_at > now()
             returning invitation_id, organization_id, role",
            token::hash(token),
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Refusal::InvitationGone)?;
        let organization = OrganizationId(invitation.organization_id);
        let account = match guest {
            Guest::Known(account) => account,
            Guest::New {
                name,
                email,
                password_hash,
            } => insert_account(&mut tx, &name, &email, &password_hash).await?,
        };
        sqlx::query!(
            "insert into member (organization_id, account_id, role) values ($1, $2, $3)",
            organization.0,
            account.0,
            invitation.role,
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on(error, "member_pkey", Refusal::AlreadyMember))?;
        let session = insert_session(&mut tx, organization, account).await?;
        let detail = json!({ "invitation": invitation.invitation_id, "role": invitation.role });
        let note = audit::write(
            &mut tx,
            organization,
            Some(account.0),
            "member.join",
            account.0,
            detail,
        );
        note.await?;
        self.commit(tx, vec![changed(organization)]).await?;
        Ok(session)
    }

    async fn guest(&self, name: &str, email: String, password: &str) -> Result<Guest> {
        if is_taken(&self.inner.system, &email).await? {
            let account = self
                .verify(&email, password)
                .await?
                .ok_or(Refusal::EmailTaken)?;
            return Ok(Guest::Known(account));
        }
        let name = account::check_name(name)?;
        account::check_password(password)?;
        let password_hash = self.inner.passwords.hash(password).await;
        Ok(Guest::New {
            name,
            email,
            password_hash,
        })
    }
}

/// Who takes an invitation.
enum Guest {
    Known(AccountId),
    New {
        name: String,
        email: String,
        password_hash: String,
    },
}

async fn is_taken(system: &PgPool, email: &str) -> Result<bool> {
    let taken = sqlx::query_scalar!(
        r#"select exists (select from account where email = $1) as "taken!""#,
        email,
    )
    .fetch_one(system)
    .await?;
    Ok(taken)
}
