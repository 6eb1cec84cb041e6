//! What the integrations of an organization may reach and how, and which hosts are down.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::account::Me;
use domain::network::{Down, Rules};
use domain::policy::Act;
use domain::{OrganizationId, Timestamp};
use engine::port::{Clients, Clock, HostChange, Network, SystemClock};
use serde_json::{Value, json};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::organization::changed;
use crate::{Error, Refusal, Result, Store, Tx, audit, number, timestamp};

/// Most entries of a network.
const RANGES: usize = 100;
/// Most hosts that are told to one organization; those that went down last.
const SHOWN: i64 = 100;
/// Most hosts that a process hears of at once.
const HEARD: i64 = 10_000;
/// Most hosts that are kept of one organization; those that were heard of longest ago go first.
const KEPT: i64 = 256;
/// How long after its next probe was due a host that nobody asked for is forgotten, in seconds.
const FORGOTTEN_SECONDS: f64 = 24.0 * 60.0 * 60.0;
/// How long a host is left alone at most, in seconds: the engine's own longest pause.
const LONGEST_SECONDS: f64 = 300.0;

impl Store {
    /// Returns what sends the requests of this process: of runs, polls and people alike, so that
    /// they keep to the same limits.
    pub fn clients(&self) -> &Arc<Clients> {
        &self.inner.clients
    }

    /// Returns what the integrations of the organization may reach besides public addresses, and
    /// what their requests keep to.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn network(&self, me: &Me) -> Result<Network> {
        let mut tx = self.begin(me, Act::See).await?;
        network_of(&mut tx, me.organization).await
    }

    /// Sets what the integrations of the organization may reach besides public addresses.
    ///
    /// # Errors
    /// When the role does not allow it, or a text is neither a range nor a host name.
    pub async fn set_network(&self, me: &Me, allowed: Vec<String>) -> Result<()> {
        let tx = self.begin(me, Act::ManageNetwork).await?;
        check_allowed(&allowed)?;
        self.set(tx, me, json!({ "allowed": allowed })).await
    }

    /// Sets what the requests of the organization keep to, wherever they go. It holds for the next
    /// request of each run.
    ///
    /// # Errors
    /// When the role does not allow it, or a limit is out of bounds.
    pub async fn set_outgoing(&self, me: &Me, rules: Rules) -> Result<()> {
        let tx = self.begin(me, Act::ManageNetwork).await?;
        let rules = rules.check().map_err(Refusal::Outgoing)?;
        self.set(tx, me, json!({ "rules": rules })).await
    }

    /// Sets a part of the network, and leaves the rest.
    async fn set(&self, mut tx: Tx, me: &Me, part: Value) -> Result<()> {
        sqlx::query!(
            "update organization set network = (network::jsonb || $2)::json
             where organization_id = $1",
            me.organization.0,
            part,
        )
        .execute(&mut *tx)
        .await?;
        let organization = me.organization.0;
        audit::note(&mut tx, me, "organization.network", organization, part).await?;
        self.commit(tx, vec![changed(me.organization)]).await
    }

    /// Returns the hosts that are down for the organization, the latest first; at most 100.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn hosts_down(&self, me: &Me) -> Result<Vec<Down>> {
        let mut tx = self.begin(me, Act::See).await?;
        let rows = sqlx::query_as!(
            Row,
            "select organization_id, host, port, since, until, failures, why from host_down
             where organization_id = $1
             order by since desc, host, port
             limit $2",
            me.organization.0,
            SHOWN,
        )
        .fetch_all(&mut *tx)
        .await?;
        rows.into_iter().map(|row| Ok(row.read()?.1)).collect()
    }

    /// Keeps what became of hosts, for all processes and whoever looks.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_hosts(&self, changes: Vec<(OrganizationId, HostChange)>) -> Result<()> {
        let mut tx = self.inner.system.begin().await?;
        let mut told = Vec::new();
        let mut down = BTreeSet::new();
        for (organization, change) in changes {
            let is_down = matches!(change, HostChange::Down(_));
            let is_new = match change {
                HostChange::Down(down) => {
                    // Its organization may be gone. Of two processes, the one that found out first
                    // says since when.
                    sqlx::query_scalar!(
                        r#"insert into host_down (organization_id, host, port, since, until, failures, why)
                           select organization_id, $2, $3, $4, now() + make_interval(secs => $5),
                               $6, $7
                           from organization
                           where organization_id = $1
                           on conflict (organization_id, host, port) do update
                           set since = least(host_down.since, excluded.since),
                               until = excluded.until, failures = excluded.failures,
                               why = excluded.why
                           returning true as "is_written!""#,
                        organization.0,
                        down.host,
                        i32::from(down.port),
                        timestamp::write(down.since),
                        left_seconds(&down, SystemClock.now()),
                        i32::try_from(down.failures).unwrap_or(i32::MAX),
                        down.why,
                    )
                    .fetch_optional(&mut *tx)
                    .await?
                    .is_some()
                }
                HostChange::Up { host, port } => {
                    let gone = sqlx::query!(
                        "delete from host_down where organization_id = $1 and host = $2 and port = $3",
                        organization.0,
                        host,
                        i32::from(port),
                    )
                    .execute(&mut *tx)
                    .await?;
                    gone.rows_affected() > 0
                }
            };
            if is_new && !told.contains(&changed(organization)) {
                told.push(changed(organization));
            }
            down.extend(is_down.then_some(organization.0));
        }
        self.commit(tx, told).await?;
        // By itself: who deletes rows in their order waits for nobody while others wait for it.
        sqlx::query!(
            "delete from host_down where (organization_id, host, port) in (
                 select organization_id, host, port from (
                     select organization_id, host, port, row_number() over (
                         partition by organization_id order by until desc, since desc, host, port
                     ) as place
                     from host_down where organization_id = any($1)
                 ) numbered
                 where place > $2
             )",
            &down.into_iter().collect::<Vec<_>>(),
            KEPT,
        )
        .execute(&self.inner.system)
        .await?;
        Ok(())
    }

    /// Lets the clients of this process hear which hosts are down, as any process found out, and
    /// how many of them divide the limits. What nobody asked for in a day is forgotten.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn hear_of_hosts(&self) -> Result<()> {
        let workers = sqlx::query_scalar!(r#"select count(*) as "count!" from worker"#)
            .fetch_one(&self.inner.system)
            .await?;
        let clients = &self.inner.clients;
        clients.set_processes(u32::try_from(workers).unwrap_or(u32::MAX));
        sqlx::query!(
            "delete from host_down where until < now() - make_interval(secs => $1)",
            FORGOTTEN_SECONDS,
        )
        .execute(&self.inner.system)
        .await?;
        let rows = sqlx::query_as!(
            Row,
            "select organization_id, host, port, since, until, failures, why from host_down
             order by since desc
             limit $1",
            HEARD,
        )
        .fetch_all(&self.inner.system)
        .await?;
        // Told by the clock of this process: those of others, and the database's, may be off.
        let (theirs, ours) = (self.now().await?, SystemClock.now());
        let down: Result<Vec<_>> = rows
            .into_iter()
            .map(|row| {
                let (organization, down) = row.read()?;
                let until = Timestamp(ours.0 + (down.until.0 - theirs.0));
                Ok((organization, Down { until, ..down }))
            })
            .collect();
        clients.hear_of_hosts(&down?, ours);
        Ok(())
    }
}

struct Row {
    organization_id: Uuid,
    host: String,
    port: i32,
    since: OffsetDateTime,
    until: OffsetDateTime,
    failures: i32,
    why: String,
}

impl Row {
    fn read(self) -> Result<(OrganizationId, Down)> {
        let port = u16::try_from(self.port).map_err(sqlx::Error::decode)?;
        let down = Down {
            host: self.host,
            port,
            since: timestamp::read(self.since),
            until: timestamp::read(self.until),
            failures: number(self.failures)?,
            why: self.why,
        };
        Ok((OrganizationId(self.organization_id), down))
    }
}

/// Returns for how many seconds a host is still left alone.
fn left_seconds(down: &Down, now: Timestamp) -> f64 {
    let ms = u32::try_from(down.until.since(now)).unwrap_or(u32::MAX);
    (f64::from(ms) / 1_000.0).min(LONGEST_SECONDS)
}

fn check_allowed(allowed: &[String]) -> Result<()> {
    if allowed.len() > RANGES {
        return Err(
            Refusal::NetworkRange(format!("At most {RANGES} ranges can be allowed.")).into(),
        );
    }
    for range in allowed {
        Network::check(range).map_err(|error| Refusal::NetworkRange(error.to_string()))?;
    }
    Ok(())
}

/// Returns what the integrations of an organization may reach, and how.
pub(crate) async fn network_of(
    connection: &mut PgConnection,
    organization: OrganizationId,
) -> Result<Network> {
    let network = sqlx::query_scalar!(
        "select network from organization where organization_id = $1",
        organization.0,
    )
    .fetch_one(connection)
    .await?;
    read_network(organization, network)
}

/// Reads the network of an organization as it is stored.
pub(crate) fn read_network(organization: OrganizationId, stored: Value) -> Result<Network> {
    let network: Network =
        serde_json::from_value(stored).map_err(|error| Error::from(sqlx::Error::decode(error)))?;
    Ok(Network {
        owner: Some(organization),
        ..network
    })
}
