//! What a run costs as the rest grows: many published integrations, and a long history.
//!
//! What is stored is made by the database itself, as copies of what the server wrote: integrations
//! with documents of their own, and runs spread over the last weeks, one in a thousand failed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::flow::Published;
use super::load::Generator;
use super::{Flooded, Place, ROUNDS, Site};
use crate::bench::figure::{Figure, median};
use crate::command::{Context, Failure, Outcome, progress};

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

/// Prints `growth_integrations`, `growth_history` and what a look at the list of runs costs: of a site
/// in which much is stored, beside one in which little is, taken in turn. What the machine does
/// meanwhile happens to both.
///
/// Without `full` a tenth of what is said is stored.
pub(super) fn measure(
    generator: &Generator,
    [small, grown]: [&mut Site; 2],
    folder: &Path,
    full: bool,
) -> Outcome {
    let part = |whole: usize| if full { whole } else { whole / 10 };
    let (few, many) = (INTEGRATIONS.0, part(INTEGRATIONS.1));
    grow(small, COPY_INTEGRATIONS, (0, few), few)?;
    grow(grown, COPY_INTEGRATIONS, (0, many), many)?;
    let mut few = Spread::over(small, folder.join("paths-few"))?;
    let mut many = Spread::over(grown, folder.join("paths-many"))?;
    let places = [small.place(generator), grown.place(generator)];
    // What either remembers of an integration that was called before, it remembers then.
    few.call_all(&places[0])?;
    many.call_all(&places[1])?;
    beside("growth_integrations", |which| match which {
        Which::Small => few.flood(&places[0]),
        Which::Grown => many.flood(&places[1]),
    })?;

    let runs = part(RUNS);
    // What is copied.
    grown.place(generator).flood(&grown.order)?;
    grow(grown, COPY_RUNS, (0, runs), runs)?;
    let stored = grown.database.number("select count(*) from run")?;
    if stored < runs as f64 {
        return Err(Failure::new(format!("Only {stored} runs were stored.")));
    }
    // It keeps its integrations: what has grown more is held against the same.
    beside("growth_history", |which| match which {
        Which::Small => small.place(generator).flood_with_cost(&small.order),
        Which::Grown => grown.place(generator).flood_with_cost(&grown.order),
    })?;
    Figure::new("run_list_ms", looks(grown)?, "ms")
        .baseline(looks(small)?)
        .print();
    Ok(())
}

/// One of the two sites.
#[derive(Clone, Copy)]
enum Which {
    Small,
    Grown,
}

/// Prints how many runs a second the grown site finishes, by what the small one does right before or
/// after it.
fn beside(name: &'static str, mut flood: impl FnMut(Which) -> Outcome<Flooded>) -> Outcome {
    // A database that was just filled is slower at first.
    flood(Which::Small)?;
    flood(Which::Grown)?;
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (small, grown) = if round % 2 == 0 {
            let grown = flood(Which::Grown)?;
            (flood(Which::Small)?, grown)
        } else {
            (flood(Which::Small)?, flood(Which::Grown)?)
        };
        progress(format_args!(
            "Round {round} of {ROUNDS}: {small} with little, {grown} with much"
        ));
        ratios.push(grown.runs_per_s / small.runs_per_s);
    }
    Figure::new(name, median(ratios), "ratio").goal(0.8).print();
    Ok(())
}

/// Events for all copies of a site, one to each in turn; each flood goes on where the last one ended.
struct Spread {
    flow: Published,
    file: PathBuf,
    paths: Vec<String>,
}

impl Spread {
    fn over(site: &Site, file: PathBuf) -> Outcome<Self> {
        let paths = site.database.query(
            "select '/hooks/' || webhook_token from integration where name like 'Grown %'
             order by md5(webhook_token)",
        )?;
        Ok(Self {
            flow: Published {
                integration: site.order.integration.clone(),
                path: format!("@{}", file.display()),
                body: site.order.body,
            },
            file,
            paths: paths.lines().map(str::to_owned).collect(),
        })
    }

    fn flood(&mut self, place: &Place<'_>) -> Outcome<Flooded> {
        let writing = || format!("writing {}", self.file.display());
        std::fs::write(&self.file, self.paths.join("\n")).context(writing)?;
        let flooded = place.flood_with_cost(&self.flow)?;
        let count = self.paths.len();
        self.paths.rotate_left(flooded.runs as usize % count);
        Ok(flooded)
    }

    fn call_all(&mut self, place: &Place<'_>) -> Outcome {
        let mut called = 0;
        while called < self.paths.len() {
            called += self.flood(place)?.runs as usize;
        }
        Ok(())
    }
}

/// Makes copies from one number to another.
fn grow(site: &Site, statement: &str, (from, to): (usize, usize), all: usize) -> Outcome {
    let begun = Instant::now();
    for first in (from..to).step_by(AT_ONCE) {
        let last = (first + AT_ONCE).min(to);
        let statement = statement
            .replace("BASE", &site.order.integration)
            .replace("FROM, TO", &format!("{}, {last}", first + 1))
            .replace("DAYS", &DAYS.to_string())
            .replace("ALL", &all.to_string());
        site.database.query(&statement)?;
        progress(format_args!(
            "Stored {last} of {to} ({:.0} s)",
            begun.elapsed().as_secs_f64()
        ));
    }
    site.database.query("analyze")?;
    Ok(())
}

/// Returns how long the slowest of the questions takes that people ask of the list of runs.
fn looks(site: &mut Site) -> Outcome<f64> {
    let integration = format!("\"{}\"", site.order.integration);
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
            site.page.call(
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
