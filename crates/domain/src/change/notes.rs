//! Finds what a change means for the data: who is called, what is written, what goes where.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::between::Renames;
use super::flow::{Call, Flow};
use super::note::{Note, Turned, When};
use super::pair::{Item, Pair};
use super::sent::{Added, Sent, each, some};
use super::tree::Tree;
use super::{Changes, Moved, Part, Receiver, StepChange, What};
use crate::connection::of_step;
use crate::connector::Declared;
use crate::document::{Step, Trigger};
use crate::{ConnectionId, Document, StepId};

/// The field of a query with its statement.
const SQL: &str = "sql";
/// Most pairs of a filter and a write that are looked at.
const GUARDED: usize = 1_000_000;

/// Returns what the changes mean for the data, what a reviewer should care about most first.
pub fn notes(before: &Document, after: &Document, changes: &Changes) -> Vec<Note> {
    let pair = Pair::new(before, after);
    let mut old = Flow::new(&pair.before);
    follow_renames(&mut old, &Renames::new(&pair));
    let new = Flow::new(&pair.after);
    let mut places = BTreeMap::new();
    pair.read(|_, item| {
        let id = match item {
            Item::Step {
                after: Some(new), ..
            } => pair.after.id(new),
            Item::Step {
                before: Some(old),
                after: None,
            } => pair.before.id(old),
            _ => return,
        };
        places.insert(id, places.len());
    });
    let sent = Sent::of(&old);
    let mut found = Finder {
        pair: &pair,
        places,
        sent,
        old,
        new,
        notes: Vec::new(),
    };
    found.broken(before, after);
    found.rebound();
    found.elsewhere(changes);
    found.unguarded(changes);
    found.code();
    found.calls(after.trigger.kind == "webhook");
    found.trigger(before, after);
    let place = |note: &Note| note.step().and_then(|step| found.places.get(&step));
    found.notes.sort_by_key(|note| (note.rank(), place(note)));
    found.notes
}

/// An address that says a step's slug is the same one when the step was renamed.
fn follow_renames(flow: &mut Flow<'_>, renames: &Renames<'_>) {
    let follow = |text: &mut String| {
        if let Some(Value::String(followed)) = renames.follow(&Value::String(text.clone()), false) {
            *text = followed;
        }
    };
    for call in &mut flow.calls {
        match &mut call.receiver {
            Receiver::Made(text) => follow(text),
            Receiver::Mail(addresses) => {
                addresses.iter_mut().for_each(follow);
                addresses.sort();
            }
            _ => {}
        }
    }
}

pub(super) struct Finder<'a, 'p> {
    pub(super) pair: &'p Pair<'a>,
    /// In which order the steps of both documents are read.
    pub(super) places: BTreeMap<StepId, usize>,
    pub(super) old: Flow<'p>,
    pub(super) new: Flow<'p>,
    sent: Sent,
    pub(super) notes: Vec<Note>,
}

impl Finder<'_, '_> {
    /// Returns the name of a step of the later document.
    pub(super) fn name(&self, new: usize) -> String {
        self.pair.after.step(new).name.clone()
    }

    /// Tells who is called and who is not any more, and what they get.
    fn calls(&mut self, is_webhook: bool) {
        let mut called: BTreeSet<Receiver> = self
            .old
            .calls
            .iter()
            .flat_map(|call| call.receiver.parts())
            .collect();
        let mut calls = std::mem::take(&mut self.new.calls);
        calls.sort_by_key(|call| self.places.get(&self.pair.after.id(call.step)));
        let still = calls.iter().flat_map(|call| call.receiver.parts());
        let still: BTreeSet<Receiver> = still.collect();
        let mut told: BTreeSet<Receiver> = BTreeSet::new();
        for call in &calls {
            let added = self.sent.add(&call.receiver, &call.values);
            let first = call.receiver.only(|part| called.insert(part.clone()));
            let old = self
                .pair
                .to_before
                .get(call.step)
                .and_then(|old| self.old.of(old));
            let had = old.map(|old| self.pair.before.step(old.step));
            let (was, is) = (
                had.and_then(of_step),
                of_step(self.pair.after.step(call.step)),
            );
            let is_told = match call.receiver {
                // Which database it is, and whether it is another one, is told as such.
                Receiver::Database(_) => false,
                // They are the mail server's; which one it is matters when it is another one.
                Receiver::Mail(_) => was.is_some() && is.is_some(),
                _ => true,
            };
            if was != is && is_told {
                self.notes.push(Note::Credentials {
                    step: self.pair.after.id(call.step),
                    name: self.name(call.step),
                    was,
                    is,
                    receiver: call.receiver.clone(),
                });
            }
            match old {
                _ if call.receiver == Receiver::Caller => {
                    if is_webhook {
                        self.notes.extend(self.answer(call, added, first.is_some()));
                    }
                }
                None => self.notes.extend(self.new_call(call, first, added)),
                Some(old) => {
                    let mut others = Others::of((&old.receiver, was), (&call.receiver, is));
                    others.first = others.is.as_ref().and_then(|is| {
                        some(is, |one| !is_origins(one) && added.first.contains(one))
                    });
                    let may_be_called = may_be_called(was, &still);
                    others.last = others.was.as_ref().and_then(|was| {
                        was.only(|part| {
                            is_named(part)
                                && !may_be_called
                                && !still.contains(part)
                                && told.insert(part.clone())
                        })
                    });
                    self.notes.extend(self.kept_call(old, call, others, added));
                }
            }
        }
        let there = calls
            .iter()
            .filter(|call| call.receiver != Receiver::Caller);
        let there: BTreeSet<usize> = there.map(|call| call.step).collect();
        for call in &self.old.calls {
            let is_there = self
                .pair
                .to_after
                .get(call.step)
                .is_some_and(|step| there.contains(&step));
            if is_there || call.receiver == Receiver::Caller {
                continue;
            }
            let may_be_called = may_be_called(of_step(self.pair.before.step(call.step)), &still);
            let last = call
                .receiver
                .only(|part| !may_be_called && !still.contains(part) && told.insert(part.clone()));
            // Of a write all is told, of what only reads those whom nothing calls any more.
            let receiver = Some(&call.receiver).filter(|_| call.is_write);
            if let Some(receiver) = receiver.or(last.as_ref()) {
                self.notes.push(Note::Gone {
                    step: self.pair.before.id(call.step),
                    name: self.pair.before.step(call.step).name.clone(),
                    method: call.method.clone(),
                    is_write: call.is_write,
                    receiver: receiver.clone(),
                    last,
                });
            }
        }
    }

    /// Tells of the call of a step that did not call.
    fn new_call(&self, call: &Call, first: Option<Receiver>, added: Added) -> Vec<Note> {
        let (step, name) = (self.pair.after.id(call.step), self.name(call.step));
        let (method, receiver) = (call.method.clone(), call.receiver.clone());
        let values = added.values(|_| true);
        match (first, call.is_write) {
            (Some(new), _) => {
                let is_new: BTreeSet<Receiver> = each(&new).into_iter().collect();
                let rest = some(&receiver, |one| !is_new.contains(one));
                let mut notes = vec![Note::NewHost {
                    step,
                    name: name.clone(),
                    method: method.clone(),
                    receiver: new,
                    values: added.values(|one| is_new.contains(one)),
                }];
                match rest {
                    Some(receiver) if call.is_write => notes.push(Note::NewWrite {
                        step,
                        name,
                        method,
                        receiver,
                        values: added.values(|one| !is_new.contains(one)),
                    }),
                    _ => notes.extend(self.sent(call, &added, |one| !is_new.contains(one))),
                }
                notes
            }
            (None, true) => vec![Note::NewWrite {
                step,
                name,
                method,
                receiver,
                values,
            }],
            (None, false) => self.sent(call, &added, |_| true),
        }
    }

    /// Tells what of a call receivers did not get before. Of these, only such are told.
    fn sent(&self, call: &Call, added: &Added, is_such: impl Fn(&Receiver) -> bool) -> Vec<Note> {
        let told = added.receivers(&call.receiver, is_such).into_iter();
        let told = told.map(|(receiver, values, also)| Note::Sent {
            step: self.pair.after.id(call.step),
            name: self.name(call.step),
            receiver,
            also,
            values,
        });
        told.collect()
    }

    /// Tells what is different about the call of a step that called before.
    fn kept_call(&self, old: &Call, call: &Call, others: Others, added: Added) -> Vec<Note> {
        let (step, name) = (self.pair.after.id(call.step), self.name(call.step));
        let (method, receiver) = (call.method.clone(), call.receiver.clone());
        let mut notes = Vec::new();
        let sql = |step: &Step| step.config.get(SQL).cloned();
        let (had, has) = (
            self.pair.before.step(old.step),
            self.pair.after.step(call.step),
        );
        if matches!(receiver, Receiver::Database(_)) && call.is_write && sql(had) != sql(has) {
            notes.push(Note::Statement {
                step,
                name: name.clone(),
                receiver: receiver.clone(),
            });
        }
        if old.method != method {
            let turned = match (old.is_write, call.is_write) {
                (false, true) => Some(Turned::IntoWrite),
                (true, false) => Some(Turned::IntoRead),
                _ => None,
            };
            let (was, is) = (old.method.clone(), method.clone());
            let name = name.clone();
            notes.push(Note::Method {
                step,
                name,
                was,
                is,
                turned,
                receiver,
            });
        }
        // Who is new is told with what it gets, and so what the others get is told by itself.
        let new: BTreeSet<Receiver> = others.is.iter().flat_map(each).collect();
        let Others {
            was,
            last,
            is,
            first,
        } = others;
        if was.is_some() || is.is_some() {
            notes.push(Note::Redirected {
                step,
                name,
                method,
                was,
                last,
                is,
                first,
                values: added.values(|one| new.contains(one)),
            });
        }
        notes.extend(self.sent(call, &added, |one| !new.contains(one)));
        notes
    }

    /// Tells which components are others, or do something else.
    fn code(&mut self) {
        let (before, after) = (&self.pair.before, &self.pair.after);
        for new in (0..after.count()).filter(|new| after.spot(*new).is_some()) {
            let Some(old) = self.pair.to_before.get(new) else {
                continue;
            };
            let [was, is] =
                [before.step(old), after.step(new)].map(|step| step.declared().and_then(logic));
            if was.is_some() && is.is_some() && was != is {
                let call = self.new.of(new);
                self.notes.push(Note::Code {
                    step: after.id(new),
                    name: self.name(new),
                    method: call.map(|call| call.method.clone()).unwrap_or_default(),
                    receiver: call.map(|call| call.receiver.clone()),
                });
            }
        }
    }

    /// Tells that the caller of the webhook gets an answer, or more of one.
    fn answer(&self, call: &Call, added: Added, is_first: bool) -> Vec<Note> {
        if !is_first {
            return self.sent(call, &added, |_| true);
        }
        vec![Note::Answers {
            step: self.pair.after.id(call.step),
            name: self.name(call.step),
            values: added.values(|_| true),
        }]
    }

    /// Tells of writes that run under other conditions, or another number of times.
    fn elsewhere(&mut self, changes: &Changes) {
        let moved: BTreeMap<StepId, Moved> = changes
            .steps
            .iter()
            .filter_map(|change| Some((change.id, change.moved?)))
            .filter(|(_, moved)| moved.from.list != moved.to.list)
            .collect();
        let mut inside: BTreeMap<usize, usize> = BTreeMap::new();
        for call in self.new.calls.iter().filter(|call| call.is_write) {
            let old = self
                .pair
                .to_before
                .get(call.step)
                .and_then(|old| self.old.of(old));
            if old.is_none_or(|old| !old.is_write) {
                continue;
            }
            let mut way = std::iter::once(call.step).chain(self.new.around(call.step));
            if let Some(step) = way.find(|step| moved.contains_key(&self.pair.after.id(*step))) {
                *inside.entry(step).or_default() += usize::from(step != call.step);
            }
        }
        for (new, inside) in inside {
            let stood = self
                .pair
                .to_before
                .get(new)
                .and_then(|old| self.pair.before.spot(old));
            let (Some(was), Some(is)) = (stood, self.pair.after.spot(new)) else {
                continue;
            };
            let (was, is) = (
                when(&self.pair.before, was.list),
                when(&self.pair.after, is.list),
            );
            if was != is {
                let (step, name) = (self.pair.after.id(new), self.name(new));
                self.notes.push(Note::Elsewhere {
                    step,
                    name,
                    inside,
                    was,
                    is,
                });
            }
        }
    }

    /// Tells of writes that a filter stood before, and does not any more.
    fn unguarded(&mut self, changes: &Changes) {
        let is_placed = |change: &StepChange| change.moved.is_some() || change.what != What::Kept;
        let is_other =
            |change: &StepChange| change.fields.iter().any(|f| f.field.part() == Part::Kind);
        if !changes
            .steps
            .iter()
            .any(|change| is_placed(change) || is_other(change))
        {
            return;
        }
        let (before, after) = (&self.pair.before, &self.pair.after);
        let is_filter = |tree: &Tree<'_>, step: usize| tree.step(step).kind == "filter";
        let filters: Vec<usize> = (0..before.count())
            .filter(|step| is_filter(before, *step))
            .collect();
        let writes: Vec<(usize, usize)> = self
            .new
            .calls
            .iter()
            .filter(|call| call.is_write)
            .filter_map(|call| Some((self.pair.to_before.get(call.step)?, call.step)))
            .filter(|(old, _)| self.old.of(*old).is_some_and(|call| call.is_write))
            .collect();
        if filters.len().saturating_mul(writes.len()) > GUARDED {
            return;
        }
        for filter in filters {
            let now = self
                .pair
                .to_after
                .get(filter)
                .filter(|now| is_filter(after, *now));
            let free: Vec<usize> = writes
                .iter()
                .filter(|(old, new)| {
                    self.old.sees(*old, filter) && !now.is_some_and(|now| self.new.sees(*new, now))
                })
                .map(|(_, new)| *new)
                .collect();
            if let Some(first) = free.first() {
                self.notes.push(Note::Unguarded {
                    step: after.id(*first),
                    names: free.iter().map(|step| self.name(*step)).collect(),
                    filter: before.step(filter).name.clone(),
                });
            }
        }
    }

    fn trigger(&mut self, before: &Document, after: &Document) {
        let (old, new) = (&before.trigger, &after.trigger);
        let method = |trigger: &Trigger| {
            let method = trigger.config.get("method").and_then(Value::as_str);
            method.map(str::to_owned)
        };
        if old.kind != new.kind {
            let (was, is) = (old.kind.clone(), new.kind.clone());
            self.notes.push(Note::Trigger { was, is });
        } else if let (Some(was), Some(is)) = (method(old), method(new))
            && was != is
            && new.kind == "webhook"
        {
            self.notes.push(Note::Webhook { was, is });
        }
        if before.responds() && !after.responds() && new.kind == "webhook" {
            let there = after.steps.keys().find(|id| {
                before
                    .steps
                    .get(id)
                    .is_some_and(|step| step.kind == "respond")
            });
            self.notes.push(Note::AnswersNoMore {
                step: there.copied(),
            });
        }
    }
}

/// To whom else a step sends something than it did.
struct Others {
    /// To whom it does not any more.
    was: Option<Receiver>,
    /// The hosts of them to which nothing goes any more.
    last: Option<Receiver>,
    /// To whom it does now.
    is: Option<Receiver>,
    /// Those of them to whom nothing went before, without the origins of a connection.
    first: Option<Receiver>,
}

impl Others {
    /// Returns who is other, each side with the connection of its step. When that is another one,
    /// the note of the credentials tells of the origins as well; when there is none any more, only
    /// of a component that goes on.
    fn of(
        (was, had): (&Receiver, Option<ConnectionId>),
        (is, has): (&Receiver, Option<ConnectionId>),
    ) -> Self {
        let (old, new) = (each(was), each(is));
        let is_any_kept = new.iter().any(|one| old.contains(one));
        let is_run = matches!(is, Receiver::Component { .. });
        let with_origins = had == has || has.is_none() && !(is_run && is_any_kept);
        let without = |all: &Receiver, others: &[Receiver]| {
            some(all, |one| {
                !others.contains(one) && (with_origins || !is_origins(one))
            })
        };
        Self {
            was: without(was, &new),
            last: None,
            is: without(is, &old),
            first: None,
        }
    }
}

/// Returns whether a component may still call the origins of a connection, among which those may be
/// that were called with it.
fn may_be_called(connection: Option<ConnectionId>, still: &BTreeSet<Receiver>) -> bool {
    connection.is_some_and(|connection| still.contains(&Receiver::origins(connection)))
}

/// Returns whether a part of a receiver is the origins of a connection. Nothing is said of whether
/// these were called before, or are any more: other hosts that are called may be among them.
fn is_origins(part: &Receiver) -> bool {
    matches!(part, Receiver::Component { .. })
}

/// Returns whether a redirected step says of whomever it leaves that nothing calls it any more.
fn is_named(part: &Receiver) -> bool {
    matches!(part, Receiver::Host(_) | Receiver::Made(_))
}

/// Returns what decides which code a component runs: its module, and what it is to do.
fn logic(declared: &Declared) -> Option<(&str, &str)> {
    let component = declared.component()?;
    Some((&component.sha256, &declared.operation().run))
}

/// Returns when the steps of a list run.
fn when(tree: &Tree<'_>, list: usize) -> When {
    let (Some((owner, _)), Some(lane)) = (tree.owner(list), tree.lane(list)) else {
        return When::Flow;
    };
    let container = tree.step(owner);
    match container.kind.as_str() {
        "loop" => When::Each(container.name.clone()),
        _ => When::Lane(lane.name.clone(), container.name.clone()),
    }
}
