//! What a run records, within bounds, and what it recorded before.
//!
//! Records of pure steps are kept here and handed over with the next durable append or with the
//! outcome. What is left out depends only on the run itself, so a resumed run records the same.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Timestamp;
use domain::run::{StepPath, StepRecord, StepState};
use serde_json::Value;

use super::frame::Told;

/// Rounds (of all loops of a run together) whose steps are recorded one by one.
pub(super) const ROUNDS: usize = 1_000;
/// Most that is kept of the consoles of a run's rounds, in bytes.
const CONSOLES_BYTES: usize = 1024 * 1024;
/// Pure steps that are recorded one by one.
const RECORDS: usize = 10_000;
/// Failed steps that are recorded, when the run goes on after them.
const FAILURES: usize = 20_000;
/// Largest input or output that is recorded whole, in bytes of JSON.
const VALUE_BYTES: usize = 1024 * 1024;
/// Inputs and outputs of pure steps in one run, in bytes of JSON.
const ALL_BYTES: usize = 8 * 1024 * 1024;
/// Records and bytes that are kept before they are appended on their own.
const KEPT: (usize, usize) = (1_000, 2 * 1024 * 1024);
/// Bytes of records after which no more are appended in the same write: strands that end together
/// may have more than one write can hold. One alone has less than 48 MiB: an answer of at most
/// 6 MiB, each byte of which may take six as JSON, and an input of at most one.
pub(super) const AT_ONCE_BYTES: usize = 16 * 1024 * 1024;
/// Longest number as JSON that is negative or has a fraction.
const NUMBER_BYTES: usize = 25;
/// How many milliseconds the result of an effect may wait for company before it is appended on
/// its own.
const PATIENCE_MS: u64 = 5;

/// The records of one run, shared by all of its strands.
pub(super) struct Records(Mutex<Recorder>);

impl Records {
    pub(super) fn new(history: Vec<StepRecord>) -> Self {
        Self(Mutex::new(Recorder::new(history)))
    }

    fn locked(&self) -> MutexGuard<'_, Recorder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out what was recorded of a step before this execution.
    pub(super) fn recorded(&self, path: &StepPath) -> Option<StepRecord> {
        self.locked().recorded(path)
    }

    /// Returns what was recorded of a step before this execution, and leaves it there.
    pub(super) fn known(&self, path: &StepPath) -> Option<StepRecord> {
        self.locked().history.get(path).cloned()
    }

    /// Notes that a round of a loop begins.
    pub(super) fn begin_round(&self) {
        self.locked().rounds += 1;
    }

    /// Returns whether a step is recorded when it succeeds: outside loops always, inside them
    /// until there are too many.
    pub(super) fn is_detailed(&self, is_in_loop: bool) -> bool {
        let recorder = self.locked();
        !is_in_loop || (recorder.rounds <= ROUNDS && recorder.all_records < RECORDS)
    }

    /// Returns whether a step is recorded when it fails and the run goes on.
    pub(super) fn takes_failure(&self, is_in_loop: bool) -> bool {
        !is_in_loop || self.locked().all_records < FAILURES
    }

    /// Notes that a container begins, so that its record stands before those of its steps.
    pub(super) fn begin(&self, record: StepRecord) {
        self.locked().begin(record);
    }

    /// Notes that a loop begins, as [`Records::begin`]. What it was told is shared until it is
    /// appended, which mostly is after its end.
    pub(super) fn begin_loop(&self, record: StepRecord, told: &Told) {
        let mut recorder = self.locked();
        let place = recorder.kept.len();
        if recorder.begin(record) {
            recorder.told.push((place, told.clone()));
        }
    }

    /// Keeps the end of a loop, as [`Records::pure`].
    pub(super) fn end_loop(&self, record: StepRecord, told: Told) {
        let mut recorder = self.locked();
        if let Some(begun) = recorder.begun(&record.path) {
            recorder.told.retain(|(place, _)| *place != begun);
        }
        let input = told.into_input();
        recorder.pure(StepRecord { input, ..record });
    }

    /// Keeps the end of a pure step, unless it was recorded before.
    pub(super) fn pure(&self, record: StepRecord) {
        self.locked().pure(record);
    }

    /// Keeps what an effect was told or gave. A result must be durable soon: see
    /// [`Records::must_append`].
    pub(super) fn effect(&self, record: StepRecord) {
        self.locked().effect(record);
    }

    /// Notes that a result among what is kept is that of a write.
    pub(super) fn note_write(&self) {
        self.locked().has_write = true;
    }

    /// Returns whether the result of a write is among what is kept. It must not wait while
    /// something outside is waited for.
    pub(super) fn has_write(&self) -> bool {
        self.locked().has_write
    }

    /// Returns whether what is kept should be appended while a request is under way.
    pub(super) fn may_append_beside(&self, now: Timestamp) -> bool {
        let recorder = self.locked();
        recorder.has_write || recorder.must_append(|| now)
    }

    /// Returns whether the result of an effect is not durable yet.
    pub(super) fn has_result(&self) -> bool {
        let recorder = self.locked();
        recorder.result_since.is_some() || recorder.is_appending
    }

    /// Returns whether what is kept should be appended now, although nothing else asks for it.
    pub(super) fn must_append(&self, now: impl FnOnce() -> Timestamp) -> bool {
        self.locked().must_append(now)
    }

    /// Takes out all that is kept, to be appended.
    pub(super) fn take(&self) -> Vec<StepRecord> {
        self.locked().take()
    }

    /// Takes out the oldest of what is kept, as much as is appended at once; says whether that is
    /// all.
    pub(super) fn take_some(&self) -> (Vec<StepRecord>, bool) {
        self.locked().take_some()
    }

    /// Returns whether more is kept than is written at once.
    pub(super) fn are_many(&self) -> bool {
        self.locked().kept_bytes > AT_ONCE_BYTES
    }

    /// Notes whether what was taken out is on its way.
    pub(super) fn set_appending(&self, is_appending: bool) {
        self.locked().is_appending = is_appending;
    }
}

/// What is behind [`Records`].
struct Recorder {
    history: HashMap<StepPath, StepRecord>,
    kept: Vec<StepRecord>,
    /// What loops were told whose beginnings are kept, with their places in `kept`.
    told: Vec<(usize, Told)>,
    kept_bytes: usize,
    /// What the consoles of all code have said so far, in bytes.
    console_bytes: usize,
    all_records: usize,
    all_bytes: usize,
    rounds: usize,
    /// Since when the result of an effect waits to be appended.
    result_since: Option<Timestamp>,
    /// That of a write, which must not wait while something outside is waited for.
    has_write: bool,
    /// What was taken out last is not known to be durable yet.
    is_appending: bool,
}

impl Recorder {
    fn new(history: Vec<StepRecord>) -> Self {
        let history = history
            .into_iter()
            .map(|record| (record.path.clone(), record));
        Self {
            history: history.collect(),
            kept: Vec::new(),
            told: Vec::new(),
            kept_bytes: 0,
            console_bytes: 0,
            all_records: 0,
            all_bytes: 0,
            rounds: 0,
            result_since: None,
            has_write: false,
            is_appending: false,
        }
    }

    fn recorded(&mut self, path: &StepPath) -> Option<StepRecord> {
        if self.history.is_empty() {
            return None;
        }
        self.history.remove(path)
    }

    /// Returns whether it was not known before.
    fn begin(&mut self, record: StepRecord) -> bool {
        let is_new = !self.history.contains_key(&record.path);
        if is_new {
            self.kept.push(record);
        }
        is_new
    }

    /// Returns where the beginning of a container is kept.
    fn begun(&self, path: &StepPath) -> Option<usize> {
        let is_it = |kept: &StepRecord| kept.state == StepState::Started && kept.path == *path;
        self.kept.iter().rposition(is_it)
    }

    fn pure(&mut self, mut record: StepRecord) {
        self.all_records += 1;
        record.input = self.fit(record.input);
        record.output = self.fit(record.output);
        self.kept_bytes += written(&record);
        let earlier = self.recorded(&record.path);
        if earlier.is_some_and(|earlier| {
            matches!(earlier.state, StepState::Succeeded | StepState::Failed)
        }) {
            return;
        }
        match self.begun(&record.path) {
            Some(begun) => self.kept[begun] = record,
            None => self.kept.push(record),
        }
    }

    fn effect(&mut self, mut record: StepRecord) {
        let input = std::mem::take(&mut record.input);
        let (bytes, has_nul) = measure(&input);
        record.input = match bytes {
            too_large if too_large > VALUE_BYTES => left_out(too_large),
            _ if self.rounds > ROUNDS && !record.path.rounds.is_empty() => Value::Null,
            _ if has_nul => without_nul(input),
            _ => input,
        };
        // A console says the more, the more often its code runs; what matters of it is at the start.
        if !record.path.rounds.is_empty() && self.console_bytes >= CONSOLES_BYTES {
            record.console = Vec::new();
        }
        let console: usize = record.console.iter().map(|line| line.text.len()).sum();
        self.console_bytes += console;
        self.kept_bytes += written(&record);
        if record.state != StepState::Started {
            let at = record.finished_at.unwrap_or(record.started_at);
            self.result_since.get_or_insert(at);
        }
        self.kept.push(record);
    }

    fn must_append(&self, now: impl FnOnce() -> Timestamp) -> bool {
        self.kept.len() >= KEPT.0
            || self.kept_bytes >= KEPT.1
            || self
                .result_since
                .is_some_and(|since| now().since(since) >= PATIENCE_MS)
    }

    fn take_some(&mut self) -> (Vec<StepRecord>, bool) {
        if self.kept_bytes <= AT_ONCE_BYTES {
            return (self.take(), true);
        }
        self.tell();
        let (mut bytes, mut count) = (0, 0);
        while let Some(record) = self.kept.get(count).filter(|_| bytes < AT_ONCE_BYTES) {
            bytes += written(record);
            count += 1;
        }
        let rest = self.kept.split_off(count);
        if rest.is_empty() {
            return (self.take(), true);
        }
        self.kept_bytes = self.kept_bytes.saturating_sub(bytes);
        (std::mem::replace(&mut self.kept, rest), false)
    }

    /// Writes into the beginnings of loops what these were told.
    fn tell(&mut self) {
        for (place, told) in self.told.drain(..) {
            self.kept[place].input = told.into_input();
        }
    }

    fn take(&mut self) -> Vec<StepRecord> {
        self.tell();
        self.kept_bytes = 0;
        self.result_since = None;
        self.has_write = false;
        std::mem::take(&mut self.kept)
    }

    fn fit(&mut self, value: Value) -> Value {
        let (bytes, has_nul) = measure(&value);
        if bytes > VALUE_BYTES || self.all_bytes + bytes > ALL_BYTES {
            return left_out(bytes);
        }
        self.all_bytes += bytes;
        if has_nul { without_nul(value) } else { value }
    }
}

fn left_out(bytes: usize) -> Value {
    let size = if bytes >= 100_000 {
        format!("{:.1} MB", bytes as f64 / 1_000_000.0)
    } else {
        format!("{} kB", bytes.div_ceil(1_000))
    };
    Value::String(format!("[{size}, left out of the record]"))
}

/// Returns about how many bytes a value has as JSON, and whether a text in it holds U+0000,
/// which Postgres cannot keep in JSON.
pub(super) fn measure(value: &Value) -> (usize, bool) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => (5, false),
        Value::String(text) => (text.len() + 2, text.contains('\0')),
        Value::Array(items) => items
            .iter()
            .map(measure)
            .fold((2, false), |(bytes, nul), (b, n)| (bytes + b + 1, nul | n)),
        Value::Object(map) => map.iter().fold((2, false), |(bytes, nul), (name, item)| {
            let (b, n) = measure(item);
            (bytes + b + name.len() + 4, nul | n | name.contains('\0'))
        }),
    }
}

/// Returns how many bytes a record has at most when it is written, but for its names.
fn written(record: &StepRecord) -> usize {
    let texts = record.console.iter().map(|line| line.text.as_str());
    let texts = texts.chain(record.error.as_deref()).map(written_text);
    written_value(&record.input) + written_value(&record.output) + texts.sum::<usize>()
}

/// Returns how many bytes a value has at most when it is written as JSON, which may be several times
/// what [`measure`] says.
pub(super) fn written_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) => match number.as_u64() {
            Some(number) => number
                .checked_ilog10()
                .map_or(1, |digits| digits as usize + 1),
            None => NUMBER_BYTES,
        },
        Value::String(text) => written_text(text),
        Value::Array(items) => {
            items
                .iter()
                .map(|item| written_value(item) + 1)
                .sum::<usize>()
                + 2
        }
        Value::Object(map) => {
            let entries = map.iter();
            let entries = entries.map(|(name, item)| written_text(name) + written_value(item) + 2);
            entries.sum::<usize>() + 2
        }
    }
}

fn written_text(text: &str) -> usize {
    let count = |is_it: fn(u8) -> bool| text.bytes().filter(|byte| is_it(*byte)).count();
    let controls = count(|byte| byte < b' ');
    text.len() + 2 + 5 * controls + count(|byte| matches!(byte, b'"' | b'\\'))
}

/// Replaces U+0000 in all texts.
pub(super) fn without_nul(value: Value) -> Value {
    let clean = |text: String| text.replace('\0', "\u{fffd}");
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nul).collect()),
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(name, item)| (clean(name), without_nul(item)))
                .collect(),
        ),
        other => other,
    }
}
