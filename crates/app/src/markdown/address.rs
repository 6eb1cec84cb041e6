//! Addresses that a link in someone's words may have.

/// Schemes that a link may lead to; without a scheme it stays on this site.
const SCHEMES: [&str; 3] = ["http", "https", "mailto"];

/// Where a link leads: a web page, a mail address, or a place on this site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address(String);

impl Address {
    /// Returns the address, unless a browser could take it for something that acts.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        // A browser leaves out tabs and line breaks, also within a scheme, and turns `\` into `/`.
        let is_odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
        if text.is_empty() || text.contains(is_odd) {
            return None;
        }
        let first = text.split(['/', '?', '#']).next().unwrap_or_default();
        let is_known = match first.split_once(':') {
            Some((scheme, _)) => SCHEMES.iter().any(|s| s.eq_ignore_ascii_case(scheme)),
            None => true,
        };
        is_known.then(|| Self(text.to_owned()))
    }

    /// Returns it as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it may lead away from this site.
    pub(crate) fn leads_away(&self) -> bool {
        self.0.starts_with("//")
            || self
                .0
                .split(['/', '?', '#'])
                .next()
                .is_some_and(|first| first.contains(':'))
    }
}

/// Splits a text at the web addresses in it.
pub(super) fn split(text: &str) -> Vec<(&str, Option<Address>)> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((start, end)) = next(rest) {
        if start > 0 {
            parts.push((&rest[..start], None));
        }
        let word = &rest[start..end];
        parts.push((word, Address::of(word)));
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        parts.push((rest, None));
    }
    parts
}

/// Returns where the next web address begins and ends.
fn next(text: &str) -> Option<(usize, usize)> {
    let starts = text.match_indices("http").map(|(start, _)| start);
    let mut starts = starts.filter(|start| !text[..*start].ends_with(char::is_alphanumeric));
    starts.find_map(|start| {
        let word = &text[start..];
        let schemes = ["https://", "http://"];
        let host = schemes.iter().find_map(|s| word.strip_prefix(s))?;
        host.starts_with(|c: char| c.is_alphanumeric() || c == '[')
            .then_some(())?;
        let end = word.find(|c: char| c.is_whitespace() || c == '<');
        // What ends a sentence is not part of the address in it.
        let marks = ['.', ',', ';', ':', '!', '?', ')', '"', '\''];
        let length = word[..end.unwrap_or(word.len())]
            .trim_end_matches(marks)
            .len();
        Some((start, start + length))
    })
}
