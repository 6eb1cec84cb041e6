//! Keeps a draft on the server while it is edited.
//!
//! One save is under way at a time; it carries the revision it was made on. When someone else saved
//! in between, the edits are merged into theirs; and what others save is taken when this browser
//! hears of it, whether or not there is something to save here. What the server has not confirmed is also
//! kept in the browser ([`super::kept`]), so that neither a stopped server nor a closed tab loses a
//! keystroke.

mod settle;

use std::rc::Rc;
use std::time::Duration;

use domain::draft::{Save, SaveOutcome};
use domain::edit::{self, Edit};
use domain::{AccountId, Document, DraftId};
use leptos::prelude::*;
use leptos::task::spawn_local;
use uuid::Uuid;

use super::api;
use super::comparing::{Comparing, comparing};
use super::editor::{Editor, Unfit};
use super::kept::Shelf;
use crate::fault::Fault;
use crate::{design, session};

pub(super) use settle::{Opened, open};

/// How long typing must pause before it is saved.
const PAUSE: Duration = Duration::from_millis(350);
/// How long to wait before trying again, when the server does not answer.
const RETRY: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// How long it is shown what someone else did.
const TOLD: Duration = Duration::from_secs(12);

/// What the top bar says about saving.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SaveState {
    /// Everything is on the server.
    Saved,
    /// Typed, about to be sent.
    Waiting,
    /// On its way.
    Saving,
    /// The server does not answer; it is tried again. Kept in this browser meanwhile.
    Offline,
    /// The server refused; kept in this browser.
    Refused(String),
}

/// Saves one editor's draft. A handle.
#[derive(Clone, Copy)]
pub(super) struct Saving {
    id: DraftId,
    /// Whose edits these are: they are never sent as anybody else.
    account: AccountId,
    editor: Editor,
    shelf: StoredValue<Rc<Shelf>, LocalStorage>,
    /// What the top bar says.
    pub(super) state: RwSignal<SaveState>,
    /// The revision that the server confirmed last.
    pub(super) revision: RwSignal<u32>,
    /// What that revision holds: the edits since then are made on it.
    confirmed: StoredValue<Document>,
    /// A sentence about someone else's save, to show for a while.
    pub(super) merged: RwSignal<Option<String>>,
    /// Edits that do not fit any more, after what someone else saved.
    pub(super) unfit: RwSignal<Vec<Unfit>>,
    /// The newest revision that this browser heard of.
    heard: StoredValue<u32>,
    /// A revision that the server made for this browser, with what to say of it.
    ours: StoredValue<Option<(u32, String)>>,
    is_pulling: StoredValue<bool>,
    in_flight: StoredValue<Option<Save>>,
    timer: StoredValue<Option<TimeoutHandle>>,
    told: StoredValue<Option<TimeoutHandle>>,
    failures: StoredValue<usize>,
}

impl Saving {
    /// Starts to save what the editor does; what earlier pages left over goes on top first.
    pub(super) fn start(opened: Opened, editor: Editor) -> Self {
        let Opened {
            draft,
            confirmed,
            account,
            shelf,
            sent,
            edits,
        } = opened;
        let revision = draft.summary.revision;
        let saving = Self {
            id: draft.summary.id,
            account,
            editor,
            shelf: StoredValue::new_local(Rc::new(shelf)),
            state: RwSignal::new(SaveState::Saved),
            revision: RwSignal::new(revision),
            confirmed: StoredValue::new(confirmed),
            merged: RwSignal::new(None),
            unfit: RwSignal::new(Vec::new()),
            in_flight: StoredValue::new(sent),
            heard: StoredValue::new(revision),
            ours: StoredValue::new(None),
            is_pulling: StoredValue::new(false),
            timer: StoredValue::new(None),
            told: StoredValue::new(None),
            failures: StoredValue::new(0),
        };
        Effect::watch(
            move || editor.edited.get(),
            move |_, _, _| saving.edits_were_made(),
            false,
        );
        if saving.in_flight.with_value(Option::is_some) {
            saving.state.set(SaveState::Offline);
            saving.send_after(RETRY[0]);
        }
        if !edits.is_empty() {
            saving.unfit.set(editor.go_on(edits));
            saving.keep();
            // The watch above begins after this.
            if editor.has_unsent() {
                saving.edits_were_made();
            }
        }
        on_cleanup(move || saving.leave());
        saving
    }

    fn edits_were_made(self) {
        self.keep();
        if self.in_flight.with_value(Option::is_none)
            && !matches!(self.state.get_untracked(), SaveState::Offline)
        {
            self.state.set(SaveState::Waiting);
            self.send_after(PAUSE);
        }
    }

    /// Keeps in the browser what the server has not confirmed.
    fn keep(self) {
        self.in_flight.with_value(|save| {
            self.editor.with_unsent(|edits| {
                self.shelf
                    .with_value(|shelf| shelf.keep(save.as_ref(), edits));
            });
        });
    }

    fn send_after(self, pause: Duration) {
        if let Some(timer) = self.timer.try_update_value(Option::take).flatten() {
            timer.clear();
        }
        let handle = set_timeout_with_handle(move || self.send(), pause).ok();
        self.timer.set_value(handle);
    }

    /// Sends what is waiting now.
    pub(super) fn send(self) {
        if self
            .in_flight
            .try_with_value(Option::is_some)
            .unwrap_or(true)
            && !matches!(self.state.get_untracked(), SaveState::Offline)
        {
            return;
        }
        if self.in_flight.with_value(Option::is_none) {
            let edits = self.editor.take_unsent();
            if edits.is_empty() {
                self.state.set(SaveState::Saved);
                return;
            }
            let expected = self.revision.get_untracked();
            self.in_flight.set_value(Some(Save {
                id: Uuid::now_v7(),
                expected,
                edits,
            }));
            // Before it is on its way: should its answer be lost, the very same is sent again.
            self.keep();
        }
        if !matches!(self.state.get_untracked(), SaveState::Offline) {
            self.state.set(SaveState::Saving);
        }
        let Some(save) = self.in_flight.get_value() else {
            return;
        };
        spawn_local(async move {
            let answer = api::save_draft(self.id, Some(self.account), save).await;
            // What someone else saved is merged by code that is fetched first. Without it the
            // same save is sent again, and answered alike.
            let comparing = match &answer {
                Ok(SaveOutcome::Stale { .. }) => match comparing().await {
                    Ok(comparing) => Some(comparing),
                    Err(_) => return self.answered(Err(Fault::Unreachable), None),
                },
                _ => None,
            };
            self.answered(answer, comparing);
        });
    }

    fn answered(self, answer: Result<SaveOutcome, Fault>, comparing: Option<Comparing>) {
        // The builder may be gone by now; then it was sent again from there.
        if self.state.is_disposed() {
            return;
        }
        match answer {
            Ok(SaveOutcome::Saved { revision }) => {
                self.failures.set_value(0);
                self.confirm(revision);
                self.keep();
                self.state.set(SaveState::Saved);
                if self.editor.has_unsent() {
                    self.edits_were_made();
                }
                // Someone else may have saved right after, while this was under way.
                self.pull();
            }
            Ok(SaveOutcome::Stale {
                revision,
                document,
                updated_by,
            }) => {
                self.failures.set_value(0);
                self.state.set(SaveState::Saved);
                if let Some(comparing) = comparing {
                    let did = self.take(comparing, &updated_by, revision, document);
                    self.tell(did);
                }
                self.pull();
            }
            Err(fault) if fault.is_temporary() || fault == Fault::SignedOut => {
                session::notice(&fault);
                let failures = self.failures.get_value();
                self.failures.set_value(failures + 1);
                self.state.set(SaveState::Offline);
                self.send_after(RETRY[failures.min(RETRY.len() - 1)]);
            }
            Err(fault) => {
                self.state.set(SaveState::Refused(fault.to_string()));
                self.return_to_unsent();
            }
        }
    }

    /// Takes everything that the server has not confirmed, oldest first.
    fn take_all(self) -> Vec<Edit> {
        let mut edits = self
            .in_flight
            .try_update_value(Option::take)
            .flatten()
            .map(|s| s.edits)
            .unwrap_or_default();
        edits.extend(self.editor.take_unsent());
        edits
    }

    /// After a refusal: the next edit (an undo, say) sends everything again.
    fn return_to_unsent(self) {
        let edits = self.take_all();
        self.editor.put_back_unsent(edits);
        self.keep();
    }

    /// Takes note that the save under way is a revision now.
    fn confirm(self, revision: u32) {
        let save = self.in_flight.try_update_value(Option::take).flatten();
        self.confirmed.update_value(|document| {
            for edit in save.iter().flat_map(|save| &save.edits) {
                // The server did the very same.
                let _ = edit::apply(document, edit);
            }
        });
        self.revision.set(revision);
    }

    /// Takes a revision that someone else saved, and merges into it what is not saved here;
    /// returns what that one did.
    fn take(self, comparing: Comparing, who: &str, revision: u32, document: Document) -> String {
        let edits = self.take_all();
        let before = self
            .confirmed
            .try_update_value(|confirmed| std::mem::replace(confirmed, document.clone()));
        let base = before.unwrap_or_else(|| document.clone());
        self.revision.set(revision);
        let rebased = design::keeping_focus(|| {
            (comparing.rebase)(self.editor, who, [base, document], &edits)
        });
        self.keep();
        if !rebased.unfit.is_empty() {
            self.unfit.update(|all| all.extend(rebased.unfit));
        }
        rebased.did
    }

    /// Shows for a while what someone else did.
    fn tell(self, did: String) {
        if let Some(timer) = self.told.try_update_value(Option::take).flatten() {
            timer.clear();
        }
        self.merged.set(Some(did));
        let forget = move || {
            self.merged.try_set(None);
        };
        self.told
            .set_value(set_timeout_with_handle(forget, TOLD).ok());
    }

    /// Takes what someone else saved, when this browser hears of a newer revision: at once, or
    /// when the save that is under way is answered.
    pub(super) fn heard_of(self, revision: u32) {
        self.heard
            .update_value(|newest| *newest = revision.max(*newest));
        self.pull();
    }

    /// Takes a revision that this browser asked the server to make, and says what it is.
    pub(super) fn made(self, revision: u32, what: &str) {
        self.ours.set_value(Some((revision, what.to_owned())));
        self.heard_of(revision);
    }

    /// Asks for the newest revision, when it is not here and no save of this browser is under way:
    /// its answer brings what is missing.
    fn pull(self) {
        let is_here = self.heard.get_value() <= self.revision.get_untracked();
        let is_coming = self.is_pulling.get_value() || self.in_flight.with_value(Option::is_some);
        if is_here || is_coming {
            return;
        }
        self.is_pulling.set_value(true);
        let wanted = self.heard.get_value();
        spawn_local(async move {
            let draft = api::read_draft(self.id).await;
            let comparing = comparing().await;
            if self.is_pulling.try_set_value(false).is_some() {
                // The page is gone.
                return;
            }
            // When there is no answer, the page asks again once its connection is back.
            let (Ok(draft), Ok(comparing)) = (draft, comparing) else {
                return;
            };
            let revision = draft.summary.revision;
            let is_news = revision > self.revision.get_untracked()
                && self.in_flight.with_value(Option::is_none);
            if is_news {
                let who = &draft.summary.updated_by;
                let did = self.take(comparing, who, revision, draft.document);
                let ours = self.ours.try_update_value(Option::take).flatten();
                let of_this = ours.filter(|(made, _)| *made == revision);
                self.tell(of_this.map_or(did, |(_, what)| what));
            }
            // Meanwhile it may have heard of another.
            if revision >= wanted {
                self.pull();
            }
        });
    }

    /// Returns whether everything is on the server; told when that changes.
    pub(super) fn is_saved(self) -> bool {
        self.state.get() == SaveState::Saved
    }
}
