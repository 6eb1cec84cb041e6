//! Imports descriptions of services and calls every action against a mock that is made of the
//! same description: `cargo run --release -p engine --example openapi -- NAME=FILE…`.
//!
//! The mock reads the description by itself, so that the importer can be found wrong. Prints a
//! table on standard error and one JSON object a line for each figure on standard output.

mod caller;
mod mock;
mod parse;
mod raw;
mod route;
mod search;
mod wire;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use domain::connector::Shelf;
use domain::connector::openapi::{self, Report};
use serde_json::json;

use caller::{Called, Caller};
use mock::Mock;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Rounds of the largest import, after one that warms up.
const ROUNDS: usize = 5;
/// Failures of one document that are told.
const TOLD: usize = 5;

struct Row {
    name: String,
    bytes: usize,
    report: Report,
    called: Called,
    milliseconds: f64,
}

#[tokio::main]
async fn main() -> Outcome {
    // Another is there already when this is called twice: either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, file] = &words[..]
        && flag == "--measure"
    {
        return measure(file);
    }
    let mut rows = Vec::new();
    let mut shelves = Vec::new();
    for word in &words {
        let (name, file) = word.split_once('=').ok_or("usage: openapi NAME=FILE…")?;
        let (row, shelf) = prove(name, file).await?;
        eprintln!("{}", line(&row));
        for failed in row.called.failed.iter().take(TOLD) {
            eprintln!("    not called: {failed}");
        }
        for left in row.report.left_out.iter().take(TOLD) {
            eprintln!("    left out: {left}");
        }
        rows.push(row);
        shelves.push(shelf);
    }
    eprintln!("{}", total(&rows));
    let sum = |of: fn(&Row) -> usize| rows.iter().map(of).sum::<usize>();
    let operations = sum(|row| row.report.operations);
    print("documents", json!(rows.len()), "", json!(10));
    print("operations", json!(operations), "", json!(null));
    let least = (0.99 * operations as f64).ceil();
    print(
        "imported",
        json!(sum(|row| row.report.imported)),
        "",
        json!(least),
    );
    print(
        "called_ok",
        json!(sum(|row| row.called.ok)),
        "",
        json!(least),
    );
    let worst = |of: fn(&Row) -> usize| {
        let shares = rows
            .iter()
            .map(|row| 100.0 * of(row) as f64 / row.report.operations.max(1) as f64);
        shares.fold(100.0, f64::min)
    };
    print(
        "worst_imported",
        json!(worst(|row| row.report.imported)),
        "%",
        json!(99),
    );
    print(
        "worst_called_ok",
        json!(worst(|row| row.called.ok)),
        "%",
        json!(99),
    );
    let largest = words
        .iter()
        .filter_map(|word| word.split_once('='))
        .max_by_key(|(_, file)| std::fs::metadata(file).map_or(0, |about| about.len()));
    if let Some((_, file)) = largest {
        // In a process of its own, whose peak of memory is that of this import alone.
        let child = Command::new(std::env::current_exe()?)
            .args(["--measure", file])
            .output()?;
        std::io::stdout().write_all(&child.stdout)?;
    }
    search::measure(&shelves);
    Ok(())
}

/// Prints a figure. A reader that went away is no reason to fail.
pub(crate) fn print(figure: &str, value: serde_json::Value, unit: &str, goal: serde_json::Value) {
    let mut line = json!({ "figure": figure, "value": value, "unit": unit });
    if !goal.is_null() {
        line["goal"] = goal;
    }
    let _ = writeln!(std::io::stdout(), "{line}");
}

async fn prove(name: &str, file: &str) -> Outcome<(Row, Shelf)> {
    let text = std::fs::read_to_string(file)?;
    let begun = Instant::now();
    let document = openapi::read(&text).map_err(|why| format!("{name}: {why}"))?;
    let (connector, report) =
        openapi::import(&document, None).map_err(|why| format!("{name}: {why}"))?;
    let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
    if let Err(faults) = connector.check() {
        return Err(format!("{name}: what was imported is refused: {}", faults[0]).into());
    }
    let mock = Arc::new(Mock::new(document));
    if mock.operations() != report.operations {
        return Err(format!(
            "{name}: {} operations are counted, there are {}",
            report.operations,
            mock.operations()
        )
        .into());
    }
    let (listener, address) = wire::open().await?;
    let answering = Arc::clone(&mock);
    let serving = tokio::spawn(wire::serve(
        listener,
        Arc::new(move |request| answering.answer(request)),
    ));
    let called = Caller::new(format!("http://{address}"))
        .call_all(&connector)
        .await;
    serving.abort();
    let shelf = search::shelf(&connector);
    let row = Row {
        name: name.to_owned(),
        bytes: text.len(),
        report,
        called,
        milliseconds,
    };
    Ok((row, shelf))
}

/// Measures reading and importing one document, and the memory that it takes at most.
fn measure(file: &str) -> Outcome {
    let text = std::fs::read_to_string(file)?;
    let mut times = Vec::new();
    let mut peak = 0.0;
    for round in 0..=ROUNDS {
        let begun = Instant::now();
        let document = openapi::read(&text)?;
        let imported = openapi::import(&document, None)?;
        if round == 0 {
            peak = peak_mb()?;
        } else {
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        drop(imported);
    }
    times.sort_by(f64::total_cmp);
    print(
        "import_largest_ms",
        json!(times[times.len() / 2]),
        "ms",
        json!(null),
    );
    print("import_largest_mb", json!(peak), "MB", json!(null));
    print("largest_bytes", json!(text.len()), "bytes", json!(null));
    Ok(())
}

/// Returns the most memory that this process has had, as the system counts it.
fn peak_mb() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes / 1024.0)
}

fn line(row: &Row) -> String {
    format!(
        "{:<28} {:>8} KiB  OpenAPI {:<6} {:>5} operations  {:>5} imported  {:>5} called  {:>4} left out  {:>6.0} ms",
        row.name,
        row.bytes / 1024,
        row.report.version,
        row.report.operations,
        row.report.imported,
        row.called.ok,
        row.report.left_out.len(),
        row.milliseconds,
    )
}

fn total(rows: &[Row]) -> String {
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        let kind = row.report.version.get(..3).unwrap_or(&row.report.version);
        *versions.entry(kind).or_default() += 1;
    }
    let versions: Vec<String> = versions
        .iter()
        .map(|(kind, count)| format!("{count} of {kind}"))
        .collect();
    let sum = |of: fn(&Row) -> usize| rows.iter().map(of).sum::<usize>();
    format!(
        "{} documents ({}): {} operations, {} imported, {} called",
        rows.len(),
        versions.join(", "),
        sum(|row| row.report.operations),
        sum(|row| row.report.imported),
        sum(|row| row.called.ok),
    )
}
