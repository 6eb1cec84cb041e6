//! How fast one run gets through very many items, each with a call of its own.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::flow::Page;
use super::load::Seen;
use super::{Place, first_id_of};
use crate::bench::figure::{Figure, median};
use crate::command::{Failure, Outcome, progress};

const ROUNDS: usize = 5;
/// Items of the loop, and without `--full`.
const ITEMS: (usize, usize) = (100_000, 20_000);
/// Rounds of the loop beside each other, as its document says, and connections of the baseline.
const AT_ONCE: usize = 50;
/// How many times as many calls the baselines make, as they are through with them so soon.
const BARE: usize = 5;
/// How often the server's memory is looked at, and how many looks apart the database is asked
/// whether the run has ended: each question costs a process, on the machine that is measured. How
/// long the run took, the database knows by itself.
const LOOKS: (Duration, u32) = (Duration::from_millis(100), 5);
/// A run that takes longer is stuck.
const STUCK: Duration = Duration::from_secs(900);
const DOCUMENT: &str = include_str!("fanout_flow.json");

/// Prints the items a second twice, beside two baselines, and `fanout_rss_mb`: what the server's
/// memory grows by meanwhile.
///
/// - `fanout_items_per_s`: beside a bare client loop: the same calls by the HTTP library that Sluice
///   sends requests with, in as many threads, and without a run. It says what is the engine's: rules,
///   records, limits.
/// - `fanout_socket_items_per_s`: beside the same bytes over bare sockets, in one thread that reads of
///   the answer only its length. Nobody who speaks HTTP properly gets there: it says what the machine
///   can do.
pub(super) fn measure(place: &Place<'_>, page: &mut Page, full: bool) -> Outcome {
    let items = if full { ITEMS.0 } else { ITEMS.1 };
    // Ends with this function.
    let (_bare, address) = place.generator.serve()?;
    page.call("set_network", r#"{"allowed":["127.0.0.0/8"]}"#)?;
    let document = DOCUMENT
        .replace("COUNT", &items.to_string())
        .replace("ADDRESS", &address.to_string());
    let flow = page.publish(place.database, "fanout", &document, "{}")?;
    // What is kept between runs, such as connections, is not what a run costs.
    fan_out(place, page, &flow.path, items)?;
    let (mut rates, mut grown) = (Vec::new(), Vec::new());
    let (mut sockets, mut clients) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let calls = items * BARE;
        let socket = rate(place.generator.calls(address, calls, AT_ONCE)?, calls)?;
        let seen = place.generator.library_calls(address, calls, AT_ONCE)?;
        let client = rate(seen, calls)?;
        let (items_per_s, megabytes) = fan_out(place, page, &flow.path, items)?;
        progress(format_args!(
            "Round {round} of {ROUNDS}: {items_per_s:.0} items/s, {client:.0} calls/s of the library, {socket:.0} calls/s of bare sockets, {megabytes:.1} MB more"
        ));
        rates.push(items_per_s);
        sockets.push(socket);
        clients.push(client);
        grown.push(megabytes);
    }
    let items_per_s = median(rates);
    Figure::new("fanout_items_per_s", items_per_s, "1/s")
        .baseline(median(clients))
        .goal(0.5)
        .print();
    Figure::new("fanout_socket_items_per_s", items_per_s, "1/s")
        .baseline(median(sockets))
        .print();
    Figure::new("fanout_rss_mb", median(grown), "MB").print();
    Ok(())
}

/// Returns the calls a second of a client that does nothing else.
fn rate(seen: Seen, calls: usize) -> Outcome<f64> {
    let seen = seen.whole()?;
    if seen.answered < calls as f64 {
        return Err(Failure::new("The bare server did not answer each call."));
    }
    Ok(seen.answered / seen.seconds)
}

/// Runs the flow once; returns its items a second, and by how many MB the server grew at most.
fn fan_out(place: &Place<'_>, page: &mut Page, path: &str, items: usize) -> Outcome<(f64, f64)> {
    let first = first_id_of(SystemTime::now());
    let before = place.server.resident_mb()?;
    let mut most = before;
    page.post(path, "{}")?;
    let begun = Instant::now();
    let ended = format!("select count(finished_at) from run where run_id >= '{first}'");
    while place.database.number(&ended)? < 1.0 {
        if begun.elapsed() > STUCK {
            return Err(Failure::new("The loop does not come to its end."));
        }
        for _ in 0..LOOKS.1 {
            most = most.max(place.server.resident_mb()?);
            thread::sleep(LOOKS.0);
        }
    }
    let row = place.database.query(&format!(
        "select state, extract(epoch from finished_at - started_at), coalesce(error, '')
         from run where run_id >= '{first}'"
    ))?;
    let seconds = row
        .strip_prefix("succeeded|")
        .and_then(|rest| rest.split('|').next()?.parse::<f64>().ok())
        .ok_or_else(|| Failure::new(format!("The loop did not succeed: `{row}`.")))?;
    let items = items as f64;
    Ok((items / seconds, most - before))
}
