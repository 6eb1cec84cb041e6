//! What the parts of a text are, for whoever shows it: expressions, what they refer to, what they
//! call, and the place where one is wrong.

use std::ops::Range;

use super::grammar::{CallKind, Found};
use super::scan::{self, Pieces};
use super::{FILTERS, FUNCTIONS, TESTS};

/// A part of a text, with what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where it stands, as a range of bytes.
    pub at: Range<usize>,
    /// What it is.
    pub what: Marked,
}

/// What a part of a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marked {
    /// An expression with its braces; what is inside of it follows.
    Expression,
    /// A value, by its names.
    Reference(Vec<String>),
    /// A filter, test or function.
    Call,
    /// Something that is wrong, and why.
    Fault(String),
}

/// Returns the parts of a text in order, expressions before what is inside of them. A text without
/// expressions has none.
pub fn marks(text: &str, is_condition: bool) -> Vec<Mark> {
    let mut marks = Vec::new();
    if is_condition && !text.trim_start().starts_with("{{") {
        let start = text.len() - text.trim_start().len();
        let whole = start..start + text.trim().len();
        if !whole.is_empty() {
            expression(text, whole.clone(), whole, &mut marks);
        }
        return marks;
    }
    for piece in (Pieces { text, from: 0 }) {
        match piece {
            Ok(piece) => expression(text, piece.outer, piece.inner, &mut marks),
            Err(error) => marks.push(Mark {
                at: error.at,
                what: Marked::Fault(error.message),
            }),
        }
    }
    marks
}

fn expression(text: &str, outer: Range<usize>, inner: Range<usize>, marks: &mut Vec<Mark>) {
    let what = Marked::Expression;
    marks.push(Mark { at: outer, what });
    let mut found = Found::default();
    let read = scan::read_one(text, inner, &mut found);
    let from = marks.len();
    let references = found.references().map(|(names, mention)| Mark {
        at: mention.at.clone(),
        what: Marked::Reference(names.iter().map(|name| (*name).to_owned()).collect()),
    });
    marks.extend(references);
    marks.extend(found.calls.iter().map(|call| {
        let (known, kind): (&[&str], _) = match call.kind {
            CallKind::Filter => (&FILTERS, "filter"),
            CallKind::Function => (&FUNCTIONS, "function"),
            CallKind::Test => (&TESTS, "test"),
        };
        let what = if known.contains(&call.name) {
            Marked::Call
        } else {
            Marked::Fault(format!("There is no {kind} called `{}`.", call.name))
        };
        let at = call.at.clone();
        Mark { at, what }
    }));
    if let Err(error) = read {
        marks.push(Mark {
            at: error.at,
            what: Marked::Fault(error.message),
        });
    }
    marks[from..].sort_by_key(|mark| (mark.at.start, mark.at.end));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str, is_condition: bool) -> Vec<String> {
        let name = |mark: Mark| match mark.what {
            Marked::Expression => format!("{}…", text[mark.at].chars().take(4).collect::<String>()),
            Marked::Reference(path) => format!("@{}", path.join("/")),
            Marked::Call => format!("|{}", &text[mark.at]),
            Marked::Fault(_) => format!("!{}", &text[mark.at]),
        };
        marks(text, is_condition).into_iter().map(name).collect()
    }

    #[test]
    fn the_parts_of_a_text_are_told_in_order() {
        let table: [(&str, bool, &[&str]); 7] = [
            ("plain", false, &[]),
            (
                "a {{ item.x | lower }} b",
                false,
                &["{{ i…", "@item/x", "|lower"],
            ),
            ("{{ item | nope }}", false, &["{{ i…", "@item", "!nope"]),
            (
                "{{ item + }} {{ index }}",
                false,
                &["{{ i…", "@item", "!", "{{ i…", "@index"],
            ),
            ("{{ item", false, &["!{{"]),
            (" item > 1 ", true, &["item…", "@item"]),
            ("", true, &[]),
        ];
        for (text, is_condition, expected) in table {
            assert_eq!(told(text, is_condition), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_mark_is_a_part_of_the_text(text in "[a-z{}|'\" .é(\\n]{0,30}", is_condition: bool) {
            for mark in marks(&text, is_condition) {
                prop_assert!(text.get(mark.at.clone()).is_some(), "{mark:?}");
            }
        }
    }
}
