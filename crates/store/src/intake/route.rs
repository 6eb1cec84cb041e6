//! What a webhook's address starts, remembered in memory.

use std::fmt;
use std::sync::Arc;

use domain::delivery::Source;
use domain::signing::Signature;
use domain::{DocumentHash, IntegrationId, OrganizationId};
use engine::port::Network;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::gathered::Question;
use crate::network::read_network;
use crate::{Error, Result, Store, number, token};

/// Bytes that the remembered routes of a process take at most.
const BYTES: u64 = 48 * 1024 * 1024;
/// What a route takes beside the names that its organization allows.
const USUAL: usize = 500;
/// About how many routes that are.
const ROUTES: usize = 100_000;

/// What an event that comes to a webhook's address starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookRoute {
    /// Whose it is.
    pub organization: OrganizationId,
    /// The integration.
    pub integration: IntegrationId,
    /// Whether triggers start it; if not, events are refused.
    pub enabled: bool,
    /// The number of the live version.
    pub version: u32,
    /// Its content.
    pub hash: DocumentHash,
    /// The method that its trigger expects, such as `POST`; `any` for all.
    pub method: String,
    /// Whether some step answers, so that the caller waits for it.
    pub responds: bool,
    /// How its calls are signed.
    pub signature: Signature,
    /// The secrets that they may be signed with; empty when they are not signed.
    pub keys: Vec<SigningKey>,
    /// Where what their sender calls an event is found.
    pub delivery: Source,
    /// What the integration may reach.
    pub network: Network,
}

/// A signing secret as it was given, for whoever checks a signature.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(pub Zeroizing<Vec<u8>>);

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey(…)")
    }
}

/// Routes by token, each good for as long as no integration, and nothing that may be reached, was
/// changed since, whosoever it is.
#[derive(Debug)]
pub(crate) struct Routes {
    known: Cache<String, Read, Bytes>,
}

/// A route, and the epoch that it was read in.
type Read = (u64, Arc<HookRoute>);

/// What a route takes of the memory that there is for all.
#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<String, Read> for Bytes {
    fn weight(&self, _: &String, (_, route): &Read) -> u64 {
        let names = route.network.allowed.iter();
        let names: usize = names.map(|name| size_of::<String>() + name.len()).sum();
        u64::try_from(USUAL + names).unwrap_or(u64::MAX)
    }
}

impl Default for Routes {
    fn default() -> Self {
        Self {
            known: Cache::with_weighter(ROUTES, BYTES, Bytes),
        }
    }
}

impl Routes {
    fn get(&self, token: &str, epoch: u64) -> Option<Arc<HookRoute>> {
        let (read_in, route) = self.known.get(token)?;
        (read_in == epoch).then_some(route)
    }

    fn remember(&self, token: &str, epoch: u64, route: &Arc<HookRoute>) {
        self.known
            .insert(token.to_owned(), (epoch, Arc::clone(route)));
    }
}

impl Store {
    /// Returns what an event to this webhook address starts; `None` when there is no such address
    /// or the live version has another trigger. A disabled integration has a route that says so.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn hook_route(&self, token: &str) -> Result<Option<Arc<HookRoute>>> {
        if !token::is_address(token) {
            return Ok(None);
        }
        // Taken before the database is read: what changes while it is read is not remembered.
        let epoch = self.live().routes_epoch();
        if let Some(route) = epoch.and_then(|epoch| self.inner.routes.get(token, epoch)) {
            return Ok(Some(route));
        }
        let address = Address(token.to_owned());
        let row = self.inner.addresses.ask(address).await?;
        let Some(row) = row else { return Ok(None) };
        let organization = OrganizationId(row.organization_id);
        let integration = IntegrationId(row.integration_id);
        let signature = Signature::from_key(&row.signature);
        let signature =
            signature.ok_or_else(|| sqlx::Error::Decode("an unknown signature".into()))?;
        let keys = match signature {
            Signature::None => Vec::new(),
            _ => self.signing_keys(organization, integration).await?,
        };
        let delivery = row.delivery_source.map(serde_json::from_value).transpose();
        let route = Arc::new(HookRoute {
            delivery: delivery.map_err(sqlx::Error::decode)?.unwrap_or_default(),
            organization,
            integration,
            signature,
            keys,
            enabled: row.enabled,
            version: number(row.number)?,
            hash: DocumentHash(row.hash),
            method: row.method.unwrap_or_else(|| "POST".to_owned()),
            responds: row.responds,
            network: read_network(organization, row.network)?,
        });
        if let Some(epoch) = epoch {
            self.inner.routes.remember(token, epoch, &route);
        }
        Ok(Some(route))
    }

    async fn signing_keys(
        &self,
        organization: OrganizationId,
        integration: IntegrationId,
    ) -> Result<Vec<SigningKey>> {
        let mut connection = self.inner.system.acquire().await?;
        let opened = self.open_signing_secrets(&mut connection, organization, integration);
        match opened.await {
            Ok(secrets) => Ok(secrets.into_iter().map(SigningKey).collect()),
            // Nothing that the caller could mend: it is told to come again.
            Err(Error::Refused(refusal)) => {
                Err(sqlx::Error::Configuration(refusal.to_string().into()).into())
            }
            Err(error) => Err(error),
        }
    }
}

/// Asks what a webhook's token belongs to.
#[derive(Debug)]
pub(crate) struct Address(String);

/// What [`HookRoute`] is made of, as it is stored.
#[derive(Debug)]
pub(crate) struct Stored {
    place: i64,
    organization_id: Uuid,
    integration_id: Uuid,
    enabled: bool,
    number: i32,
    hash: String,
    method: Option<String>,
    responds: bool,
    signature: String,
    delivery_source: Option<Value>,
    network: Value,
}

impl Question for Address {
    type Answer = Stored;

    async fn ask(
        questions: &[Self],
        connection: &mut PgConnection,
    ) -> Result<Vec<(i64, Stored)>, sqlx::Error> {
        let tokens: Vec<_> = questions.iter().map(|asked| asked.0.as_str()).collect();
        let rows = sqlx::query_as!(
            Stored,
            r#"select place as "place!", integration.organization_id, integration.integration_id,
                    enabled, number, hash, method, responds, signature, delivery_source, network
               from unnest($1::text[]) with ordinality as asked (token, place)
               join integration on webhook_token = token
               join version on version_id = live_version_id
               join organization on organization.organization_id = integration.organization_id
               where trigger = 'webhook'"#,
            &tokens as &[&str],
        )
        .fetch_all(connection)
        .await?;
        Ok(rows.into_iter().map(|row| (row.place, row)).collect())
    }
}
