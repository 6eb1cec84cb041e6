//! Saves whose answer nobody waited for: of a page that was closed or reloaded, and of a builder
//! that is being left. The very same save is sent again, and the server answers it alike.

use domain::draft::{self, Draft, Save, SaveOutcome};
use domain::edit::Edit;
use domain::{AccountId, Document, DraftId};
use leptos::prelude::*;
use leptos::task::spawn_local;
use uuid::Uuid;

use super::Saving;
use crate::draft::api;
use crate::draft::kept::Shelf;
use crate::fault::Fault;
use crate::session;

/// A draft as the builder opens it.
pub(crate) struct Opened {
    /// As the server has it, with what was `sent` on it.
    pub(crate) draft: Draft,
    /// The content as the server has it.
    pub(crate) confirmed: Document,
    /// Who opens it.
    pub(crate) account: AccountId,
    /// Where this page keeps what the server has not confirmed.
    pub(crate) shelf: Shelf,
    /// What an earlier page of this account sent on this very revision, when the server cannot say
    /// now what became of it.
    pub(crate) sent: Option<Save>,
    /// What else earlier pages left over; kept on the shelf, as is what was sent.
    pub(crate) edits: Vec<Edit>,
}

/// Opens a draft. What earlier pages sent is settled first, so that the content has it if the
/// server does, and only the rest goes on top.
///
/// # Errors
/// As the server functions; what is left over then stays where it is.
pub(crate) async fn open(id: DraftId) -> Result<Opened, Fault> {
    let me = session::use_me().get_untracked();
    let account = me.ok_or(Fault::SignedOut)?.account;
    let left_over = Shelf::left_over(account, id).await;
    let shelf = Shelf::take(account, id).await;
    let (mut sent, mut edits) = (None, Vec::new());
    for shelf in &left_over {
        let kept = shelf.read();
        if let Some(save) = kept.save {
            match settle(id, account, &save).await {
                Ok(Some(_)) => {}
                Err(Fault::SignedOut) => return Err(Fault::SignedOut),
                Err(_) if sent.is_none() && edits.is_empty() => sent = Some(save),
                Ok(None) | Err(_) => edits.extend(save.edits),
            }
        }
        edits.extend(kept.edits);
    }
    let mut draft = api::read_draft(id).await?;
    let confirmed = draft.document.clone();
    if let Some(save) = sent.take() {
        match draft::edited(&draft.document, &save.edits) {
            Ok(document) if save.expected == draft.summary.revision => {
                draft.document = document;
                sent = Some(save);
            }
            _ => edits.splice(..0, save.edits).for_each(drop),
        }
    }
    if shelf.keep(sent.as_ref(), &edits) {
        left_over.iter().for_each(Shelf::clear);
    }
    Ok(Opened {
        draft,
        confirmed,
        account,
        shelf,
        sent,
        edits,
    })
}

/// Sends a save again. Returns the revision as which it is kept, `None` when it never was.
///
/// # Errors
/// When that cannot be told now.
async fn settle(id: DraftId, account: AccountId, save: &Save) -> Result<Option<u32>, Fault> {
    match api::save_draft(id, Some(account), save.clone()).await {
        Ok(SaveOutcome::Saved { revision }) => Ok(Some(revision)),
        Ok(SaveOutcome::Stale { .. }) => Ok(None),
        Err(fault) if fault.is_temporary() || fault == Fault::SignedOut => Err(fault),
        // Refused: whoever puts it on top is told why.
        Err(_) => Ok(None),
    }
}

impl Saving {
    /// Sends what is not saved yet when the builder is left. What cannot be sent is kept for the
    /// next time that the draft is opened.
    pub(super) fn leave(self) {
        if let Some(timer) = self.timer.try_update_value(Option::take).flatten() {
            timer.clear();
        }
        let sent = self.in_flight.get_value();
        let edits = self.editor.take_unsent();
        if sent.is_none() && edits.is_empty() {
            return;
        }
        let (id, account, shelf) = (self.id, self.account, self.shelf.get_value());
        let revision = self.revision.get_untracked();
        spawn_local(async move {
            let expected = match sent {
                None => Some(revision),
                Some(save) => settle(id, account, &save).await.ok().flatten(),
            };
            let Some(expected) = expected else { return };
            if !edits.is_empty() {
                let last = Save {
                    id: Uuid::now_v7(),
                    expected,
                    edits,
                };
                shelf.keep(Some(&last), &[]);
                if !matches!(settle(id, account, &last).await, Ok(Some(_))) {
                    return;
                }
            }
            shelf.clear();
        });
    }
}
