//! How long one key takes in the search for an action among 10,000.

use std::time::Instant;

use domain::connector::{Connector, Index, Line, Shelf};
use serde_json::json;

/// Actions that are searched.
const ACTIONS: usize = 10_000;
/// Rounds of one key, of which the middle one counts.
const ROUNDS: usize = 5;
/// What is typed, letter by letter.
const TYPED: [&str; 4] = ["create issue", "list users", "invoice pdf", "zzzz"];

/// Returns a connector as the search sees it.
pub(crate) fn shelf(connector: &Connector) -> Shelf {
    Shelf {
        connector: connector.key.clone(),
        title: connector.title.clone(),
        icon: connector.icon.clone(),
        actions: connector.actions.iter().map(Line::of).collect(),
    }
}

/// Prints the time of the middle and of the slowest key, when all shelves are searched, some of
/// them several times until there are enough actions.
pub(crate) fn measure(shelves: &[Shelf]) {
    let mut all: Vec<Shelf> = Vec::new();
    let mut left = ACTIONS;
    for shelf in shelves
        .iter()
        .filter(|shelf| !shelf.actions.is_empty())
        .cycle()
    {
        let mut shelf = shelf.clone();
        shelf.actions.truncate(left);
        left -= shelf.actions.len();
        all.push(shelf);
        if left == 0 {
            break;
        }
    }
    let index = Index::new(&all);
    let mut times = Vec::new();
    for typed in TYPED {
        for end in 1..=typed.len() {
            let mut rounds: Vec<f64> = (0..ROUNDS)
                .map(|_| {
                    let begun = Instant::now();
                    std::hint::black_box(index.search(&typed[..end]));
                    begun.elapsed().as_secs_f64() * 1e3
                })
                .collect();
            rounds.sort_by(f64::total_cmp);
            times.push(rounds[ROUNDS / 2]);
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
