//! Which words of a text changed.
//!
//! A word is never cut, so neither is a name in an expression. Long texts are compared line by
//! line first, and then only the lines that changed word by word.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::limit;

/// A part of two texts that were compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Which of the texts it is in.
    pub kind: PieceKind,
    /// What it says.
    pub text: String,
}

/// Which of two texts a part is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PieceKind {
    /// In both.
    Same,
    /// In the later one only.
    Added,
    /// In the earlier one only.
    Deleted,
}

/// Longest sign that is not worth showing as the same between two changes, in bytes.
const SLIGHT: usize = 3;
/// Longest text that is not worth it when the changes around it are longer still.
const SHORT: usize = 24;
/// Most words of a line that decide how alike it is to another.
const COUNTED: usize = 200;
/// How alike two lines have to be to be compared word by word, of 100.
const ALIKE: usize = 40;

/// Compares two texts word by word; what was deleted comes before what was added in its place.
///
/// The parts that are the same or deleted make up `before`; those that are the same or added make
/// up `after`. Bounded by [`limit::DIFF_WORDS`], [`limit::DIFF_PAIRS`] and [`limit::DIFF_LINES`].
pub fn words(before: &str, after: &str) -> Vec<Piece> {
    let mut spans = Vec::new();
    if before.contains('\n') && after.contains('\n') || !is_short(before) || !is_short(after) {
        compare_lines(before, after, &mut spans);
    } else {
        compare_words(before, after, &mut spans);
    }
    pieces(&spans)
}

/// A part of two texts: the same in both, or replaced.
#[derive(Clone, Copy)]
struct Span<'a> {
    is_same: bool,
    before: &'a str,
    after: &'a str,
}

fn is_short(text: &str) -> bool {
    tokens(text).nth(limit::DIFF_WORDS).is_none()
}

fn compare_words<'a>(before: &'a str, after: &'a str, spans: &mut Vec<Span<'a>>) {
    if is_short(before) && is_short(after) {
        let (old, new): (Vec<_>, Vec<_>) = (tokens(before).collect(), tokens(after).collect());
        spans.extend(without_slight(align((before, &old), (after, &new), true)));
    } else {
        spans.push(Span {
            is_same: false,
            before,
            after,
        });
    }
}

/// Compares long texts: of the lines that differ, those that are alike word by word.
fn compare_lines<'a>(before: &'a str, after: &'a str, spans: &mut Vec<Span<'a>>) {
    let lines = |text: &'a str| -> Vec<&'a str> { text.split_inclusive('\n').collect() };
    let (old, new) = (lines(before), lines(after));
    if old.len().max(new.len()) > limit::DIFF_LINES {
        spans.push(Span {
            is_same: false,
            before,
            after,
        });
    } else if old.len().saturating_mul(new.len()) <= limit::DIFF_PAIRS {
        pair_lines(&old, &new, spans);
    } else {
        for span in align((before, &old), (after, &new), false) {
            if span.is_same {
                spans.push(span);
            } else {
                pair_lines(&lines(span.before), &lines(span.after), spans);
            }
        }
    }
}

/// Compares lines with those that are most alike.
fn pair_lines<'a>(old: &[&'a str], new: &[&'a str], spans: &mut Vec<Span<'a>>) {
    let bags =
        |lines: &[&'a str]| -> Vec<Vec<&'a str>> { lines.iter().map(|line| bag(line)).collect() };
    let (old_bags, new_bags) = (bags(old), bags(new));
    // An empty line says little about where it stands, one that is the same a little more than one
    // with the same words.
    let likeness =
        |i: usize, j: usize| 2 * common(&old_bags[i], &new_bags[j]) + u32::from(old[i] == new[j]);
    for pairing in super::align::align(old.len(), new.len(), likeness) {
        match pairing {
            (Some(i), Some(j)) => compare_words(old[i], new[j], spans),
            (i, j) => spans.push(Span {
                is_same: false,
                before: i.map_or("", |i| old[i]),
                after: j.map_or("", |j| new[j]),
            }),
        }
    }
}

/// Returns the words of a line, sorted.
fn bag(line: &str) -> Vec<&str> {
    let mut words: Vec<&str> = tokens(line)
        .take(COUNTED)
        .filter(|token| token.starts_with(char::is_alphanumeric))
        .collect();
    words.sort_unstable();
    words
}

/// Returns how many words two lines have in common; 0 when that is not much of them.
fn common(one: &[&str], other: &[&str]) -> u32 {
    let (mut i, mut j, mut common) = (0, 0, 0);
    while i < one.len() && j < other.len() {
        match one[i].cmp(other[j]) {
            Ordering::Less => i += 1,
            Ordering::Greater => j += 1,
            Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    let is_much = 200 * common >= ALIKE * (one.len() + other.len());
    if is_much {
        u32::try_from(common).unwrap_or(u32::MAX)
    } else {
        0
    }
}

/// Compares two texts, each given with the parts that it was cut into. What stands in an expression
/// is never the same as what stands outside, if `minds_expressions`.
fn align<'a>(
    before: (&'a str, &[&'a str]),
    after: (&'a str, &[&'a str]),
    minds_expressions: bool,
) -> Vec<Span<'a>> {
    // Numbers are compared faster than texts.
    let mut known: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    let mut numbers = |parts: &[&'a str]| -> Vec<usize> {
        let mut is_inside = false;
        let number = |part: &&'a str| {
            is_inside = minds_expressions && (is_inside || *part == "{{") && *part != "}}";
            let next = known.len();
            *known.entry((part, is_inside)).or_insert(next)
        };
        parts.iter().map(number).collect()
    };
    let (old, new) = (numbers(before.1), numbers(after.1));
    let (mut old_text, mut new_text) = (Text::of(before), Text::of(after));
    let mut spans: Vec<Span<'a>> = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        let is_same = matches!(op, DiffOp::Equal { .. });
        let (before, after) = (op.old_range().len(), op.new_range().len());
        let (before, after) = (old_text.next(before), new_text.next(after));
        spans.push(Span {
            is_same,
            before,
            after,
        });
    }
    spans
}

/// A text that is taken apart from its beginning.
struct Text<'a, 'p> {
    rest: &'a str,
    parts: &'p [&'a str],
}

impl<'a, 'p> Text<'a, 'p> {
    fn of((rest, parts): (&'a str, &'p [&'a str])) -> Self {
        Self { rest, parts }
    }

    /// Takes the next parts.
    fn next(&mut self, count: usize) -> &'a str {
        let (taken, parts) = self.parts.split_at(count);
        let (text, rest) = self
            .rest
            .split_at(taken.iter().map(|part| part.len()).sum());
        (self.parts, self.rest) = (parts, rest);
        text
    }
}

/// A change that may be made of several spans.
struct Run {
    is_same: bool,
    spans: Range<usize>,
    before: usize,
    after: usize,
}

/// Takes what little is the same between two changes for a part of the change: one change of three
/// words is easier to read than three of one word.
fn without_slight(mut spans: Vec<Span<'_>>) -> Vec<Span<'_>> {
    let mut runs: Vec<Run> = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        let (before, after) = (span.before.len(), span.after.len());
        runs.push(Run {
            is_same: span.is_same,
            spans: index..index + 1,
            before,
            after,
        });
        while let [.., left, same, right] = runs.as_slice()
            && is_slight(&spans[same.spans.start], left, same, right)
        {
            let all = Run {
                is_same: false,
                spans: left.spans.start..right.spans.end,
                before: left.before + same.before + right.before,
                after: left.after + same.after + right.after,
            };
            runs.truncate(runs.len() - 3);
            runs.push(all);
        }
    }
    for run in runs.into_iter().filter(|run| !run.is_same) {
        spans[run.spans]
            .iter_mut()
            .for_each(|span| span.is_same = false);
    }
    spans
}

fn is_slight(span: &Span<'_>, left: &Run, same: &Run, right: &Run) -> bool {
    if left.is_same || !same.is_same || right.is_same {
        return false;
    }
    let text = span.before;
    let replaces = left.before + right.before > 0 && left.after + right.after > 0;
    let is_sign = text.len() <= SLIGHT && !text.chars().any(char::is_alphanumeric);
    let longer = |run: &Run| run.before.max(run.after) >= text.len();
    let is_less = text.len() <= SHORT && longer(left) && longer(right);
    replaces && (is_sign || is_less) && !["{{", "}}", "\n"].iter().any(|kept| text.contains(kept))
}

fn pieces(spans: &[Span<'_>]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for run in spans.chunk_by(|one, other| one.is_same == other.is_same) {
        let mut add = |kind, text: String| {
            if !text.is_empty() {
                pieces.push(Piece { kind, text });
            }
        };
        let before = run.iter().map(|span| span.before).collect();
        if run[0].is_same {
            add(PieceKind::Same, before);
        } else {
            add(PieceKind::Deleted, before);
            add(
                PieceKind::Added,
                run.iter().map(|span| span.after).collect(),
            );
        }
    }
    pieces
}

/// What a word is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Letters, digits and `_`, as in names.
    Word,
    /// White space within a line.
    Space,
    /// Stands alone: a sign, a line break, a character of a script without spaces.
    Alone,
    /// Belongs to the character before it.
    Mark,
}

fn class(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => Class::Word,
        '\n' => Class::Alone,
        '\u{300}'..='\u{36f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{200d}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{1f3fb}'..='\u{1f3ff}' => Class::Mark,
        // Chinese and Japanese have no spaces between words.
        '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => {
            Class::Alone
        }
        c if c.is_whitespace() => Class::Space,
        c if c.is_alphanumeric() => Class::Word,
        _ => Class::Alone,
    }
}

/// Signs that are one word together.
const PAIRS: [&str; 8] = ["{{", "}}", "==", "!=", "<=", ">=", "//", "**"];

/// Cuts a text into words, spaces and signs.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = end_of_token(rest)?;
        let (token, after) = rest.split_at(end);
        rest = after;
        Some(token)
    })
}

fn end_of_token(text: &str) -> Option<usize> {
    let mut characters = text.char_indices();
    let (_, first) = characters.next()?;
    let pair = PAIRS.iter().find(|pair| text.starts_with(**pair));
    if let Some(pair) = pair {
        return Some(pair.len());
    }
    let kind = class(first);
    let (mut last, mut is_number) = (first, first.is_ascii_digit());
    for (at, c) in characters {
        let goes_on = match (kind, class(c)) {
            (_, Class::Mark) => true,
            // What a joiner joins is one character on screen.
            _ if last == '\u{200d}' => true,
            (Class::Word, Class::Word) | (Class::Space, Class::Space) => true,
            // The point of a number, or the points of a version.
            _ => c == '.' && is_number && text[at + 1..].starts_with(|c: char| c.is_ascii_digit()),
        };
        if !goes_on {
            return Some(at);
        }
        is_number &= c.is_ascii_digit() || c == '.';
        last = c;
    }
    Some(text.len())
}
