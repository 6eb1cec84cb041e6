//! Threads of comments, where they hang, and whether what they speak of is still there.

mod mention;
mod suggestion;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Person, Refusal, decide};
use crate::change::{self, Entry, Field, Part, Target};
use crate::document::Step;
use crate::{CommentId, Document, ThreadId, Timestamp, catalog};

pub use mention::mentions;
pub use suggestion::{check_suggestion, suggestion_edit};

/// Where a thread hangs. Follows a step through moves and renames, for it names ids, not places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// The trigger, the settings or a step; `None` for the draft as a whole.
    pub target: Option<Target>,
    /// One of its fields; `None` for all of it.
    pub field: Option<Field>,
    /// One entry of a field that holds names with values, or JSON; `None` for all of it. Named as
    /// it was at the revision that was looked at; [`Anchor::entry_in`] finds it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Entry>,
    /// A part of the text of the field or entry, in characters: from, to.
    pub range: Option<(u32, u32)>,
}

/// Comments on one thing, in the order in which they were written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// Identity.
    pub id: ThreadId,
    /// Where it hangs.
    pub anchor: Anchor,
    /// Which side of the change it speaks of: true for what is deleted or was before.
    pub on_base: bool,
    /// The draft's revision that it was written on.
    pub revision: u32,
    /// What the field said then, all of it also where the thread hangs on an entry; `None` without
    /// a field.
    pub quoted: Option<Value>,
    /// Who resolved it, and when.
    pub resolved: Option<(Person, Timestamp)>,
    /// At least one.
    pub comments: Vec<Comment>,
}

/// A thread that is to be started, with its first comment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewThread {
    /// Where it hangs.
    pub anchor: Anchor,
    /// Whether it speaks of what was before.
    pub on_base: bool,
    /// The draft's revision that was looked at.
    pub revision: u32,
    /// Markdown.
    pub body: String,
    /// The value that the field should have instead.
    pub suggestion: Option<Value>,
    /// Whether it waits until its author submits a review.
    pub is_pending: bool,
}

/// One comment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comment {
    /// Identity.
    pub id: CommentId,
    /// Who wrote it.
    pub by: Person,
    /// Markdown; empty when it was deleted.
    pub body: String,
    /// The value that the anchored field should have instead.
    pub suggestion: Option<Suggestion>,
    /// When it was written.
    pub at: Timestamp,
    /// When it was last changed.
    pub edited_at: Option<Timestamp>,
    /// Whether it was deleted: its place stays, its text is gone.
    pub is_deleted: bool,
    /// Whether only its author sees it yet: it is sent with the next submitted review.
    pub is_pending: bool,
}

/// A proposed value for the field that the thread hangs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The value.
    pub value: Value,
    /// Who applied it, and as which revision.
    pub applied: Option<(Person, u32)>,
}

/// What became of what a thread speaks of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Currency {
    /// It is as it was.
    Current,
    /// The field has another value now.
    Changed {
        /// What it says now; `None` when it is not set any more.
        now: Option<Value>,
    },
    /// The step is not in the draft any more.
    Gone,
}

impl Thread {
    /// Returns what became of what the thread speaks of, in the draft as it is now.
    pub fn currency(&self, base: &Document, draft: &Document) -> Currency {
        let document = if self.on_base { base } else { draft };
        let Some(target) = self.anchor.target else {
            return Currency::Current;
        };
        if let Target::Step(step) = target
            && !document.steps.contains_key(&step)
        {
            return Currency::Gone;
        }
        let Some(field) = &self.anchor.field else {
            return Currency::Current;
        };
        let now = change::value(document, target, field);
        let now = match &self.anchor.entry {
            None => now,
            Some(_) => {
                let entry = self.entry_in(base, draft);
                entry.and_then(|entry| entry.find(now.as_ref()?).cloned())
            }
        };
        if now.as_ref() == self.said() {
            Currency::Current
        } else {
            Currency::Changed { now }
        }
    }

    /// Returns what the field or the entry said when the thread was written.
    pub fn said(&self) -> Option<&Value> {
        self.anchor.part_of(self.quoted.as_ref()?)
    }

    /// Returns the entry that the thread hangs on, as it is called now; `None` without one, and
    /// when it is not there any more.
    pub fn entry_in(&self, base: &Document, draft: &Document) -> Option<Entry> {
        let document = if self.on_base { base } else { draft };
        self.anchor.entry_in(self.quoted.as_ref(), document)
    }

    /// Returns whether the thread waits for an answer or a change.
    pub fn is_open(&self) -> bool {
        self.resolved.is_none()
    }
}

impl Anchor {
    /// Returns what the anchored field says in the document that the thread speaks of: the base's
    /// or the draft's. `None` without a field, or when it is not set there.
    ///
    /// # Errors
    /// When neither document has what the anchor names, or the range is not within a text.
    pub fn quote(
        &self,
        on_base: bool,
        base: &Document,
        draft: &Document,
    ) -> Result<Option<Value>, Refusal> {
        if !self.is_in(base) && !self.is_in(draft) {
            return Err(Refusal::NoSuchAnchor);
        }
        let document = if on_base { base } else { draft };
        let quoted = match (self.target, &self.field) {
            (Some(target), Some(field)) => change::value(document, target, field),
            _ => None,
        };
        let said = quoted.as_ref().and_then(|quoted| self.part_of(quoted));
        if self.entry.is_some() && said.is_none() {
            return Err(Refusal::NoSuchAnchor);
        }
        match (self.range, said) {
            (None, _) => Ok(quoted),
            (Some((from, to)), Some(Value::String(text)))
                if from < to && to as usize <= text.chars().count() =>
            {
                Ok(quoted)
            }
            (Some(_), _) => Err(Refusal::NoSuchAnchor),
        }
    }

    /// Returns the part of the field's value that the anchor names: an entry or all of it.
    fn part_of<'a>(&self, field: &'a Value) -> Option<&'a Value> {
        match &self.entry {
            Some(entry) => entry.find(field),
            None => Some(field),
        }
    }

    /// Returns the anchored entry as it is called in a document; `quoted` is what the field said
    /// when the anchor was set. `None` without an entry, and when it is not there any more.
    pub fn entry_in(&self, quoted: Option<&Value>, document: &Document) -> Option<Entry> {
        let (target, field) = (self.target?, self.field.as_ref()?);
        let now = change::value(document, target, field)?;
        self.entry.as_ref()?.follow(quoted?, &now)
    }

    /// Returns the anchor as it is set on a document now: its entry may have another name. One
    /// that is gone keeps its name.
    pub fn in_document(mut self, quoted: Option<&Value>, document: &Document) -> Self {
        let now = self.entry_in(quoted, document);
        self.entry = now.or(self.entry);
        self
    }

    /// Returns whether a document has what the anchor names. A field of the catalog counts also
    /// where it is not set.
    fn is_in(&self, document: &Document) -> bool {
        let target = match self.target {
            None => return self.field.is_none() && self.entry.is_none(),
            Some(target) => target,
        };
        let step = match target {
            Target::Step(id) => match document.steps.get(&id) {
                Some(step) => Some(step),
                None => return false,
            },
            Target::Trigger | Target::Settings => None,
        };
        let Some(field) = &self.field else {
            return self.entry.is_none();
        };
        change::value(document, target, field).is_some()
            || may_be_set(document, step, target, field)
    }
}

fn may_be_set(document: &Document, step: Option<&Step>, target: Target, field: &Field) -> bool {
    match (target, step, field.part()) {
        (Target::Step(_), Some(step), Part::Config(name)) => step
            .action()
            .is_some_and(|action| action.input.field(name).is_some()),
        (Target::Step(_), Some(_), Part::Notes) => true,
        (Target::Step(_), Some(step), Part::LaneWhen(id)) => {
            step.lanes.iter().any(|lane| lane.id == id)
        }
        (Target::Trigger, _, Part::Config(name)) => catalog::trigger(&document.trigger.kind)
            .is_some_and(|trigger| trigger.input.field(name).is_some()),
        _ => false,
    }
}

/// Returns a comment's text as it is kept.
///
/// # Errors
/// When it is too long, or empty without a suggestion.
pub fn check_body(body: &str, suggestion: Option<&Value>) -> Result<String, Refusal> {
    let body = decide::check_text(body)?;
    if body.is_empty() && suggestion.is_none() {
        return Err(Refusal::CommentEmpty);
    }
    Ok(body)
}
