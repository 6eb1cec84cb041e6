//! What an action is called, under which heading it stands, and by which words it is found.

use serde_json::{Map, Value};

use super::action::{Source, text_of};
use super::words;
use crate::limit;

pub(super) fn title(source: Source<'_>) -> String {
    let summary = words::plain(text_of(source.operation, "summary"), limit::NAME);
    let summary = summary.trim_end_matches('.');
    if !summary.is_empty() {
        return summary.to_owned();
    }
    let named = words::plain(
        &words::label(text_of(source.operation, "operationId")),
        limit::NAME,
    );
    if !named.is_empty() {
        return named;
    }
    words::plain(
        &format!("{} {}", source.method.word(), source.path),
        limit::NAME,
    )
}

pub(super) fn description(operation: &Map<String, Value>) -> String {
    words::plain(text_of(operation, "description"), 500)
}

fn tags<'a>(source: Source<'a>) -> impl Iterator<Item = &'a str> {
    let tags = source.operation.get("tags").and_then(Value::as_array);
    tags.into_iter().flatten().filter_map(Value::as_str)
}

fn literals(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter(|segment| !segment.is_empty() && !segment.contains(['{', '}']))
}

pub(super) fn group(source: Source<'_>) -> String {
    let tag = tags(source).next();
    let is_version = |segment: &&str| {
        *segment == "api"
            || segment.starts_with('v') && segment[1..].starts_with(|c: char| c.is_ascii_digit())
    };
    let name = tag.or_else(|| literals(source.path).find(|segment| !is_version(segment)));
    let name = name.unwrap_or_default();
    let name = if tag.is_some() && name.contains(' ') {
        name.to_owned()
    } else {
        words::label(name)
    };
    words::plain(&name, 80)
}

pub(super) fn keywords(source: Source<'_>) -> Vec<String> {
    let mut keywords: Vec<String> = Vec::new();
    let id = words::of_name(text_of(source.operation, "operationId"));
    let of_path = literals(source.path).flat_map(words::of_name);
    for word in tags(source)
        .flat_map(words::of_name)
        .chain(of_path)
        .chain(id)
    {
        let word = word.to_lowercase();
        if (2..=40).contains(&word.chars().count())
            && !keywords.contains(&word)
            && keywords.len() < 16
        {
            keywords.push(word);
        }
    }
    keywords
}
