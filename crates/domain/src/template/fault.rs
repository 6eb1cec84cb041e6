//! What is wrong with an expression, in words for whoever wrote it.

use std::fmt;

/// Something that keeps a text from being an expression. The place is told beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It ends where a value has to follow.
    ValueAtEnd,
    /// A sign or word stands where a value has to.
    ValueBefore(String),
    /// A value follows another without an operator.
    Unjoined(String),
    /// A single `=`.
    Assignment,
    /// A quote is never closed.
    OpenQuote,
    /// A character that expressions do not have.
    Unknown(String),
    /// A bracket is never closed; with its partner.
    Unclosed(u8),
    /// Nothing between `[` and `]`.
    EmptySubscript,
    /// No name behind a dot.
    NameAfterDot,
    /// No name behind `|`.
    FilterName,
    /// No name behind `is`.
    TestName,
    /// `.` or `[` behind a filter or test.
    AfterFilter,
    /// A word such as `if` right behind a test, which reads it as the test's argument.
    AfterTest(String),
    /// No colon behind a key.
    Colon,
    /// `not` between two values, without `in`.
    NotWithoutIn,
    /// An argument without a name behind one with a name.
    UnnamedArgument,
    /// More nesting than is ever needed.
    TooDeep,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Fault::ValueAtEnd => "A value is missing at the end of the expression.",
            Fault::ValueBefore(found) => {
                return match found.as_str() {
                    "|" => formatter.write_str("A value is missing before `|`. For one condition or another, write `or`."),
                    "=" => formatter.write_str("A value is missing before `=`. To compare, write `==`."),
                    "%" => formatter.write_str("A value is missing before `%`. Statements such as `{% if %}` are not available; write `a if b else c`."),
                    _ => write!(formatter, "A value is missing before `{}`.", short(found)),
                };
            }
            Fault::Unjoined(found) => {
                return write!(
                    formatter,
                    "`{}` cannot follow what stands before it. Put an operator such as `~`, `+` or `and` between them, and texts into quotes.",
                    short(found)
                );
            }
            Fault::Assignment => "A single `=` sets nothing here. To compare, write `==`.",
            Fault::OpenQuote => "The quote is not closed. Write the same quote behind the text.",
            Fault::Unknown(found) => {
                return match found.as_str() {
                    "&" => formatter.write_str("`&` cannot stand in an expression. For two conditions at once, write `and`."),
                    "!" => formatter.write_str("`!` cannot stand in an expression. To turn a condition around, write `not`."),
                    "?" => formatter.write_str("`?` cannot stand in an expression. To choose between values, write `a if b else c`."),
                    _ => write!(formatter, "`{}` cannot stand in an expression. Put texts into quotes.", found.escape_debug()),
                };
            }
            Fault::Unclosed(close) => {
                return write!(
                    formatter,
                    "The bracket is not closed. Write `{}` behind its content.",
                    char::from(*close)
                );
            }
            Fault::EmptySubscript => {
                "Nothing stands between `[` and `]`. Put a number or a text in quotes there."
            }
            Fault::NameAfterDot => {
                "A name is missing after `.`. For a name with other signs in it, write `[\"the name\"]`."
            }
            Fault::FilterName => {
                "The name of a filter is missing after `|`, such as `lower`. For one condition or another, write `or`."
            }
            Fault::TestName => {
                "The name of a test is missing after `is`, such as `defined`. To compare, write `==`."
            }
            Fault::AfterFilter => {
                "This cannot follow a filter or test. Put brackets around what stands before it: `(a | first).name`."
            }
            Fault::AfterTest(found) => {
                return write!(
                    formatter,
                    "`{found}` cannot follow a test. Put brackets around the test: `(a is defined) {found} …`."
                );
            }
            Fault::Colon => "A `:` is missing behind the name. Write `{\"name\": value}`.",
            Fault::NotWithoutIn => {
                "`not` stands between two values. Write `not in`, or put `and` before it."
            }
            Fault::UnnamedArgument => {
                "An argument without a name follows one with a name. Put it before the others."
            }
            Fault::TooDeep => {
                "The expression is too long or nested too deeply. Make parts of it in a Set values step."
            }
        };
        formatter.write_str(text)
    }
}

/// Longest part of a user's text that a message repeats, in characters.
const QUOTED: usize = 60;

/// Returns a text as a message repeats it: its start, when it is long.
pub(crate) fn short(text: &str) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}
