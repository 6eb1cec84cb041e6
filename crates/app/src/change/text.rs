//! A text that changed, word by word; long parts without changes are folded.

use domain::change::{PieceKind, words};
use leptos::prelude::*;

/// Characters and lines of an unchanged part that stay around a change.
const AROUND: (usize, usize) = (160, 3);
/// Characters and lines of a whole text that are shown before one asks for more.
const WHOLE: (usize, usize) = (2_400, 40);

/// Which side of a change is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Both in one text: what is gone, then what came in its place.
    Both,
    /// What was.
    Before,
    /// What is.
    After,
}

/// A part of a text that a thread is about, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Whether it is of the earlier text.
    pub(crate) on_base: bool,
    /// Where it begins.
    pub(crate) from: u32,
    /// Where it ends.
    pub(crate) to: u32,
}

/// A stretch of characters that look the same.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    kind: PieceKind,
    text: String,
    /// How many characters stand before it in the earlier text.
    before: usize,
    /// How many characters stand before it in the later text.
    after: usize,
}

impl Run {
    fn len(&self) -> usize {
        self.text.chars().count()
    }

    /// Takes a run apart behind so many characters.
    fn split(&self, at: usize) -> (Run, Run) {
        let byte = self.text.char_indices().nth(at);
        let byte = byte.map_or(self.text.len(), |(byte, _)| byte);
        let part = |text: &str, skip: usize| Run {
            kind: self.kind,
            text: text.to_owned(),
            before: self.before
                + if self.kind == PieceKind::Added {
                    0
                } else {
                    skip
                },
            after: self.after
                + if self.kind == PieceKind::Deleted {
                    0
                } else {
                    skip
                },
        };
        (part(&self.text[..byte], 0), part(&self.text[byte..], at))
    }
}

/// Draws a text that changed, came or went. What is drawn says where each part stands in the
/// texts, so that a selection can be told as a range.
pub(crate) fn change(
    before: Option<&str>,
    after: Option<&str>,
    side: Side,
    marks: &[Mark],
) -> AnyView {
    let runs = runs(before, after, side);
    let last = runs.len().saturating_sub(1);
    let parts = runs.iter().enumerate().map(|(index, run)| {
        let around = match (run.kind, last) {
            (PieceKind::Same, 1..) => [
                if index == 0 { (0, 0) } else { AROUND },
                if index == last { (0, 0) } else { AROUND },
            ],
            _ => [WHOLE, (0, 0)],
        };
        folded(run, around, marks)
    });
    parts.collect::<Vec<_>>().into_any()
}

fn runs(before: Option<&str>, after: Option<&str>, side: Side) -> Vec<Run> {
    let pieces = words(before.unwrap_or_default(), after.unwrap_or_default());
    let (mut at_before, mut at_after) = (0, 0);
    let mut runs = Vec::new();
    for piece in pieces {
        let run = Run {
            kind: piece.kind,
            text: piece.text,
            before: at_before,
            after: at_after,
        };
        let length = run.len();
        if run.kind != PieceKind::Added {
            at_before += length;
        }
        if run.kind != PieceKind::Deleted {
            at_after += length;
        }
        let is_drawn = match side {
            Side::Both => true,
            Side::Before => run.kind != PieceKind::Added,
            Side::After => run.kind != PieceKind::Deleted,
        };
        if is_drawn && length > 0 {
            runs.push(run);
        }
    }
    runs
}

/// Draws a run; the middle of a long one is folded, with `around` left at its start and end.
fn folded(run: &Run, around: [(usize, usize); 2], marks: &[Mark]) -> AnyView {
    let length = run.len();
    let head = reach(run.text.chars(), around[0]);
    let tail = reach(run.text.chars().rev(), around[1]).min(length - head);
    let hidden = length - head - tail;
    // A fold that hides next to nothing is in the way.
    if hidden < 80 {
        return spans(run, marks);
    }
    let (head, rest) = run.split(head);
    let (middle, tail) = rest.split(hidden);
    let lines = middle.text.matches('\n').count();
    let words = match lines {
        0..=1 => format!("{hidden} more characters"),
        lines => format!("{lines} more lines"),
    };
    let is_open = RwSignal::new(false);
    let marks = marks.to_vec();
    let unfolded = marks.clone();
    view! {
        {spans(&head, &marks)}
        {move || {
            if is_open.get() {
                spans(&middle, &unfolded)
            } else {
                view! {
                    <button
                        type="button"
                        class="text-fold"
                        on:click=move |_| is_open.set(true)
                    >
                        {words.clone()}
                    </button>
                }
                    .into_any()
            }
        }}
        {spans(&tail, &marks)}
    }
    .into_any()
}

/// Returns how many characters fit into a number of characters and lines.
fn reach(text: impl Iterator<Item = char>, (characters, lines): (usize, usize)) -> usize {
    let mut seen = 0;
    let within = text.take(characters).take_while(|character| {
        seen += usize::from(*character == '\n');
        seen <= lines
    });
    if lines == 0 { 0 } else { within.count() }
}

/// Draws a run as elements, one for each part that looks different: expressions and marked parts.
fn spans(run: &Run, marks: &[Mark]) -> AnyView {
    let length = run.len();
    let mut cuts = vec![0, length];
    for (from, to) in expressions(&run.text) {
        cuts.extend([from, to]);
    }
    for mark in marks.iter().filter(|mark| applies(run, mark)) {
        let start = if mark.on_base { run.before } else { run.after };
        for at in [mark.from as usize, mark.to as usize] {
            cuts.push(at.saturating_sub(start).min(length));
        }
    }
    cuts.sort_unstable();
    cuts.dedup();
    let expressions = expressions(&run.text);
    let parts = cuts.windows(2).map(|cut| {
        let (from, to) = (cut[0], cut[1]);
        let part = run.split(from).1.split(to - from).0;
        let is_expression = expressions.iter().any(|(a, b)| *a <= from && to <= *b);
        let is_marked = marks.iter().any(|mark| {
            let start = if mark.on_base {
                part.before
            } else {
                part.after
            };
            let ends = (mark.from as usize, mark.to as usize);
            applies(&part, mark) && ends.0 <= start && start + (to - from) <= ends.1
        });
        span(part, is_expression, is_marked)
    });
    parts.collect::<Vec<_>>().into_any()
}

/// Returns whether a run is in the text that a mark is about.
fn applies(run: &Run, mark: &Mark) -> bool {
    match run.kind {
        PieceKind::Same => true,
        PieceKind::Added => !mark.on_base,
        PieceKind::Deleted => mark.on_base,
    }
}

fn span(run: Run, is_expression: bool, is_marked: bool) -> AnyView {
    let before = (run.kind != PieceKind::Added).then(|| run.before.to_string());
    let after = (run.kind != PieceKind::Deleted).then(|| run.after.to_string());
    let classes = move |view: &str| {
        let mut class = view.to_owned();
        if is_expression {
            class.push_str(" expression");
        }
        if is_marked {
            class.push_str(" marked");
        }
        class
    };
    match run.kind {
        PieceKind::Same => view! {
            <span class=classes("same") data-before=before data-after=after>
                {run.text}
            </span>
        }
        .into_any(),
        PieceKind::Added => view! {
            <ins class=classes("") data-after=after>
                {run.text}
            </ins>
        }
        .into_any(),
        PieceKind::Deleted => view! {
            <del class=classes("") data-before=before>
                {run.text}
            </del>
        }
        .into_any(),
    }
}

/// Returns where expressions stand in a text, in characters, braces included.
fn expressions(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let (mut rest, mut at) = (text, 0);
    while let Some(start) = rest.find("{{") {
        let Some(length) = rest[start..].find("}}") else {
            break;
        };
        let before = rest[..start].chars().count();
        let inside = rest[start..start + length + 2].chars().count();
        found.push((at + before, at + before + inside));
        at += before + inside;
        rest = &rest[start + length + 2..];
    }
    found
}
