//! Shows what the parts of a text are, on top of the input or behind it.
//!
//! While someone types, behind the text: same letters at the same places, of which only the
//! backgrounds and underlines are seen. Otherwise on top of it: expressions as chips, with the names
//! of steps in place of what is written. Hidden from screen readers, which read the input.

use std::ops::Range;

use domain::template::{Mark, Marked, marks};
use leptos::prelude::*;

use super::{Assist, Expressions};

/// A part of a text without marks inside of it.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    text: String,
    class: &'static str,
    /// What is wrong with it.
    problem: Option<String>,
}

/// A part of a text as it is, or an expression.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Plain(String),
    Expression {
        /// As it is written, in parts.
        written: Vec<Run>,
        /// As people call it, in parts.
        read: Vec<Run>,
        is_broken: bool,
    },
}

/// Draws the marks of a field's text.
pub(super) fn overlay(assist: Assist) -> AnyView {
    let parts = Memo::new(move |_| {
        assist
            .text
            .with(|text| parts(text, assist.is_condition(), assist.expressions))
    });
    let run = |run: Run| {
        view! { <span class=run.class title=run.problem>{run.text}</span> }
    };
    let written = move |part: Part| match part {
        Part::Plain(text) => text.into_any(),
        Part::Expression { written, .. } => view! {
            <span class="mark-expression">{written.into_iter().map(run).collect::<Vec<_>>()}</span>
        }
        .into_any(),
    };
    let read = move |part: Part| match part {
        Part::Plain(text) => text.into_any(),
        Part::Expression {
            read, is_broken, ..
        } => view! {
            <span class="mark-chip" class:is-broken=is_broken>
                {read.into_iter().map(run).collect::<Vec<_>>()}
            </span>
        }
        .into_any(),
    };
    let content = move || {
        let parts = parts.get().into_iter();
        if assist.has_focus.get() {
            parts.map(written).collect::<Vec<_>>()
        } else {
            parts.map(read).collect()
        }
    };
    let shifted = move || {
        let (left, top) = assist.scrolled.get();
        if assist.has_focus.get() {
            format!("translate({}px, {}px)", -left, -top)
        } else {
            String::new()
        }
    };
    view! {
        <div class="expression-marks" aria-hidden="true">
            <div class="expression-letters" style:transform=shifted>
                {content}
            </div>
        </div>
    }
    .into_any()
}

fn parts(text: &str, is_condition: bool, expressions: Expressions) -> Vec<Part> {
    let marks = marks(text, is_condition);
    let mut parts = Vec::new();
    let mut end_of_last = 0;
    let mut rest = marks.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        let is_inside = |mark: &&Mark| mark.what != Marked::Expression;
        let count = behind.iter().take_while(is_inside).count();
        let (inside, next) = behind.split_at(count);
        rest = next;
        let (whole, inside) = match first.what {
            Marked::Expression => (first.at.clone(), inside),
            // Braces that are not closed: everything behind them.
            _ => (first.at.start..text.len(), std::slice::from_ref(first)),
        };
        if whole.start < end_of_last {
            continue;
        }
        if whole.start > end_of_last {
            parts.push(Part::Plain(text[end_of_last..whole.start].to_owned()));
        }
        end_of_last = whole.end;
        parts.push(expression(text, whole, inside, expressions));
    }
    // A line of its own for a line break at the end, as in the input.
    parts.push(Part::Plain(format!("{}\u{200b}", &text[end_of_last..])));
    parts
}

fn expression(text: &str, whole: Range<usize>, inside: &[Mark], expressions: Expressions) -> Part {
    let (mut written, mut read) = (Vec::new(), Vec::new());
    let mut is_broken = false;
    let mut end_of_last = whole.start;
    let plain = |text: &str| Run {
        text: text.to_owned(),
        class: "",
        problem: None,
    };
    for mark in inside {
        // A fault may be a part of what is marked before it; then that is what is wrong.
        let at = mark.at.start.max(end_of_last)..mark.at.end.max(end_of_last);
        let before = &text[end_of_last..at.start];
        written.push(plain(before));
        read.push(plain(before));
        end_of_last = at.end;
        let letters = &text[at.clone()];
        let (class, problem, called) = match &mark.what {
            Marked::Reference(names) => {
                let problem = expressions.problem_of.run(names.clone());
                let class = if problem.is_some() {
                    "mark-fault"
                } else {
                    "mark-reference"
                };
                (class, problem, called(names, expressions))
            }
            Marked::Call => ("mark-call", None, letters.to_owned()),
            Marked::Fault(message) => ("mark-fault", Some(message.clone()), letters.to_owned()),
            Marked::Expression => continue,
        };
        is_broken |= problem.is_some();
        // Where something is missing at the end, a place to be seen.
        let letters = if letters.is_empty() {
            "\u{200b}"
        } else {
            letters
        };
        let run = |text: String| Run {
            text,
            class,
            problem: problem.clone(),
        };
        written.push(run(letters.to_owned()));
        read.push(run(called));
    }
    written.push(plain(&text[end_of_last..whole.end]));
    read.push(plain(&text[end_of_last..whole.end]));
    let read = without_braces(read);
    Part::Expression {
        written,
        read,
        is_broken,
    }
}

/// Takes the braces at both ends away, and the spaces beside them.
fn without_braces(mut runs: Vec<Run>) -> Vec<Run> {
    if let Some(first) = runs.first_mut()
        && let Some(rest) = first.text.strip_prefix("{{")
    {
        first.text = rest.trim_start().to_owned();
    }
    if let Some(last) = runs.last_mut()
        && let Some(rest) = last.text.strip_suffix("}}")
    {
        last.text = rest.trim_end().to_owned();
    }
    runs.retain(|run| !run.text.is_empty());
    runs
}

/// Returns a reference as people call it: with the name of its step.
fn called(names: &[String], expressions: Expressions) -> String {
    let (name, rest) = match names {
        [first, slug, rest @ ..] if first == "steps" => {
            let name = expressions.name_of.run(slug.clone());
            (name.unwrap_or_else(|| slug.clone()), rest)
        }
        [first, rest @ ..] => {
            let mut name = first.clone();
            if let Some(letter) = name.get_mut(..1) {
                letter.make_ascii_uppercase();
            }
            (name, rest)
        }
        [] => return String::new(),
    };
    let rest = rest.iter().map(String::as_str);
    let path: Vec<&str> = std::iter::once(name.as_str()).chain(rest).collect();
    path.join(" › ")
}
