//! What a run costs as the rest grows: many published integrations, and a long history.
//!
//! What is stored is made by the database itself, as copies of what the server wrote: integrations
//! with documents of their own, and runs spread over the last weeks, one in a thousand failed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Place;
use super::flow::{Page, Published};
use crate::bench::figure::{Figure, median};
use crate::command::{Context, Outcome, progress};

/// How many published integrations are few, and how many are many.
const INTEGRATIONS: (usize, usize) = (10, 100_000);
/// How many stored runs are many.
const RUNS: usize = 10_000_000;
/// Runs that one statement makes.
const AT_ONCE: usize = 100_000;
/// Days over which stored runs are spread; less than what retention keeps.
const DAYS: usize = 25;
/// How often a list is asked for.
const LOOKS: usize = 20;

/// Copies an integration so often, each with a document, a draft and a version of its own.
const COPY_INTEGRATIONS: &str = "
with base as (
    select to_jsonb(integration) as integration, to_jsonb(version) as version,
        to_jsonb(draft) as draft, body::text as body, integration.organization_id
    from integration
    join version on version_id = live_version_id
    join draft using (draft_id)
    join document on document.organization_id = integration.organization_id
        and document.hash = version.hash
    where integration.integration_id = 'BASE'
), made as (
    select base.*, number, gen_random_uuid() as integration_id, gen_random_uuid() as version_id,
        gen_random_uuid() as draft_id, replace(body, '\"Each line\"', '\"Each line ' || number || '\"') as own
    from base, generate_series(FROM, TO) as number
), hashed as (
    select made.*, encode(sha256(convert_to(own, 'UTF8')), 'hex') as hash from made
), documents as (
    insert into document (organization_id, hash, body)
    select organization_id, hash, own::json from hashed
), integrations as (
    insert into integration
    select (jsonb_populate_record(null::integration, integration || jsonb_build_object(
        'integration_id', integration_id, 'name', 'Grown ' || number, 'live_version_id', version_id,
        'webhook_token', lpad(number::text, length(integration ->> 'webhook_token'), '0')))).*
    from hashed
), drafts as (
    insert into draft
    select (jsonb_populate_record(null::draft, draft || jsonb_build_object(
        'draft_id', draft_id, 'integration_id', integration_id, 'start_hash', hash,
        'document', own::jsonb, 'catch_token', md5(draft_id::text) || '00000000000000000000'))).*
    from hashed
)
insert into version
select (jsonb_populate_record(null::version, version || jsonb_build_object(
    'version_id', version_id, 'integration_id', integration_id, 'draft_id', draft_id,
    'hash', hash))).*
from hashed";

/// Copies the newest run of an integration so often, with its event and its records.
const COPY_RUNS: &str = "
with base as (
    select run.*, event.payload, records
    from run join event using (event_id)
    join run_record on run_record.run_id = run.run_id
    where run.integration_id = 'BASE' and state = 'succeeded'
    order by run.run_id desc limit 1
), made as (
    select base.*, number, at,
        (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7'
            || substr(md5('run' || number), 1, 3) || '8' || substr(md5('run' || number), 4, 15))::uuid
            as new_run,
        (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7'
            || substr(md5('event' || number), 1, 3) || '8' || substr(md5('event' || number), 4, 15))::uuid
            as new_event
    from base, (
        select number, now() - make_interval(secs => DAYS * 86400.0 * (1 - number / ALL.0)) - interval '1 hour' as at
        from generate_series(FROM, TO) as number
    ) as times
), events as (
    insert into event (event_id, organization_id, integration_id, kind, payload, accepted_at)
    select new_event, organization_id, integration_id, 'webhook', payload, at from made
), records as (
    insert into run_record (run_id, organization_id, records)
    select new_run, organization_id, records from made
)
insert into run (run_id, organization_id, integration_id, event_id, hash, is_test, version_number,
    state, error, created_at, started_at, finished_at)
select new_run, organization_id, integration_id, new_event, hash, false, version_number,
    case when number % 1000 = 0 then 'failed' else 'succeeded' end,
    case when number % 1000 = 0 then 'It failed.' end, at, at, at + interval '4 ms'
from made";

/// Prints `growth_integrations`, `growth_history` and what a look at the list of runs costs.
///
/// Without `full` a tenth of what is said is stored.
pub(super) fn measure(
    place: &Place<'_>,
    page: &mut Page,
    order: &Published,
    folder: &Path,
    full: bool,
) -> Outcome {
    let part = |whole: usize| if full { whole } else { whole / 10 };
    let (few, many) = (INTEGRATIONS.0, part(INTEGRATIONS.1));
    grow(place, COPY_INTEGRATIONS, order, (0, few), few)?;
    let with_few = place.relative(&spread(place, folder, order)?)?;
    grow(place, COPY_INTEGRATIONS, order, (few, many), many)?;
    let with_many = place.relative(&spread(place, folder, order)?)?;
    Figure::new("growth_integrations", with_many / with_few, "ratio")
        .goal(0.8)
        .print();

    let runs = part(RUNS);
    let list = looks(page, order)?;
    let without = place.relative(order)?;
    grow(place, COPY_RUNS, order, (0, runs), runs)?;
    let with = place.relative(order)?;
    Figure::new("growth_history", with / without, "ratio")
        .goal(0.8)
        .print();
    Figure::new("run_list_ms", looks(page, order)?, "ms")
        .baseline(list)
        .print();
    Ok(())
}

/// Makes copies from one number to another.
fn grow(
    place: &Place<'_>,
    statement: &str,
    order: &Published,
    (from, to): (usize, usize),
    all: usize,
) -> Outcome {
    let begun = Instant::now();
    for first in (from..to).step_by(AT_ONCE) {
        let last = (first + AT_ONCE).min(to);
        let statement = statement
            .replace("BASE", &order.integration)
            .replace("FROM, TO", &format!("{}, {last}", first + 1))
            .replace("DAYS", &DAYS.to_string())
            .replace("ALL", &all.to_string());
        place.database.query(&statement)?;
        progress(format_args!(
            "Stored {last} of {to} ({:.0} s)",
            begun.elapsed().as_secs_f64()
        ));
    }
    place.database.query("analyze")?;
    Ok(())
}

/// Returns a flow that stands for all the copies, one event to each in turn.
fn spread(place: &Place<'_>, folder: &Path, order: &Published) -> Outcome<Published> {
    let tokens = place.database.query(
        "select '/hooks/' || webhook_token from integration where name like 'Grown %'
         order by md5(webhook_token)",
    )?;
    let file: PathBuf = folder.join("paths");
    std::fs::write(&file, tokens).context(|| format!("writing {}", file.display()))?;
    Ok(Published {
        integration: order.integration.clone(),
        path: format!("@{}", file.display()),
        body: order.body,
    })
}

/// Returns how long the slowest of the questions takes that people ask of the list of runs.
fn looks(page: &mut Page, order: &Published) -> Outcome<f64> {
    let integration = format!("\"{}\"", order.integration);
    let mut slowest: f64 = 0.0;
    for (integration, state) in [
        ("null", "null"),
        ("null", "\"failed\""),
        ("null", "\"running\""),
        (&integration, "null"),
        (&integration, "\"failed\""),
        (&integration, "\"in_doubt\""),
    ] {
        let mut took = Vec::new();
        for _ in 0..LOOKS {
            let begun = Instant::now();
            page.call(
                "runs",
                &format!(r#"{{"integration":{integration},"state":{state},"before":null}}"#),
            )?;
            took.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        let took = median(took);
        progress(format_args!(
            "Runs of {integration} in state {state}: {took:.1} ms"
        ));
        slowest = slowest.max(took);
    }
    Ok(slowest)
}
