//! Where the tokens of connections come from, and how they stand.

use std::collections::BTreeMap;

use domain::account::Me;
use domain::connection::{Authorization, Form, Kind, OAuth, Refusal, Secrets, Standing};
use domain::{ConnectionId, Timestamp};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::token::Of;
use crate::{Error, Result, Tx, timestamp};

/// A connection with what is needed to ask the provider of its tokens.
pub(super) struct Provider {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) names: Vec<String>,
    pub(super) origins: Vec<String>,
    pub(super) oauth: OAuth,
}

/// Returns a connection with the provider of its tokens.
///
/// # Errors
/// When there is none with this id, or it has no tokens.
pub(super) async fn provider(connection: &mut PgConnection, of: Of) -> Result<Provider> {
    let row = sqlx::query!(
        "select name, kind, names, origins, oauth from connection
         where organization_id = $1 and connection_id = $2",
        of.organization.0,
        of.connection.0,
    )
    .fetch_optional(connection)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(Provider {
        name: row.name,
        kind: super::kind(&row.kind)?,
        names: row.names,
        origins: row.origins,
        oauth: settings(row.oauth)?.ok_or(Refusal::NoConsent)?,
    })
}

pub(super) fn settings(stored: Option<Value>) -> Result<Option<OAuth>> {
    let read = stored.map(serde_json::from_value).transpose();
    read.map_err(|error| sqlx::Error::decode(error).into())
}

pub(super) fn stored(form: &Form) -> Option<Value> {
    form.oauth.as_ref().map(|oauth| json!(oauth))
}

/// Lets the tokens of a connection follow what it is now. Consents that were asked for before are
/// void.
pub(super) async fn follow(
    tx: &mut Tx,
    me: &Me,
    id: ConnectionId,
    form: &Form,
    keeps_tokens: bool,
) -> Result<()> {
    if !form.kind.has_tokens() {
        return Ok(());
    }
    sqlx::query!(
        "delete from consent where organization_id = $1 and connection_id = $2",
        me.organization.0,
        id.0,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "delete from connection_token
         where organization_id = $1 and connection_id = $2
            and variant not in (
                select variant from connection_secret where connection_id = $2
            )",
        me.organization.0,
        id.0,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "insert into connection_token (connection_id, organization_id, variant)
         select distinct connection_id, organization_id, variant from connection_secret
         where organization_id = $1 and connection_id = $2
         on conflict (connection_id, variant) do nothing",
        me.organization.0,
        id.0,
    )
    .execute(&mut **tx)
    .await?;
    if !keeps_tokens {
        sqlx::query!(
            "update connection_token
             set issue = issue + 1, access = null, refresh = null, renew_at = null,
                expires_at = null, given_at = null, refused = null, renewing_until = null
             where organization_id = $1 and connection_id = $2",
            me.organization.0,
            id.0,
        )
        .execute(&mut **tx)
        .await?;
    }
    // A secret that was mistyped, or ran out, is a reason for a provider to refuse.
    for (variant, secrets) in [("live", &form.live), ("test", &form.test)] {
        if *secrets != Secrets::Keep {
            sqlx::query!(
                "update connection_token set refused = null
                 where organization_id = $1 and connection_id = $2 and variant = $3",
                me.organization.0,
                id.0,
                variant,
            )
            .execute(&mut **tx)
            .await?;
        }
    }
    Ok(())
}

/// What is stored of the tokens of one variant, but for the tokens.
pub(super) struct Stored {
    has_token: bool,
    given_at: Option<Timestamp>,
    refused: Option<String>,
}

impl Stored {
    fn standing(self, kind: Kind) -> Standing {
        match (self.refused, self.has_token) {
            (Some(why), _) => Standing::Refused { why },
            (None, false) if kind == Kind::OAuth => Standing::Missing,
            (None, _) => Standing::Given { at: self.given_at },
        }
    }
}

/// What is stored of the tokens of a connection: live, and for tests.
pub(super) type Both = [Option<Stored>; 2];

/// Returns how it stands with the tokens of all connections.
pub(super) async fn standings(tx: &mut Tx, me: &Me) -> Result<BTreeMap<Uuid, Both>> {
    let rows = sqlx::query!(
        r#"select connection_id, variant, access is not null as "has_token!", given_at, refused
           from connection_token where organization_id = $1"#,
        me.organization.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut standings: BTreeMap<Uuid, Both> = BTreeMap::new();
    for row in rows {
        let both = standings.entry(row.connection_id).or_default();
        both[usize::from(row.variant == "test")] = Some(Stored {
            has_token: row.has_token,
            given_at: row.given_at.map(timestamp::read),
            refused: row.refused,
        });
    }
    Ok(standings)
}

/// Returns what members are told of the tokens of a connection that has some.
pub(super) fn told(
    kind: Kind,
    oauth: Option<Value>,
    [live, test]: Both,
) -> Result<Option<Authorization>> {
    let of = |stored: Stored| stored.standing(kind);
    Ok(settings(oauth)?.map(|settings| Authorization {
        settings,
        live: live.map_or(Standing::Missing, of),
        test: test.map(of),
    }))
}
