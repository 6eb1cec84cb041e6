//! What each receiver got before, and what it gets now that it did not.

use std::collections::{BTreeMap, BTreeSet};

use super::Receiver;
use super::flow::{Flow, Values};

/// Returns each of those who get something together.
pub(super) fn each(receiver: &Receiver) -> Vec<Receiver> {
    match receiver {
        Receiver::Mail(addresses) => {
            let one = |address: &String| Receiver::Mail(vec![address.clone()]);
            addresses.iter().map(one).collect()
        }
        other => other.parts(),
    }
}

/// Returns as much of a receiver as consists of such as [`each`] returns; `None` when that is nothing.
pub(super) fn some(
    receiver: &Receiver,
    mut is_such: impl FnMut(&Receiver) -> bool,
) -> Option<Receiver> {
    let Receiver::Mail(addresses) = receiver else {
        return receiver.only(is_such);
    };
    let addresses = addresses.iter();
    let such = addresses.filter(|address| is_such(&Receiver::Mail(vec![(*address).clone()])));
    let such: Vec<String> = such.cloned().collect();
    (!such.is_empty()).then_some(Receiver::Mail(such))
}

/// What each receiver got in the earlier document.
pub(super) struct Sent {
    by: BTreeMap<Receiver, BTreeSet<Vec<String>>>,
    all: BTreeSet<Vec<String>>,
}

/// What receivers get that they did not get before.
pub(super) struct Added {
    /// Those that got nothing at all before, not even a request without a value.
    pub(super) first: BTreeSet<Receiver>,
    values: Vec<Value>,
}

/// A value that receivers did not get before.
struct Value {
    shown: String,
    /// Who did not.
    lacked: BTreeSet<Receiver>,
    /// Others got it before.
    also: bool,
}

impl Sent {
    pub(super) fn of(flow: &Flow<'_>) -> Self {
        let mut sent = Self {
            by: BTreeMap::new(),
            all: BTreeSet::new(),
        };
        for call in &flow.calls {
            for one in each(&call.receiver) {
                let values = sent.by.entry(one).or_default();
                values.extend(call.values.keys().cloned());
            }
            sent.all.extend(call.values.keys().cloned());
        }
        sent
    }

    /// Returns what a receiver did not get before, and notes that it gets it. Who got all of
    /// something got each part of it.
    pub(super) fn add(&mut self, receiver: &Receiver, values: &Values) -> Added {
        let has = |got: &BTreeSet<Vec<String>>, path: &[String]| {
            (1..=path.len()).any(|length| got.contains(&path[..length]))
        };
        let receivers = each(receiver);
        let is_first = |one: &&Receiver| !self.by.contains_key(*one);
        let mut added = Added {
            first: receivers.iter().filter(is_first).cloned().collect(),
            values: Vec::new(),
        };
        for (path, shown) in values {
            let mut lacked = BTreeSet::new();
            for one in &receivers {
                let got = self.by.entry(one.clone()).or_default();
                if !has(got, path) {
                    got.insert(path.clone());
                    lacked.insert(one.clone());
                }
            }
            if !lacked.is_empty() {
                added.values.push(Value {
                    shown: shown.clone(),
                    lacked,
                    also: has(&self.all, path),
                });
            }
        }
        for one in receivers {
            self.by.entry(one).or_default();
        }
        added
    }
}

impl Added {
    /// Returns the values that at least one such receiver did not get before.
    pub(super) fn values(&self, is_such: impl Fn(&Receiver) -> bool) -> Vec<String> {
        let values = self.values.iter();
        let values = values.filter(|value| value.lacked.iter().any(&is_such));
        values.map(|value| value.shown.clone()).collect()
    }

    /// Returns which such parts of a receiver get which values, and whether others got all of these
    /// before. Parts that got a value before do not stand with it.
    pub(super) fn receivers(
        &self,
        receiver: &Receiver,
        is_such: impl Fn(&Receiver) -> bool,
    ) -> Vec<(Receiver, Vec<String>, bool)> {
        let mut told: Vec<(Receiver, Vec<String>, bool)> = Vec::new();
        for value in &self.values {
            let Some(lacked) = some(receiver, |one| is_such(one) && value.lacked.contains(one))
            else {
                continue;
            };
            match told.iter_mut().find(|(receiver, ..)| *receiver == lacked) {
                Some((_, values, also)) => {
                    values.push(value.shown.clone());
                    *also &= value.also;
                }
                None => told.push((lacked, vec![value.shown.clone()], value.also)),
            }
        }
        told
    }
}
