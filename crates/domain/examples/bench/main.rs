//! Times validation, edits, comparisons and merges of a large document: `cargo run -p domain --release --example bench`.
//!
//! Prints one JSON object a line for each figure. With `--write FILE` it also keeps the document
//! and the edits, so that the browser is timed on the same ones.

mod apart;
mod large;

use std::io::Write;
use std::time::Instant;

use domain::{change, probe};
use serde_json::{Value, json};

const ROUNDS: usize = 200;
const WARM_UP: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (document, edits) = large::document(1000, 5);
    let merges = [apart::request(1000), apart::request(4000)];
    let request = json!({ "document": document, "edits": edits });
    let pairs = [1000, 4000].map(|steps| {
        let (document, after) = large::edited_pair(steps, 5);
        let edits = change::edits(&document, &after);
        json!({ "document": document, "after": after, "edits": edits, "copies": 8000 / steps })
    });
    let mut words = std::env::args().skip(1);
    match (words.next().as_deref(), words.next()) {
        (None, None) => {}
        (Some("--write"), Some(file)) => {
            if let Some(folder) = std::path::Path::new(&file).parent() {
                std::fs::create_dir_all(folder)?;
            }
            let mut written = request.clone();
            written["pairs"] = json!(pairs);
            written["merges"] = json!(merges);
            written["sizes"] = json!({
                "20": large::document(20, 2).0,
                "1000": document,
                "5000": large::document(5000, 5).0,
            });
            std::fs::write(file, written.to_string())?;
        }
        _ => return Err("usage: bench [--write FILE]".into()),
    }
    let begun = Instant::now();
    let clock = || begun.elapsed().as_secs_f64() * 1e6;
    let mut out = std::io::stdout();
    let time = |name: &str, request: &Value| {
        let mut request = request.clone();
        request["verb"] = json!("bench");
        request["name"] = json!(name);
        request["rounds"] = json!(ROUNDS + WARM_UP);
        times(&probe::answer(&request.to_string(), &clock))
    };
    for (name, small, large) in [
        ("validate", &request, None),
        ("apply", &request, None),
        ("diff", &pairs[0], Some(&pairs[1])),
        ("merge", &merges[0], Some(&merges[1])),
    ] {
        let (median, fastest) = time(name, small)?;
        writeln!(
            out,
            r#"{{"figure":"{name}_1000_native_us","value":{median:.1},"unit":"us"}}"#
        )?;
        if let Some(large) = large {
            let growth = time(name, large)?.1 / fastest;
            eprintln!("{name} of 4,000 steps takes {growth:.1} times as long");
        }
    }
    for name in ["outline", "notes", "edits_between"] {
        eprintln!("{name:<16} {:>8.1} us", time(name, &pairs[0])?.0);
    }
    for edit in &edits {
        let request = json!({ "verb": "bench", "name": "apply", "rounds": ROUNDS, "document": document, "edits": [edit] });
        let kind = edit
            .as_object()
            .and_then(|edit| edit.keys().next())
            .cloned()
            .unwrap_or_default();
        let (median, _) = times(&probe::answer(&request.to_string(), &clock))?;
        eprintln!("{kind:<16} {median:>8.1} us");
    }
    Ok(())
}

/// Returns the time of the round in the middle and of the fastest one.
fn times(answer: &str) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let answer: Value = serde_json::from_str(answer)?;
    if answer["problems"] != 0 {
        return Err(format!("the document is not clean: {answer}").into());
    }
    let times = answer["us"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_f64);
    let mut times: Vec<f64> = times.skip(WARM_UP).collect();
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], times[0]))
}
