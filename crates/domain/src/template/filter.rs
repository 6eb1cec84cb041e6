//! The filters that are our own: dates, and texts for addresses and titles. Each is pure, and takes
//! time in proportion to what it is given.

use minijinja::{Environment, Error, ErrorKind};

use super::date::Date;

/// Adds the filters to an environment.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("date_add", date_add);
    environment.add_filter("date_format", date_format);
    environment.add_filter("date_offset", date_offset);
    environment.add_filter("date_parse", date_parse);
    environment.add_filter("html", html);
    environment.add_filter("slug", slug);
    environment.add_filter("truncate", truncate);
}

fn refused(message: String) -> Error {
    let message = message.trim_end_matches('.').to_owned();
    Error::new(ErrorKind::InvalidOperation, message)
}

fn date_add(date: &str, amount: i64, unit: &str) -> Result<String, Error> {
    let later = Date::read(date).and_then(|date| date.plus(amount, unit));
    later.map(|date| date.to_string()).map_err(refused)
}

fn date_format(date: &str, pattern: &str) -> Result<String, Error> {
    let written = Date::read(date).and_then(|date| date.write(pattern));
    written.map_err(refused)
}

fn date_offset(date: &str, offset: &str) -> Result<String, Error> {
    let there = Date::read(date).and_then(|date| date.at_offset(offset));
    there.map(|date| date.to_string()).map_err(refused)
}

fn date_parse(text: &str, pattern: &str) -> Result<String, Error> {
    let date = Date::parse(text, pattern);
    date.map(|date| date.to_string()).map_err(refused)
}

/// What could begin a tag, an entity or the end of an attribute is written as an entity.
fn html(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\'' => written.push_str("&#39;"),
            character => written.push(character),
        }
    }
    written
}

/// Letters and digits of any script stay, in small letters; all else becomes one `-`.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        if character.is_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// Cuts a text to so many letters, the last of which is `…` when something was left out.
fn truncate(text: &str, length: usize) -> String {
    if text.chars().nth(length).is_none() {
        return text.to_owned();
    }
    let kept = text.chars().take(length.saturating_sub(1));
    kept.chain((length > 0).then_some('…')).collect()
}
