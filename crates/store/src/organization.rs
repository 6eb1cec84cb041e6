//! Organizations: how one begins.

use domain::account::{self, Me, Role};
use domain::{AccountId, OrganizationId};
use serde_json::json;
use uuid::Uuid;

use crate::live::{Changed, What};
use crate::{Error, Refusal, Result, Store, Tx, audit};

/// An organization that is to be created, with its first Admin.
#[derive(Clone)]
pub struct NewOrganization {
    /// What it is called.
    pub name: String,
    /// Whether it holds demonstration data, which every screen then says.
    pub is_demo: bool,
    /// What others call its Admin.
    pub admin_name: String,
    /// What the Admin signs in with.
    pub email: String,
    /// And this.
    pub password: String,
}

impl Store {
    /// Creates an organization with its first Admin, beside those that exist; returns the Admin.
    ///
    /// # Errors
    /// When a text cannot be taken, or another account has the e-mail address.
    pub async fn create_organization(&self, new: NewOrganization) -> Result<Me> {
        let checked = self.check_organization(new).await?;
        let mut tx = self.inner.system.begin().await?;
        let me = insert(&mut tx, checked).await?;
        tx.commit().await?;
        Ok(me)
    }

    /// Checks the texts, and hashes the password before any lock is taken.
    pub(crate) async fn check_organization(&self, new: NewOrganization) -> Result<Checked> {
        account::check_password(&new.password)?;
        Ok(Checked {
            name: account::check_name(&new.name)?,
            is_demo: new.is_demo,
            admin_name: account::check_name(&new.admin_name)?,
            email: account::check_email(&new.email)?,
            password_hash: self.inner.passwords.hash(&new.password).await,
        })
    }
}

/// Says that members, invitations or settings changed.
pub(crate) fn changed(organization: OrganizationId) -> Changed {
    Changed {
        organization,
        what: What::Organization,
    }
}

/// A new organization whose texts can be taken.
pub(crate) struct Checked {
    name: String,
    is_demo: bool,
    admin_name: String,
    email: String,
    password_hash: String,
}

/// Inserts an organization, its Admin's account and membership.
pub(crate) async fn insert(tx: &mut Tx, new: Checked) -> Result<Me> {
    let organization = OrganizationId(Uuid::now_v7());
    sqlx::query!(
        "insert into organization (organization_id, name, is_demo) values ($1, $2, $3)",
        organization.0,
        new.name,
        new.is_demo,
    )
    .execute(&mut **tx)
    .await?;
    let account = insert_account(tx, &new.admin_name, &new.email, &new.password_hash).await?;
    sqlx::query!(
        "insert into member (organization_id, account_id, role) values ($1, $2, $3)",
        organization.0,
        account.0,
        Role::Admin.key(),
    )
    .execute(&mut **tx)
    .await?;
    let me = Me {
        account,
        name: new.admin_name,
        email: new.email,
        organization,
        organization_name: new.name,
        is_demo: new.is_demo,
        role: Role::Admin,
    };
    audit::note(tx, &me, "organization.create", organization.0, json!({})).await?;
    Ok(me)
}

/// Inserts an account. The texts are checked and the password is hashed.
pub(crate) async fn insert_account(
    tx: &mut Tx,
    name: &str,
    email: &str,
    password_hash: &str,
) -> Result<AccountId> {
    let account = AccountId(Uuid::now_v7());
    sqlx::query!(
        "insert into account (account_id, name, email, password_hash) values ($1, $2, $3, $4)",
        account.0,
        name,
        email,
        password_hash,
    )
    .execute(&mut **tx)
    .await
    .map_err(|error| Error::on(error, "account_email_key", Refusal::EmailTaken))?;
    Ok(account)
}
