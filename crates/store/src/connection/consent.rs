//! Someone consents: what the provider is asked with, and what comes back.

use std::time::Instant;

use domain::ConnectionId;
use domain::account::Me;
use domain::connection::{Answer, CONSENT, Kind, NoToken, Refusal};
use domain::policy::Act;
use engine::port::{Consent, Grant, Network, TokenRequest};
use serde_json::json;
use zeroize::Zeroizing;

use super::authorization::{Provider, provider};
use super::token::{Code, Ended, Of};
use super::{text, variant_of};
use crate::vault::Place;
use crate::{Error, Result, SessionToken, Store, audit, organization, token};

impl Store {
    /// Begins to connect: returns the address at which someone consents, which is good for a few
    /// minutes, once, in this session. Where nobody has to consent a token is asked for at once,
    /// and there is no address.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such connection, it has no tokens, or the
    /// provider gives none.
    pub async fn connect_connection(
        &self,
        me: &Me,
        session: &SessionToken,
        id: ConnectionId,
        is_test: bool,
        redirect_uri: &str,
    ) -> Result<Option<String>> {
        let mut tx = self.begin(me, Act::ManageSecrets).await?;
        let of = Of {
            organization: me.organization,
            connection: id,
            variant: variant_of(is_test),
        };
        // First, as whoever changes or deletes it does.
        super::exists(&mut tx, me, id).await?;
        let provider = provider(&mut tx, of).await?;
        // Whoever presses it again wants it asked again.
        let issue = sqlx::query_scalar!(
            "update connection_token
             set refused = case when $4 then null else refused end
             where organization_id = $1 and connection_id = $2 and variant = $3
             returning issue",
            me.organization.0,
            id.0,
            of.variant,
            provider.kind == Kind::OAuthClient,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound)?;
        if provider.kind == Kind::OAuthClient {
            self.note_connecting(&mut tx, me, of).await?;
            let changes = vec![organization::changed(me.organization)];
            self.commit(tx, changes).await?;
            return match self.renewed(of, issue).await {
                Ended::Renewed => Ok(None),
                Ended::No(NoToken::Refused(why) | NoToken::Later(why)) => {
                    let name = provider.name;
                    Err(Refusal::NotConnected { name, why }.into())
                }
                Ended::Gone => Err(Error::NotFound),
                Ended::Unavailable => Err(Error::Unavailable(sqlx::Error::WorkerCrashed)),
            };
        }
        let (state, verifier) = (token::random::<32>(), token::random::<32>());
        let hash = token::hash(&state);
        sqlx::query!(
            "delete from consent
             where organization_id = $1
                and asked_at < now() - make_interval(secs => $2)",
            me.organization.0,
            f64::from(CONSENT),
        )
        .execute(&mut *tx)
        .await?;
        let vault = &self.inner.vault;
        let sealed = vault
            .seal(&mut tx, place(of, &hash), verifier.as_bytes())
            .await?;
        let asked = sqlx::query!(
            "insert into consent
                (state_hash, organization_id, connection_id, variant, session_id, verifier,
                redirect_uri)
             select $1, $2, $3, $4, session_id, $5, $6 from session
             where token_hash = $7 and account_id = $8 and organization_id = $2",
            hash,
            me.organization.0,
            id.0,
            of.variant,
            sealed,
            redirect_uri,
            token::hash(&session.0),
            me.account.0,
        )
        .execute(&mut *tx)
        .await?;
        if asked.rows_affected() != 1 {
            return Err(crate::Refusal::SessionEnded.into());
        }
        let consent = Consent {
            provider: &provider.oauth,
            client_id: provider.oauth.client_id(&provider.names, is_test),
            redirect_uri,
            state: &state,
            verifier: &verifier,
        };
        let shown = || Refusal::Address(provider.oauth.authorization_url.clone());
        let address = consent.address().ok_or_else(shown)?;
        tx.commit().await?;
        Ok(Some(address))
    }

    /// Takes what someone came back with from the provider, and gets the tokens. Returns what the
    /// connection is called.
    ///
    /// # Errors
    /// When the role does not allow it, nothing was asked for in this session, or the provider
    /// gives nothing.
    pub async fn finish_consent(
        &self,
        me: &Me,
        session: &SessionToken,
        answer: &Answer,
    ) -> Result<String> {
        let mut tx = self.begin(me, Act::ManageSecrets).await?;
        let hash = token::hash(&answer.state);
        // Taken once, whatever comes of it; of another session it is not even touched.
        let asked = sqlx::query!(
            r#"delete from consent using session
               where consent.session_id = session.session_id and state_hash = $1
                and token_hash = $2 and consent.organization_id = $3 and account_id = $4
               returning connection_id, variant, verifier, redirect_uri,
                asked_at > now() - make_interval(secs => $5) as "is_fresh!""#,
            hash,
            token::hash(&session.0),
            me.organization.0,
            me.account.0,
            f64::from(CONSENT),
        )
        .fetch_optional(&mut *tx)
        .await?;
        let asked = asked.filter(|asked| asked.is_fresh);
        let asked = match asked {
            Some(asked) => asked,
            None => {
                tx.commit().await?;
                return Err(Refusal::StrayConsent.into());
            }
        };
        let of = Of {
            organization: me.organization,
            connection: ConnectionId(asked.connection_id),
            variant: variant_of(asked.variant == "test"),
        };
        let before = provider(&mut tx, of).await?;
        let vault = &self.inner.vault;
        let verifier = vault.open(&mut tx, place(of, &hash), &asked.verifier).await;
        let secret = self.client_secret(&mut tx, of).await;
        tx.commit().await?;
        let (verifier, secret) = (text(verifier?)?, secret?);
        if !before.oauth.is_issued_by(answer.iss.as_deref()) {
            return Err(Refusal::OtherIssuer.into());
        }
        let refused = |why| Refusal::NotConnected {
            name: before.name.clone(),
            why,
        };
        let code = answer.code().map_err(refused)?;
        let given = Given {
            of,
            code: Zeroizing::new(code.to_owned()),
            verifier,
            secret,
            redirect_uri: asked.redirect_uri,
            network: self.network(me).await?,
            before,
        };
        let (store, me, counted) = (self.clone(), me.clone(), Code::of(self));
        // A task of its own: who closes the page meanwhile does not lose what the code, which works
        // once, is exchanged for.
        let exchanged = tokio::spawn(async move {
            let name = store.exchange_code(&me, given).await;
            drop(counted);
            name
        });
        match exchanged.await {
            Ok(name) => name,
            Err(_) => Err(Error::Unavailable(sqlx::Error::WorkerCrashed)),
        }
    }

    async fn exchange_code(&self, me: &Me, given: Given) -> Result<String> {
        let Given { of, before, .. } = given;
        let request = TokenRequest {
            provider: &before.oauth,
            client_id: before.oauth.client_id(&before.names, of.variant == "test"),
            secret: &given.secret,
            grant: Grant::Code {
                code: &given.code,
                verifier: &given.verifier,
                redirect_uri: &given.redirect_uri,
            },
        };
        let begun = Instant::now();
        let tokens = match request.send(&self.inner.clients, &given.network).await {
            Ok(tokens) => tokens,
            Err(NoToken::Refused(why) | NoToken::Later(why)) => {
                let name = before.name;
                return Err(Refusal::NotConnected { name, why }.into());
            }
        };
        let mut tx = self.begin(me, Act::ManageSecrets).await?;
        super::exists(&mut tx, me, of.connection).await?;
        let now = provider(&mut tx, of).await?;
        // Consented to something else than it is by now.
        let is_same =
            now.oauth == before.oauth && now.names == before.names && now.origins == before.origins;
        if !is_same {
            return Err(Refusal::StrayConsent.into());
        }
        self.keep_given(&mut tx, of, &tokens, begun).await?;
        self.note_connecting(&mut tx, me, of).await?;
        let changes = vec![organization::changed(me.organization)];
        self.commit(tx, changes).await?;
        Ok(before.name)
    }

    async fn note_connecting(&self, tx: &mut crate::Tx, me: &Me, of: Of) -> Result<()> {
        let detail = json!({ "variant": of.variant });
        audit::note(tx, me, "connection.connect", of.connection.0, detail).await
    }
}

/// A code that someone came back with, and what it is exchanged with.
struct Given {
    of: Of,
    code: Zeroizing<String>,
    verifier: Zeroizing<String>,
    secret: Zeroizing<String>,
    redirect_uri: String,
    network: Network,
    /// What the connection was when they came back.
    before: Provider,
}

fn place(of: Of, hash: &str) -> Place<'_> {
    Place {
        organization: of.organization,
        kind: "consent",
        id: of.connection.0,
        inside: hash,
    }
}
