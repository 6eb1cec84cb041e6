//! The keys of the builder, as one table: the keys that work anywhere are looked up in it, and the
//! list of keys and the command palette are drawn from it. What a card does with its keys is in
//! [`keys`]; a line here says so to people.

use leptos::ev::{self, KeyboardEvent};
use leptos::prelude::*;

use super::{Builder, keys, picker, problems};
use crate::palette::{self, KeyLine};

/// Where keys work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Anywhere in the builder, but not while something is typed.
    Anywhere,
    /// Anywhere, also while something is typed.
    Typing,
    /// On a card of the flow, which listens itself.
    Card,
    /// Anywhere; something else than the builder listens: the palette, or the browser, which
    /// tells of copying and pasting by events of their own.
    Elsewhere,
}

/// What can be done by a key or from the palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Palette,
    Keys,
    Undo,
    Redo,
    Copy,
    Cut,
    Paste,
    Outline,
    NextProblem,
    RunTest,
    Walk,
    WalkBeside,
    Ends,
    Several,
    All,
    Nudge,
    Edit,
    AddBehind,
    Duplicate,
    Delete,
    Extract,
    Fold,
    Zoom,
    FullSize,
    Fit,
}

/// A line of the table.
pub(super) struct Shortcut {
    pub(super) act: Act,
    reach: Reach,
    /// Any of these combinations; `Ctrl` is the command key on a Mac.
    keys: &'static [&'static str],
    /// What it does, as it is read.
    pub(super) says: &'static str,
    /// Whether the palette offers it.
    in_palette: bool,
}

const fn line(
    act: Act,
    reach: Reach,
    keys: &'static [&'static str],
    says: &'static str,
    in_palette: bool,
) -> Shortcut {
    Shortcut {
        act,
        reach,
        keys,
        says,
        in_palette,
    }
}

/// The table.
#[rustfmt::skip]
const TABLE: &[Shortcut] = &[
    line(Act::Palette, Reach::Elsewhere, &["Ctrl+K"], "Find a command", false),
    line(Act::Keys, Reach::Anywhere, &["?"], "Show all keys", true),
    line(Act::Undo, Reach::Anywhere, &["Ctrl+Z"], "Undo", true),
    line(Act::Redo, Reach::Anywhere, &["Ctrl+Shift+Z", "Ctrl+Y"], "Redo", true),
    line(Act::Copy, Reach::Elsewhere, &["Ctrl+C"], "Copy the selected steps, also for other integrations", false),
    line(Act::Cut, Reach::Elsewhere, &["Ctrl+X"], "Cut the selected steps", false),
    line(Act::Paste, Reach::Elsewhere, &["Ctrl+V"], "Paste steps behind what is selected", false),
    line(Act::Outline, Reach::Anywhere, &["Ctrl+B"], "Show or hide the outline", true),
    line(Act::NextProblem, Reach::Typing, &["F8"], "Go to the next problem", true),
    line(Act::RunTest, Reach::Typing, &["Ctrl+Enter"], "Run the test", true),
    line(Act::Walk, Reach::Card, &["ArrowUp", "ArrowDown"], "Go to the step before or behind", false),
    line(Act::WalkBeside, Reach::Card, &["ArrowLeft", "ArrowRight"], "Go on, also to the places between steps", false),
    line(Act::Ends, Reach::Card, &["Home", "End"], "Go to the trigger or the last step", false),
    line(Act::Several, Reach::Card, &["Shift+ArrowUp", "Shift+ArrowDown"], "Select several steps", false),
    line(Act::All, Reach::Card, &["Ctrl+A"], "Select all steps", false),
    line(Act::Nudge, Reach::Card, &["Alt+ArrowUp", "Alt+ArrowDown"], "Move the selected steps", false),
    line(Act::Edit, Reach::Card, &["Enter"], "Edit the step", false),
    line(Act::AddBehind, Reach::Card, &["Plus"], "Add a step behind the selected one…", true),
    line(Act::Duplicate, Reach::Card, &["Ctrl+D"], "Duplicate the selected steps", true),
    line(Act::Delete, Reach::Card, &["Delete", "Backspace"], "Delete the selected steps", true),
    line(Act::Extract, Reach::Card, &["E"], "Extract the selected steps into a new integration…", true),
    line(Act::Fold, Reach::Card, &["F"], "Fold or unfold a container", false),
    line(Act::Zoom, Reach::Card, &["Ctrl+Plus", "Ctrl+-"], "Draw the flow larger or smaller", false),
    line(Act::FullSize, Reach::Card, &["Ctrl+0"], "Draw the flow at full size", true),
    line(Act::Fit, Reach::Card, &["Shift+1"], "Fit the flow into the view", true),
];

/// Listens to the keys that work anywhere in the builder.
pub(super) fn listen(builder: Builder) {
    let handle = window_event_listener(ev::keydown, move |event| {
        let dialog = document().query_selector("dialog[open]").ok().flatten();
        if event.default_prevented() || dialog.is_some() {
            return;
        }
        let is_typing = keys::is_typing(&event);
        let is_heard = |line: &&Shortcut| match line.reach {
            Reach::Anywhere => !is_typing,
            Reach::Typing => true,
            Reach::Card | Reach::Elsewhere => false,
        };
        let mut lines = TABLE.iter().filter(is_heard);
        let found = lines.find(|line| line.keys.iter().any(|keys| is_pressed(&event, keys)));
        if let Some(line) = found
            && line.act.is_possible(builder)
        {
            event.prevent_default();
            line.act.run(builder);
        }
    });
    on_cleanup(move || handle.remove());
}

/// Returns whether an event is a combination such as `Ctrl+Shift+Z`.
fn is_pressed(event: &KeyboardEvent, keys: &str) -> bool {
    let (mut control, mut alt, mut shift, mut named) = (false, false, false, "");
    for part in keys.split('+') {
        match part {
            "Ctrl" => control = true,
            "Alt" => alt = true,
            "Shift" => shift = true,
            key => named = key,
        }
    }
    let key = event.key();
    // A sign such as ? is typed with whatever its keyboard needs.
    let is_sign = named.len() == 1 && !named.as_bytes()[0].is_ascii_alphabetic();
    let is_it = match named {
        "Plus" => return key == "+" && !event.alt_key(),
        named => key.eq_ignore_ascii_case(named),
    };
    is_it
        && (event.ctrl_key() || event.meta_key()) == control
        && event.alt_key() == alt
        && (is_sign || event.shift_key() == shift)
}

/// Returns the lines for the list of keys.
pub(super) fn lines() -> Vec<KeyLine> {
    let line = |line: &Shortcut| KeyLine {
        group: match line.reach {
            Reach::Card => "On a step",
            _ => "Anywhere",
        },
        keys: line.keys,
        says: line.says,
    };
    TABLE.iter().map(line).collect()
}

/// Returns what the palette offers now, each with its keys.
pub(super) fn possible(
    builder: Builder,
) -> impl Iterator<Item = (&'static Shortcut, &'static str)> {
    let lines = TABLE.iter();
    let lines = lines.filter(move |line| line.in_palette && line.act.is_possible(builder));
    lines.map(|line| (line, line.keys.first().copied().unwrap_or_default()))
}

impl Act {
    /// Returns whether it can be done now.
    fn is_possible(self, builder: Builder) -> bool {
        let may_edit = builder.may_edit.get_untracked();
        let has_steps = !builder.editor.selection.steps_untracked().is_empty();
        let (undo, redo) = untrack(|| builder.editor.history());
        match self {
            Act::Undo => may_edit && undo > 0,
            Act::Redo => may_edit && redo > 0,
            Act::AddBehind => may_edit,
            Act::Duplicate | Act::Delete | Act::Extract => may_edit && has_steps,
            Act::NextProblem => untrack(|| builder.editor.problem_count()) > 0,
            Act::RunTest => builder.tests.is_possible(),
            _ => true,
        }
    }

    /// Does it.
    pub(super) fn run(self, builder: Builder) {
        match self {
            Act::Palette => palette::open(),
            Act::Keys => palette::open_keys(),
            Act::Undo => builder.explain(builder.editor.undo()),
            Act::Redo => builder.explain(builder.editor.redo()),
            Act::Outline => builder.outline.toggle(),
            Act::NextProblem => problems::next(builder),
            Act::RunTest => builder.tests.run_all(),
            Act::AddBehind => {
                picker::open_behind(builder, builder.editor.selection.get_untracked());
            }
            Act::Duplicate => keys::duplicate_chosen(builder),
            Act::Delete => keys::delete_chosen(builder),
            Act::Extract => builder.extracting.set(true),
            Act::FullSize => builder.canvas.zoom_to(1.0, None),
            Act::Fit => builder.canvas.fit(),
            // What a card or the browser does by itself.
            Act::Copy | Act::Cut | Act::Paste | Act::Walk | Act::WalkBeside => {}
            Act::Ends | Act::Several | Act::All | Act::Nudge | Act::Edit => {}
            Act::Fold | Act::Zoom => {}
        }
    }
}

/// Returns the icon of an act in the palette.
pub(super) const fn icon(act: Act) -> &'static str {
    match act {
        Act::Undo => "undo",
        Act::Redo => "redo",
        Act::Outline => "tree",
        Act::NextProblem => "alert",
        Act::RunTest => "play",
        Act::AddBehind => "plus",
        Act::Duplicate => "copy",
        Act::Delete => "trash",
        Act::Extract => "workflow",
        Act::FullSize => "zoom-in",
        Act::Fit => "maximize",
        _ => "keyboard",
    }
}
