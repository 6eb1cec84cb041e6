//! One thing that differs between two declarations of an action, and what it means for a step.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which side of an action differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What a step fills in.
    Input,
    /// What the answer gives to later steps; fields are paths such as `items[].id`.
    Output,
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// It is sent elsewhere, or by another method.
    Address {
        /// Method and address as they were.
        before: String,
        /// As they are.
        after: String,
    },
    /// There is a field more.
    Added {
        /// Of which side.
        side: Side,
        /// The field.
        field: String,
        /// Steps lack it, and cannot do without.
        is_needed: bool,
    },
    /// A field is gone.
    Removed {
        /// Of which side.
        side: Side,
        /// The field.
        field: String,
    },
    /// A field has to be filled in, or no longer.
    Required {
        /// The field.
        field: String,
        /// It has to be.
        is_required: bool,
        /// And there is nothing that would be taken instead.
        is_needed: bool,
    },
    /// A field is of another type.
    Type {
        /// Of which side.
        side: Side,
        /// The field.
        field: String,
        /// The type that it had.
        before: String,
        /// The type that it has.
        after: String,
        /// What fitted fits still.
        is_wider: bool,
    },
    /// Values that could be chosen cannot be any more.
    Choices {
        /// The field.
        field: String,
        /// The values.
        gone: Vec<String>,
    },
    /// A field takes less than before.
    Narrower {
        /// The field.
        field: String,
    },
    /// A field takes more than before.
    Wider {
        /// The field.
        field: String,
    },
    /// What stands within a field is described otherwise, and requires no more.
    Inner {
        /// The field.
        field: String,
    },
    /// A field, or the whole request when it is empty, is written otherwise.
    Written {
        /// The field.
        field: String,
    },
    /// A new step starts with another value.
    Default {
        /// The field.
        field: String,
    },
    /// The answer is described now, or no more.
    Known {
        /// The part of the answer.
        field: String,
        /// It is.
        is_known: bool,
    },
    /// Other statuses are no failure.
    Expected {
        /// As they were.
        before: String,
        /// As they are.
        after: String,
    },
    /// Whether it is sent again when no answer comes.
    Repeat,
    /// A connection is needed now, or no more.
    Connection {
        /// It is.
        is_needed: bool,
    },
    /// Names and descriptions only; of the action when the field is empty.
    Words {
        /// The field.
        field: String,
    },
}

impl Difference {
    /// Returns whether a step that worked may not work with it.
    pub fn can_break(&self) -> bool {
        match self {
            Self::Address { .. }
            | Self::Removed { .. }
            | Self::Choices { .. }
            | Self::Narrower { .. } => true,
            Self::Added { is_needed, .. } | Self::Required { is_needed, .. } => *is_needed,
            Self::Connection { is_needed } => *is_needed,
            Self::Type { is_wider, .. } => !is_wider,
            Self::Known { is_known, .. } => !is_known,
            Self::Wider { .. }
            | Self::Inner { .. }
            | Self::Written { .. }
            | Self::Default { .. }
            | Self::Expected { .. }
            | Self::Repeat
            | Self::Words { .. } => false,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |side: &Side| match side {
            Side::Input => "field",
            Side::Output => "output",
        };
        match self {
            Self::Address { before, after } => write!(out, "Sent to {after}, before to {before}."),
            Self::Added {
                side: Side::Input,
                field,
                is_needed: true,
            } => {
                write!(out, "New field {field}, which has to be filled in.")
            }
            Self::Added { side, field, .. } => write!(out, "New {} {field}.", of(side)),
            Self::Removed {
                side: Side::Input,
                field,
            } => {
                write!(
                    out,
                    "The field {field} is gone: its value is not sent any more."
                )
            }
            Self::Removed { field, .. } => write!(
                out,
                "The output {field} is gone: expressions that use it find nothing."
            ),
            Self::Required {
                field,
                is_required: true,
                ..
            } => write!(out, "{field} has to be filled in now."),
            Self::Required { field, .. } => write!(out, "{field} need not be filled in any more."),
            Self::Type {
                field,
                before,
                after,
                ..
            } => write!(out, "{field} is {after} now, before {before}."),
            Self::Choices { field, gone } => {
                write!(out, "{field} cannot be {} any more.", gone.join(", "))
            }
            Self::Narrower { field } => write!(out, "{field} takes less than before."),
            Self::Wider { field } => write!(out, "{field} takes more than before."),
            Self::Inner { field } => {
                write!(out, "What stands within {field} is described otherwise.")
            }
            Self::Written { field } if field.is_empty() => {
                write!(out, "The request is written otherwise.")
            }
            Self::Written { field } => write!(
                out,
                "{field} stands elsewhere in the request, or is written otherwise."
            ),
            Self::Default { field } => {
                write!(out, "A new step starts with another value of {field}.")
            }
            Self::Known {
                field,
                is_known: true,
            } => write!(out, "The output {field} is described now."),
            Self::Known { field, .. } => {
                write!(out, "The output {field} is not described any more.")
            }
            Self::Expected { before, after } => write!(out, "Expected status: {before} → {after}."),
            Self::Repeat => write!(
                out,
                "Whether it is sent again without an answer is judged otherwise."
            ),
            Self::Connection { is_needed: true } => write!(out, "It needs a connection now."),
            Self::Connection { .. } => write!(out, "It needs no connection any more."),
            Self::Words { field } if field.is_empty() => write!(out, "Names and descriptions."),
            Self::Words { field } => write!(out, "Name and description of {field}."),
        }
    }
}
