//! Steps that run code: what they get, what bounds them, and what they say.

use serde::{Deserialize, Serialize};

/// The kind of step that runs JavaScript.
pub const STEP: &str = "code.javascript";

/// Longest code, in bytes.
pub const CODE_BYTES: usize = 100_000;
/// Longest time that code may take, from its first line to its result, in seconds.
pub const TIME_SECONDS: u64 = 10;
/// Most memory that the values of the code may take together, in bytes.
pub const MEMORY: usize = 64 * 1024 * 1024;
/// Most that calls may be nested, in bytes of stack.
pub const STACK: usize = 1024 * 1024;
/// Largest `input` and largest result, in bytes of JSON.
pub const VALUE_BYTES: usize = crate::limit::RESPONSE_BYTES;
/// Most lines of the console that are kept: the first ones.
pub const CONSOLE_LINES: usize = 200;
/// Most that is kept of all lines together, in bytes.
pub const CONSOLE_BYTES: usize = 32 * 1024;

/// How a line was written to the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// By `console.debug`.
    Debug,
    /// By `console.log` and `console.info`.
    Info,
    /// By `console.warn`.
    Warning,
    /// By `console.error`.
    Error,
}

/// A line that code wrote to its console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleLine {
    /// How it was written.
    pub level: Level,
    /// What it says; may hold line breaks.
    pub text: String,
}

/// The lines that are kept of a console, within [`CONSOLE_LINES`] and [`CONSOLE_BYTES`].
#[derive(Clone, Debug, Default)]
pub struct Console {
    lines: Vec<ConsoleLine>,
    bytes: usize,
    left_out: usize,
}

impl Console {
    /// Returns how many bytes of the next line can be kept: more need not be made.
    pub fn room(&self) -> usize {
        if self.lines.len() < CONSOLE_LINES {
            CONSOLE_BYTES.saturating_sub(self.bytes)
        } else {
            0
        }
    }

    /// Writes a line, as far as there is room.
    pub fn write(&mut self, level: Level, mut text: String) {
        let room = self.room();
        if room == 0 {
            self.left_out += 1;
            return;
        }
        if text.len() > room {
            text.truncate(text.floor_char_boundary(room));
            text.push('…');
        }
        self.bytes += text.len().max(1);
        self.lines.push(ConsoleLine { level, text });
    }

    /// Returns what was kept; a last line says how many were not.
    pub fn into_lines(self) -> Vec<ConsoleLine> {
        let mut lines = self.lines;
        match self.left_out {
            0 => {}
            left_out => lines.push(ConsoleLine {
                level: Level::Warning,
                text: format!("[{left_out} more, left out]"),
            }),
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::change::Changes;
    use crate::document::{ListRef, Place, Step};
    use crate::edit::{Edit, apply};
    use crate::validate::Checked;
    use crate::{Document, StepId};

    /// Code with braces that look like references to the step before it.
    const BRACES: &str = "const a = `{{ steps.first.message }}`;\nreturn { b: {{ oops }};";

    fn step(number: u128, kind: &str, slug: &str, config: Value) -> Step {
        Step {
            id: StepId::new(Uuid::from_u128(number)),
            name: slug.to_owned(),
            slug: slug.to_owned(),
            kind: kind.to_owned(),
            action: None,
            config: config.as_object().cloned().unwrap_or_default(),
            on_error: crate::document::ErrorPolicy::default(),
            notes: String::new(),
            lanes: Vec::new(),
        }
    }

    fn document(code: &str) -> Document {
        let mut document = Document::new("webhook");
        let config = json!({ "code": code, "input": { "a": "{{ steps.first.message }}" } });
        let steps = vec![
            step(1, "log", "first", json!({ "message": "one" })),
            step(2, STEP, "second", config),
        ];
        for (index, step) in steps.into_iter().enumerate() {
            let at = Place {
                list: ListRef::Flow,
                index,
            };
            let steps = vec![step];
            apply(&mut document, &Edit::Insert { steps, at }).expect("it fits");
        }
        document
    }

    fn problems(code: &str) -> Vec<String> {
        let checked = Checked::of(&document(code));
        checked.problems().map(|one| one.message.clone()).collect()
    }

    #[test]
    fn braces_in_code_are_no_expressions() {
        assert_eq!(problems(BRACES), [""; 0]);
        assert_eq!(problems(" "), ["Code is missing."]);
        assert_eq!(
            problems(&"x".repeat(CODE_BYTES + 1)),
            ["Code is longer than 100 kB."]
        );
        assert_eq!(problems("a\0"), ["Code holds the character U+0000."]);
    }

    #[test]
    fn a_rename_changes_the_input_and_leaves_the_code() {
        let mut document = document(BRACES);
        let rename = Edit::Rename {
            step: StepId::new(Uuid::from_u128(1)),
            name: "Other".to_owned(),
            slug: "other".to_owned(),
        };
        apply(&mut document, &rename).expect("the slug is free");
        let config = &document.steps[&StepId::new(Uuid::from_u128(2))].config;
        assert_eq!(config["code"], BRACES);
        assert_eq!(config["input"]["a"], "{{ steps.other.message }}");
    }

    /// What looks as if it followed a rename would be taken for one, and nobody would read it.
    #[test]
    fn no_change_of_code_is_taken_for_a_reference_that_follows() {
        let before = document(BRACES);
        let mut after = before.clone();
        let rename = Edit::Rename {
            step: StepId::new(Uuid::from_u128(1)),
            name: "Other".to_owned(),
            slug: "other".to_owned(),
        };
        apply(&mut after, &rename).expect("the slug is free");
        let edited = Edit::SetField {
            step: StepId::new(Uuid::from_u128(2)),
            field: "code".to_owned(),
            value: Some(json!(BRACES.replace("steps.first", "steps.other"))),
        };
        apply(&mut after, &edited).expect("it is a text");
        let changes = Changes::between(&before, &after);
        let change = changes
            .of(StepId::new(Uuid::from_u128(2)))
            .expect("it changed");
        let loud: Vec<String> = change
            .fields
            .iter()
            .filter(|field| !field.is_quiet())
            .map(|field| field.field.to_string())
            .collect();
        assert_eq!(loud, ["config.code"]);
    }

    #[test]
    fn a_console_keeps_the_first_lines_and_counts_the_rest() {
        let mut console = Console::default();
        for n in 0..CONSOLE_LINES + 7 {
            console.write(Level::Info, n.to_string());
        }
        let lines = console.into_lines();
        assert_eq!(lines.len(), CONSOLE_LINES + 1);
        assert_eq!(lines[0].text, "0");
        assert_eq!(lines[CONSOLE_LINES].text, "[7 more, left out]");
    }

    #[test]
    fn a_console_keeps_no_more_bytes_than_it_says_and_cuts_no_character() {
        let mut console = Console::default();
        console.write(Level::Error, "a".to_owned());
        console.write(Level::Error, "ü".repeat(CONSOLE_BYTES));
        console.write(Level::Error, "late".to_owned());
        let lines = console.into_lines();
        let kept = &lines[1].text;
        assert!(kept.starts_with('ü') && kept.ends_with('…'));
        assert!(kept.len() <= CONSOLE_BYTES + '…'.len_utf8());
        assert_eq!(lines[2].text, "[1 more, left out]");
    }

    #[test]
    fn empty_lines_are_bounded_too() {
        let mut console = Console::default();
        (0..CONSOLE_LINES * 2).for_each(|_| console.write(Level::Debug, String::new()));
        assert_eq!(console.into_lines().len(), CONSOLE_LINES + 1);
    }
}
