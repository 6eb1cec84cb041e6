//! Finds expressions in a text, and what they refer to with the places.
//!
//! MiniJinja tells which names an expression uses but not where they stand; a rename must
//! rewrite them in place. [`super::grammar`] reads one expression; here is what is around it.

use std::ops::Range;

use super::fault::Fault;
use super::grammar::{self, CallKind, Found};
use super::{TemplateError, token};
use crate::limit;

/// What was found in one expression.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// The values it uses.
    pub references: Vec<Reference>,
    /// The filters and functions it uses.
    pub calls: Vec<Call>,
    /// MiniJinja takes it, without being asked.
    pub(super) plain: bool,
}

/// A value that an expression uses, such as `steps.order.body.id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The names, as far as they are written out: `["steps", "order", "body", "id"]`.
    pub path: Vec<String>,
    /// Where it stands, as a range of bytes of the whole text.
    pub at: Range<usize>,
}

/// A filter or function that an expression uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// A filter stands behind `|`; a function has `(` behind it.
    pub is_filter: bool,
    /// Where its name stands, as a range of bytes of the whole text.
    pub at: Range<usize>,
}

impl Scanned {
    /// `offset` is what places are shifted by.
    fn of(found: &Found<'_>, offset: usize, plain: bool) -> Self {
        let shifted = |at: &Range<usize>| at.start + offset..at.end + offset;
        let references = found.references().map(|(names, mention)| Reference {
            path: names.iter().map(|name| (*name).to_owned()).collect(),
            at: shifted(&mention.at),
        });
        let calls = found
            .calls
            .iter()
            .filter(|call| call.kind != CallKind::Test);
        let calls = calls.map(|call| Call {
            name: call.name.to_owned(),
            is_filter: call.kind == CallKind::Filter,
            at: shifted(&call.at),
        });
        Self {
            references: references.collect(),
            calls: calls.collect(),
            plain,
        }
    }
}

/// One `{{ … }}` of a text, as ranges of bytes.
#[derive(Debug)]
pub(super) struct Piece {
    /// With the braces.
    pub(super) outer: Range<usize>,
    /// Without them.
    pub(super) inner: Range<usize>,
}

/// The expressions of a text, in order. Braces and quotes inside an expression are respected.
pub(super) struct Pieces<'a> {
    pub(super) text: &'a str,
    pub(super) from: usize,
}

/// Returns the expressions of a text, or that the text is too long.
pub(super) fn pieces(text: &str) -> Result<Pieces<'_>, TemplateError> {
    check_length(text)?;
    Ok(Pieces { text, from: 0 })
}

fn check_length(text: &str) -> Result<(), TemplateError> {
    if text.len() <= limit::TEMPLATE_BYTES {
        return Ok(());
    }
    let message = format!(
        "The text has {} bytes. At most {} are allowed.",
        text.len(),
        limit::TEMPLATE_BYTES
    );
    Err(TemplateError { message, at: 0..0 })
}

/// Returns whether a text may hold expressions.
pub(crate) fn has_expressions(text: &str) -> bool {
    opening(text.as_bytes(), 0).is_some()
}

/// Returns where the next `{{` is.
pub(super) fn opening(bytes: &[u8], mut from: usize) -> Option<usize> {
    while let Some(found) = bytes.get(from..)?.iter().position(|byte| *byte == b'{') {
        from += found + 1;
        if bytes.get(from) == Some(&b'{') {
            return Some(from - 1);
        }
    }
    None
}

impl Iterator for Pieces<'_> {
    type Item = Result<Piece, TemplateError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let start = opening(bytes, self.from)?;
        Some(match end_of_expression(bytes, start + 2) {
            Ok(end) => {
                self.from = end + 2;
                Ok(Piece {
                    outer: start..end + 2,
                    inner: start + 2..end,
                })
            }
            Err(open_quote) => {
                self.from = bytes.len();
                let (message, at) = match open_quote {
                    Some(quote) => (Fault::OpenQuote.to_string(), quote..quote + 1),
                    None => {
                        let message = "`{{` is not closed. Write `}}` behind the expression.";
                        (message.to_owned(), start..start + 2)
                    }
                };
                Err(TemplateError { message, at })
            }
        })
    }
}

/// Returns where the closing `}}` starts, or else the quote that hides it, if one does.
pub(super) fn end_of_expression(bytes: &[u8], from: usize) -> Result<usize, Option<usize>> {
    let mut depth = 0_usize;
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => {
                at = token::end_of_text(bytes, at, quote).ok_or(Some(at))?.0;
            }
            b'{' => depth += 1,
            b'}' if depth > 0 => depth -= 1,
            b'}' if bytes.get(at + 1) == Some(&b'}') => return Ok(at),
            _ => {}
        }
        at += 1;
    }
    Err(None)
}

/// Returns where the one expression of a condition stands.
pub(super) fn condition(text: &str) -> Result<Range<usize>, TemplateError> {
    check_length(text)?;
    let trimmed = text.trim();
    let start = text.len() - text.trim_start().len();
    let whole = start..start + trimmed.len();
    if !trimmed.starts_with("{{") {
        return Ok(whole);
    }
    let mut pieces = pieces(text)?;
    match (pieces.next().transpose()?, pieces.next()) {
        (Some(only), None) if only.outer == whole => Ok(only.inner),
        _ => Err(TemplateError {
            message: "A condition is one expression, without text beside it.".to_owned(),
            at: whole,
        }),
    }
}

/// Scans one expression; `offset` is where it starts in the whole text.
pub fn scan(source: &str, offset: usize) -> Scanned {
    let mut found = Found::default();
    let plain = grammar::read(source, 0, &mut found);
    Scanned::of(&found, offset, plain == Ok(true))
}

/// Reads one expression of a text and asks MiniJinja where the answer is not sure.
pub(super) fn read_piece<'a>(
    text: &'a str,
    inner: Range<usize>,
    found: &mut Found<'a>,
) -> Result<bool, TemplateError> {
    if text[inner.clone()].trim_ascii().is_empty() {
        let message = "The expression is empty. Put a value between {{ and }}.".to_owned();
        return Err(TemplateError { message, at: inner });
    }
    grammar::read(&text[..inner.end], inner.start, found).map_err(|refused| {
        let (fault, at) = *refused;
        TemplateError {
            message: fault.to_string(),
            at,
        }
    })
}

/// What a text turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// How many expressions it holds.
    pub(crate) count: usize,
    /// It is one expression and nothing else, so that the value keeps its type.
    pub(crate) whole: bool,
}

/// Reads a text, collecting what its expressions use.
///
/// # Errors
/// As [`super::Template::parse`].
pub(crate) fn read<'a>(text: &'a str, found: &mut Found<'a>) -> Result<Read, TemplateError> {
    let mut read = Read {
        count: 0,
        whole: false,
    };
    let mut from = 0;
    while let Some(start) = opening(text.as_bytes(), from) {
        if read.count == 0 {
            check_length(text)?;
        }
        let (references, calls) = (found.count(), found.calls.len());
        let end = match grammar::read_within(text, start + 2, found) {
            Some((end, true)) => end,
            _ => {
                // Once more, with an eye on where it ends and on what to say.
                found.cut(references, calls);
                let mut pieces = Pieces { text, from: start };
                let Some(piece) = pieces.next().transpose()? else {
                    break;
                };
                read_one(text, piece.inner.clone(), found)?;
                piece.inner.end
            }
        };
        from = end + 2;
        read.whole = read.count == 0 && start == 0 && from == text.len();
        read.count += 1;
    }
    Ok(read)
}

/// Reads a condition, collecting what it uses.
///
/// # Errors
/// As [`super::Template::parse_condition`].
pub(crate) fn read_condition<'a>(
    text: &'a str,
    found: &mut Found<'a>,
) -> Result<(), TemplateError> {
    read_one(text, condition(text)?, found).map(drop)
}

pub(super) fn read_one<'a>(
    text: &'a str,
    inner: Range<usize>,
    found: &mut Found<'a>,
) -> Result<bool, TemplateError> {
    let sure = read_piece(text, inner.clone(), found)?;
    if !sure {
        super::check_syntax(&text[inner.clone()], inner)?;
    }
    Ok(sure)
}

/// Checks a text without keeping what was parsed; same answer as [`super::Template::parse`], faster.
///
/// # Errors
/// As [`super::Template::parse`].
pub fn check(text: &str) -> Result<Vec<Scanned>, TemplateError> {
    pieces(text)?
        .map(|piece| check_one(text, piece?.inner))
        .collect()
}

/// Checks a condition; same answer as [`super::Template::parse_condition`].
///
/// # Errors
/// As [`super::Template::parse_condition`].
pub fn check_condition(text: &str) -> Result<Scanned, TemplateError> {
    check_one(text, condition(text)?)
}

fn check_one(text: &str, inner: Range<usize>) -> Result<Scanned, TemplateError> {
    let mut found = Found::default();
    let plain = read_one(text, inner, &mut found)?;
    Ok(Scanned::of(&found, 0, plain))
}

/// Tells the new slugs of steps that get one.
pub(crate) struct Rename<'a> {
    /// The only slugs that matter, if they are few: texts without them are not read. Where it is
    /// empty, `of` is asked.
    pub(crate) among: &'a [&'a str],
    /// Returns the new slug for one that changes.
    pub(crate) of: &'a dyn Fn(&str) -> Option<&'a str>,
}

impl Rename<'_> {
    /// Returns whether a text may refer to one of the slugs: a glance, without reading it.
    pub(crate) fn concerns(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(found) = bytes[at..].iter().position(|byte| *byte == b's') {
            at += found + 1;
            let Some(mut rest) = bytes[at..].strip_prefix(b"teps") else {
                continue;
            };
            let mut quote = None;
            while let [first @ (b'.' | b'[' | b'"' | b'\'' | 0..=b' '), ..] = rest {
                quote = Some(*first)
                    .filter(|byte| matches!(byte, b'"' | b'\''))
                    .or(quote);
                rest = &rest[1..];
            }
            let may_be = |slug: &&str| rest.starts_with(slug.as_bytes());
            let is_meant = if self.among.is_empty() {
                self.may_begin(&text[text.len() - rest.len()..], quote)
            } else {
                self.among.iter().any(may_be)
            };
            if is_meant {
                return true;
            }
        }
        false
    }

    /// Returns whether a text may begin with one of the slugs; `quote` is what stands before it.
    fn may_begin(&self, text: &str, quote: Option<u8>) -> bool {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let bytes = text.as_bytes();
        let end = bytes
            .iter()
            .position(|byte| !is_part(byte))
            .unwrap_or(bytes.len());
        // In quotes, and beyond what slugs are made of, it takes reading.
        let is_clear = match bytes.get(end) {
            None => true,
            Some(byte) => byte.is_ascii() && quote.is_none_or(|quote| quote == *byte),
        };
        !is_clear || (self.of)(&text[..end]).is_some()
    }
}

/// Returns the text with every reference to `steps.<from>` turned into `steps.<to>`, or `None`
/// when it has no such reference. Reaches references in a text that is not whole yet, up to the
/// first `{{` that is not closed.
pub fn rename_step(text: &str, from: &str, to: &str, is_condition: bool) -> Option<String> {
    let of = |slug: &str| (slug == from).then_some(to);
    renamed_text(
        text,
        is_condition,
        &Rename {
            among: &[from],
            of: &of,
        },
    )
}

/// Renames several steps at once, as [`rename_step`] does one.
pub(crate) fn renamed_text(text: &str, is_condition: bool, rename: &Rename<'_>) -> Option<String> {
    if !rename.concerns(text) {
        return None;
    }
    rewritten_text(text, is_condition, |names| match names {
        ["steps", slug, ..] => (rename.of)(slug).map(|to| Anew::Second(to.to_owned())),
        _ => None,
    })
}

/// What a reference turns into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Anew {
    /// Its second name becomes this one.
    Second(String),
    /// So many of its names, from the first on, become this path.
    Path(usize, String),
}

/// Returns the text with its references turned into what is said of their names, or `None` when
/// none of them is. Reaches as far as [`rename_step`] does.
pub(crate) fn rewritten_text(
    text: &str,
    is_condition: bool,
    mut anew: impl FnMut(&[&str]) -> Option<Anew>,
) -> Option<String> {
    let mut found = Found::default();
    if is_condition && !text.trim_start().starts_with("{{") {
        let _ = grammar::read(text, 0, &mut found);
    } else {
        // Also in a text that is too long: what is written there stays right for when it is cut.
        for piece in (Pieces { text, from: 0 }).flatten() {
            let _ = grammar::read(&text[..piece.inner.end], piece.inner.start, &mut found);
        }
    }
    let mut rewritten = String::new();
    let mut end_of_last = 0;
    for (names, mention) in found.references() {
        let (at, to) = match (anew(names), &mention.second) {
            (Some(Anew::Second(to)), Some(second)) => (second.clone(), to),
            (Some(Anew::Path(count, to)), _) => {
                let Some(last) = names.get(..count).and_then(<[_]>::last) else {
                    continue;
                };
                (mention.at.start..behind(text, end_of(text, last)), to)
            }
            _ => continue,
        };
        rewritten.push_str(&text[end_of_last..at.start]);
        rewritten.push_str(&to);
        end_of_last = at.end;
    }
    if end_of_last == 0 {
        return None;
    }
    rewritten.push_str(&text[end_of_last..]);
    Some(rewritten)
}

/// Returns where a part of a text ends in it.
fn end_of(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr() + part.len()
}

/// Returns where a name ends with what closes it: the quote and the bracket of `steps["order"]`.
fn behind(text: &str, name_end: usize) -> usize {
    let rest = &text[name_end..];
    rest.strip_prefix(['"', '\''])
        .and_then(|rest| rest.trim_start().strip_prefix(']'))
        .map_or(name_end, |rest| text.len() - rest.len())
}
