//! The components of an organization: kept by their hash, as versions and runs name them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use domain::account::Me;
use domain::canonical::sha256;
use domain::connector::component::{MODULE_BYTES, needed_by};
use domain::connector::{Connector, Fault, Refusal, WANTED};
use domain::policy::Act;
use domain::{Document, RunId};
use engine::port::Inspector;

use crate::{Result, Store, Tx};

/// What is said where no module is, and one is needed.
const MISSING: &str = "Actions of this connector are run by a component. Give its module, the file that ends in .wasm, with it.";

impl Store {
    /// Says by what components are looked at before they are imported. Only the first one counts;
    /// without one, none is imported.
    pub fn inspect_by(&self, inspector: std::sync::Arc<dyn Inspector>) {
        // A second one would do the same.
        let _ = self.inner.inspector.set(inspector);
    }

    /// Returns the module of a component that a run's organization has; `None` when it has none of
    /// this hash. Without `wants_bytes` they are left empty.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn component_of_run(
        &self,
        run: RunId,
        hash: &str,
        wants_bytes: bool,
    ) -> Result<Option<Bytes>> {
        let bytes = sqlx::query_scalar!(
            r#"select case when $3 then bytes else ''::bytea end as "bytes!"
               from component join run using (organization_id)
               where run_id = $1 and component.hash = $2"#,
            run.0,
            hash,
            wants_bytes,
        )
        .fetch_optional(&self.inner.system);
        let bytes: Option<Vec<u8>> = self.turn(async { Ok(bytes.await?) }).await?;
        Ok(bytes.map(Bytes::from))
    }

    /// Returns which of some components the organization does not have, by the hash of their
    /// module; of more than [`WANTED`], only the first are looked for.
    ///
    /// # Errors
    /// When the role does not allow it.
    pub async fn lacking_components(
        &self,
        me: &Me,
        mut hashes: Vec<String>,
    ) -> Result<BTreeSet<String>> {
        hashes.truncate(WANTED);
        let mut tx = self.begin(me, Act::See).await?;
        lacking_of(&mut tx, me, hashes).await
    }

    /// Looks at the component of a connector that is to be imported, and runs its examples. Returns
    /// the connector with the hash of the module, and the module. `given` is the module, if one came
    /// with the file; else it has to be there already.
    pub(super) async fn inspected(
        &self,
        me: &Me,
        connector: Connector,
        given: Option<Bytes>,
    ) -> Result<(Connector, Option<Bytes>)> {
        let wrong = |message: &str| Refusal::Faults(vec![Fault::of("component", message)]);
        let Some(component) = &connector.component else {
            return match given {
                None => Ok((connector, None)),
                Some(_) => Err(wrong(
                    "No action of this connector is run by a component. Leave the module out.",
                )
                .into()),
            };
        };
        let named = component.sha256.clone();
        let module = match given {
            Some(module) => module,
            None => self
                .kept_module(me, &named)
                .await?
                .ok_or_else(|| wrong(MISSING))?,
        };
        let (module, hash) = super::aside(move || {
            let hash = sha256(&module);
            Ok((module, hash))
        })
        .await?;
        if !named.is_empty() && named != hash {
            let message =
                format!("The connector names the module {named}, but the one that came is {hash}.");
            return Err(wrong(&message).into());
        }
        let Some(inspector) = self.inner.inspector.get() else {
            return Err(wrong("This server takes no components.").into());
        };
        let connector = super::aside(move || {
            let connector = connector.with_module(hash);
            // With its hash it is a few bytes longer.
            connector.check().map_err(Refusal::Faults)?;
            Ok(connector)
        })
        .await?;
        let looked = inspector.inspect(connector.clone(), module.clone()).await;
        looked.map_err(Refusal::Faults)?;
        Ok((connector, Some(module)))
    }

    async fn kept_module(&self, me: &Me, hash: &str) -> Result<Option<Bytes>> {
        let (mut tx, _) = self.enter(me).await?;
        let bytes = sqlx::query_scalar!(
            "select bytes from component where organization_id = $1 and hash = $2",
            me.organization.0,
            hash,
        )
        .fetch_optional(&mut *tx)
        .await?;
        Ok(bytes.map(Bytes::from))
    }
}

/// Reads a module that came as base64.
pub(super) fn module(text: &str) -> Result<Bytes, Refusal> {
    let wrong = |message: String| Refusal::Faults(vec![Fault::of("component", message)]);
    if text.len() > MODULE_BYTES.div_ceil(3) * 4 {
        let most = MODULE_BYTES / (1024 * 1024);
        return Err(wrong(format!("It has more than {most} MiB.")));
    }
    let bytes = BASE64_STANDARD.decode(text);
    let bytes = bytes.map_err(|_| wrong("The module is not in base64.".to_owned()))?;
    Ok(bytes.into())
}

/// Keeps the module of a component, whose hash is given; returns whether it was not there.
pub(super) async fn keep(tx: &mut Tx, me: &Me, hash: &str, module: &Bytes) -> Result<bool> {
    let kept = sqlx::query!(
        "insert into component (organization_id, hash, bytes, imported_by)
         values ($1, $2, $3, $4)
         on conflict do nothing",
        me.organization.0,
        hash,
        &module[..],
        me.account.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(kept.rows_affected() > 0)
}

/// Returns the components that a document needs and the organization does not have, by the hash of
/// their module: without one, its step cannot run.
pub(crate) async fn lacking(tx: &mut Tx, me: &Me, document: &Document) -> Result<BTreeSet<String>> {
    let needed = needed_by(document).into_iter().map(str::to_owned);
    lacking_of(tx, me, needed.collect()).await
}

async fn lacking_of(tx: &mut Tx, me: &Me, hashes: Vec<String>) -> Result<BTreeSet<String>> {
    if hashes.is_empty() {
        return Ok(BTreeSet::new());
    }
    let there = sqlx::query_scalar!(
        "select hash from component where organization_id = $1 and hash = any($2)",
        me.organization.0,
        &hashes,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut lacking: BTreeSet<String> = hashes.into_iter().collect();
    for hash in &there {
        lacking.remove(hash);
    }
    Ok(lacking)
}
