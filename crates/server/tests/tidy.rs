//! The rules of the code base that no compiler checks. Each has a reason in docs/ARCHITECTURE.md
//! or docs/CONTRIBUTING.md.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace is there")
}

/// Returns all files below some folders of the workspace, with paths from its root.
fn files(folders: &[&str], ends: &[&str]) -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    let mut waiting: Vec<_> = folders.iter().map(|folder| root.join(folder)).collect();
    while let Some(path) = waiting.pop() {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() {
            if !["node_modules", "target", "test-results", ".sqlx"].contains(&name) {
                let entries = std::fs::read_dir(&path).expect("it can be read");
                waiting.extend(entries.map(|entry| entry.expect("it can be read").path()));
            }
        } else if ends.iter().any(|end| name.ends_with(end)) {
            let shown = path
                .strip_prefix(&root)
                .expect("it is below")
                .display()
                .to_string();
            // A file that someone is just replacing is looked at the next time.
            if let Ok(text) = std::fs::read_to_string(&path) {
                found.push((shown, text));
            }
        }
    }
    found.sort();
    found
}

fn assert_none(wrong: &[String], rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n{}", wrong.join("\n"));
}

/// Returns the names in a table of a manifest, such as `dependencies`.
fn names(manifest: &str, table: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            inside = header.trim_end_matches(']') == table;
        } else if inside
            && let Some(name) = line
                .split(['.', ' ', '='])
                .next()
                .filter(|name| !name.is_empty())
        {
            names.insert(name.to_owned());
        }
    }
    names
}

#[test]
fn arrows_between_crates_point_down() {
    let allowed: [(&str, &[&str]); 7] = [
        ("domain", &[]),
        ("engine", &["domain"]),
        ("store", &["domain", "engine"]),
        ("app", &["domain", "engine", "store"]),
        ("frontend", &["app", "domain"]),
        ("server", &["app", "domain", "engine", "store"]),
        ("xtask", &[]),
    ];
    let ours: Vec<&str> = allowed.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for (name, below) in allowed {
        let path = root().join("crates").join(name).join("Cargo.toml");
        let manifest = std::fs::read_to_string(path).expect("each crate has a manifest");
        for other in names(&manifest, "dependencies") {
            if ours.contains(&other.as_str()) && !below.contains(&other.as_str()) {
                wrong.push(format!("{name} depends on {other}"));
            }
        }
        if !manifest.contains("[lints]\nworkspace = true") {
            wrong.push(format!("{name} does not take the workspace's lints"));
        }
    }
    let crates = std::fs::read_dir(root().join("crates")).expect("it is there");
    for entry in crates
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !ours.contains(&name.as_str()) {
            wrong.push(format!("{name} is new: say here what it may depend on"));
        }
    }
    let app = std::fs::read_to_string(root().join("crates/app/Cargo.toml")).expect("it is there");
    for server_only in ["engine", "store", "axum"] {
        let line = app
            .lines()
            .find(|line| line.starts_with(&format!("{server_only} =")));
        if line.is_some_and(|line| !line.contains("optional = true")) {
            wrong.push(format!("app brings {server_only} into the browser"));
        }
    }
    assert_none(&wrong, "arrows point down only");
}

#[test]
fn sql_stays_in_store() {
    let mut wrong = Vec::new();
    for name in ["domain", "engine", "app", "frontend", "server", "xtask"] {
        let path = format!("crates/{name}/Cargo.toml");
        let manifest = std::fs::read_to_string(root().join(&path)).expect("it is there");
        if names(&manifest, "dependencies").contains("sqlx") {
            wrong.push(path);
        }
        for (path, text) in files(&[&format!("crates/{name}/src")], &[".rs"]) {
            // xtask measures another system beside ours, in that one's words.
            if name != "xtask" && text.contains("sqlx::query") {
                wrong.push(path);
            }
        }
    }
    assert_none(&wrong, "SQL is written in crates/store only");
}

#[test]
fn domain_knows_no_clock_chance_or_waiting() {
    let forbidden = [
        "async fn",
        "async move",
        "std::time",
        "SystemTime",
        "Instant::now",
        "std::fs",
        "TcpStream",
        "ToSocketAddrs",
        "std::thread",
        "std::env",
        "now_v7",
        "new_v4",
        "getrandom",
    ];
    let mut wrong = Vec::new();
    for (path, text) in files(&["crates/domain/src"], &[".rs"]) {
        if path.ends_with("tests.rs") || path.contains("/tests/") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            if let Some(word) = forbidden.iter().find(|word| line.contains(**word)) {
                wrong.push(format!("{path}: {word}"));
            }
        }
    }
    assert_none(
        &wrong,
        "domain is the same in the browser and on the server",
    );
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let sources = files(
        &["crates", "style", "end2end"],
        &[".rs", ".css", ".ts", ".mjs", ".js", ".sql"],
    );
    assert!(sources.len() > 50, "the sources were found");
    let mut wrong = Vec::new();
    for (path, text) in &sources {
        let lines = text.lines().count();
        // Tests are tables, more to look up in than to read.
        if lines
            > if path.ends_with("tests.rs") {
                1_000
            } else {
                600
            }
        {
            wrong.push(format!(
                "{path} has {lines} lines; split it by what it is for"
            ));
        }
        let is_module = path.ends_with(".rs") && !path.ends_with("tests.rs");
        if is_module && !text.trim_start().starts_with("//!") {
            wrong.push(format!("{path} does not begin with what it is for (`//!`)"));
        }
    }
    assert_none(&wrong, "files are read by people");
}

#[test]
fn names_say_what_is_in_a_file() {
    let empty = [
        "utils", "util", "helpers", "helper", "common", "manager", "misc", "mod",
    ];
    let mut wrong = Vec::new();
    for (path, _) in files(&["crates", "style", "end2end"], &[".rs", ".css", ".ts"]) {
        let parts = Path::new(&path)
            .iter()
            .filter_map(|part| Path::new(part).file_stem()?.to_str());
        if parts.into_iter().any(|part| empty.contains(&part)) {
            wrong.push(path);
        }
    }
    assert_none(&wrong, "a name that fits everything says nothing");
}

#[test]
fn documents_name_what_exists() {
    let tops = ["crates/", "style/", "public/", "end2end/", "docs/", ".ci/"];
    let mut wrong = Vec::new();
    for (path, text) in files(&["docs", "README.md"], &[".md"]) {
        let folder = Path::new(&path)
            .parent()
            .map(|folder| root().join(folder))
            .unwrap_or_default();
        for quoted in text.split('`').skip(1).step_by(2) {
            let named = quoted.trim_end_matches('/');
            let plain = !named.contains([' ', '*', '{', '<', '…', '$']) && !named.contains("NAME");
            if plain
                && tops.iter().any(|top| named.starts_with(top))
                && !root().join(named).exists()
            {
                wrong.push(format!("{path}: `{quoted}`"));
            }
        }
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let target = link.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
                wrong.push(format!("{path}: ({link})"));
            }
        }
    }
    assert_none(&wrong, "documents name files that are there");
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // In two parts, or this file would find itself.
    let places = [concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    let mut wrong = Vec::new();
    let all = [
        ".rs", ".toml", ".css", ".ts", ".mjs", ".js", ".json", ".md", ".sql",
    ];
    for (path, text) in files(
        &[
            "crates", "style", "end2end", "docs", ".cargo", ".ci", "public",
        ],
        &all,
    ) {
        for place in places {
            if text.contains(place) {
                wrong.push(format!("{path}: {place}"));
            }
        }
    }
    assert_none(&wrong, "no path of one machine");
}
