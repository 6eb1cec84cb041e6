//! How long one key takes in the search for an action among 10,000.

use std::time::Instant;

use domain::connector::Connector;
use domain::search;
use serde_json::json;

/// Actions that are searched.
const ACTIONS: usize = 10_000;
/// What is typed, letter by letter.
const TYPED: [&str; 4] = ["create issue", "list users", "invoice pdf", "zzzz"];

/// What of an action is searched.
pub(crate) struct Entry(String);

pub(crate) fn entries(connector: &Connector) -> Vec<Entry> {
    let of = |title: &str, group: &str| format!("{title} {group} {}", connector.title);
    connector
        .actions
        .iter()
        .map(|action| Entry(of(&action.title, &action.group)))
        .collect()
}

/// Prints the time of the slowest and of the middle key.
pub(crate) fn measure(entries: &[Entry]) {
    if entries.is_empty() {
        return;
    }
    let texts: Vec<&str> = entries
        .iter()
        .cycle()
        .take(ACTIONS)
        .map(|entry| entry.0.as_str())
        .collect();
    let mut times = Vec::new();
    for typed in TYPED {
        for end in 1..=typed.len() {
            let begun = Instant::now();
            let mut found: Vec<(u32, usize)> = texts
                .iter()
                .enumerate()
                .filter_map(|(at, text)| Some((search::rank(&typed[..end], text)?, at)))
                .collect();
            found.sort_by_key(|(rank, at)| (std::cmp::Reverse(*rank), *at));
            found.truncate(50);
            std::hint::black_box(found);
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    let slowest = times.last().copied().unwrap_or_default();
    crate::print("search_10000_key_ms", json!(median), "ms", json!(16));
    crate::print(
        "search_10000_slowest_key_ms",
        json!(slowest),
        "ms",
        json!(16),
    );
}
