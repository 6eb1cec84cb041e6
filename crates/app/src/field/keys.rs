//! What keys do in a field that takes expressions.

use domain::template::{Reads, is_inside};
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use super::{Assist, put};

impl Assist {
    /// Handles a key. Whatever is not about expressions is the input's own.
    pub(crate) fn key(self, event: &KeyboardEvent) {
        if event.is_composing() || matches!(self.reads, Reads::Code(_)) {
            return;
        }
        let control = event.ctrl_key() || event.meta_key();
        let is_plain = !control && !event.alt_key();
        let key = event.key();
        let was_skipped = self.skipped.get_value();
        self.skipped.set_value(false);
        let handled = match key.as_str() {
            " " if control => self.help(),
            "ArrowDown" if event.alt_key() => {
                self.choose();
                true
            }
            " " if is_plain && self.is_spaced() => true,
            "{" if is_plain || event.alt_key() => self.open_brace(),
            "}" if was_skipped => true,
            "}" if is_plain || event.alt_key() => self.close_brace(),
            _ if is_plain && self.found.with_untracked(Option::is_some) => self.list_key(&key),
            _ => false,
        };
        if handled {
            event.prevent_default();
            event.stop_propagation();
        }
    }

    /// Suggests what can be written here; outside of expressions, shows the data to choose from.
    fn help(self) -> bool {
        let Some((_, text, selected)) = self.selection() else {
            return false;
        };
        if is_inside(&text, selected.end, self.is_condition()) && !text.is_empty() {
            self.complete();
        } else {
            self.choose();
        }
        true
    }

    /// Shows the data of earlier steps to choose from.
    fn choose(self) {
        self.close();
        self.is_choosing.set(true);
    }

    fn list_key(self, key: &str) -> bool {
        let count = self
            .found
            .with_untracked(|found| found.as_ref().map_or(0, |found| found.suggestions.len()));
        match key {
            "ArrowDown" => self.active.update(|at| *at = (*at + 1) % count),
            "ArrowUp" => self.active.update(|at| *at = (*at + count - 1) % count),
            "Enter" | "Tab" => self.take(self.active.get_untracked()),
            "Escape" => self.close(),
            "ArrowLeft" | "ArrowRight" | "Home" | "End" => {
                self.close();
                return false;
            }
            _ => return false,
        }
        true
    }

    /// The second `{` brings the closing braces with it, and suggestions.
    fn open_brace(self) -> bool {
        let Some((input, text, selected)) = self.selection() else {
            return false;
        };
        let (before, behind) = (&text[..selected.start], &text[selected.end..]);
        let is_second = before.ends_with('{') && !before.ends_with("{{");
        let is_inside = is_inside(&text, selected.start, self.is_condition())
            && !(self.is_condition() && before.trim() == "{");
        if !is_second || is_inside || behind.trim_start().starts_with("}}") {
            return false;
        }
        put(&input, &text, selected, "{  }}", 2);
        self.complete();
        true
    }

    /// Returns whether the caret stands behind the space that came with the closing braces: typed
    /// once more by habit, it is there already.
    fn is_spaced(self) -> bool {
        self.selection().is_some_and(|(_, text, selected)| {
            text[..selected.start].ends_with("{{ ") && text[selected.end..].starts_with(" }}")
        })
    }

    /// A `}` in front of the closing braces goes over them.
    fn close_brace(self) -> bool {
        let Some((input, text, selected)) = self.selection() else {
            return false;
        };
        let (before, behind) = (&text[..selected.start], &text[selected.end..]);
        let Some(start) = before.rfind("{{") else {
            return false;
        };
        let open = before[start + 2..].matches('{').count();
        let is_even = open <= before[start + 2..].matches('}').count();
        let rest = behind.trim_start();
        if !selected.is_empty()
            || !is_even
            || !rest.starts_with("}}")
            || !is_inside(&text, selected.start, false)
        {
            return false;
        }
        let end = selected.end + (behind.len() - rest.len()) + 2;
        let caret = crate::markdown::typing::units(&text, end);
        let _ = input.set_selection_range(caret, caret);
        self.skipped.set_value(true);
        self.close();
        true
    }
}
