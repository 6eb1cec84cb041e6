//! Putting an old version back: as a draft that goes its way, or at once.

use domain::account::Me;
use domain::draft;
use domain::integration::VersionSummary;
use domain::policy::Act;
use domain::{DraftId, IntegrationId};
use serde_json::json;

use super::{New, check_note, document, lock_integration};
use crate::draft::NewDraft;
use crate::review::facts::{self, Content};

use crate::{Refusal, Result, Store, audit, integration, review};

impl Store {
    /// Starts a draft with the content of an old version, based on what is live; returns it.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such version, or it is live.
    pub async fn roll_back_draft(
        &self,
        me: &Me,
        id: IntegrationId,
        number: u32,
    ) -> Result<DraftId> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        let document = document(&mut tx, me, id, number).await?;
        let base = super::live_number(&mut tx, me, id).await?;
        if base == Some(number) {
            return Err(Refusal::LiveAlready(number).into());
        }
        let new = NewDraft {
            integration: id,
            title: title(number),
            base,
            document,
        };
        let draft = crate::draft::insert(&mut tx, me, new).await?;
        self.commit(tx, vec![integration::changed(me, id)]).await?;
        Ok(draft)
    }

    /// Makes a new version out of an old one and puts it live at once. `live` is the version that
    /// `me` saw live. Where the review policy holds drafts back, it must be `me`'s to override,
    /// and the reason is kept as that.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such version, it is live, another version is
    /// live than was seen, a rule that cannot be overridden is not met, or the reason is not
    /// `me`'s to give, missing or too long.
    pub async fn roll_back(
        &self,
        me: &Me,
        id: IntegrationId,
        number: u32,
        live: u32,
        reason: &str,
    ) -> Result<VersionSummary> {
        let mut tx = self.begin(me, Act::Publish).await?;
        let note = check_note(reason)?;
        let current = lock_integration(&mut tx, me, id).await?;
        let current = current.ok_or(Refusal::NotPublished)?;
        let old = document(&mut tx, me, id, number).await?;
        if current != live {
            return Err(draft::Refusal::LiveMoved { live: current }.into());
        }
        if current == number {
            return Err(Refusal::LiveAlready(number).into());
        }
        let before = document(&mut tx, me, id, current).await?;
        let content = Content::of(&mut tx, me, id, &before, &old).await?;
        let facts = facts::without_draft(&mut tx, me, id, Some(current), content).await?;
        let agreed = review::agree(me, &facts, Some(&note))?;
        let new = New {
            integration: id,
            document: &old,
            title: title(number),
            note,
            draft: None,
            review: None,
            rolled_back_from: Some(number),
            reason: agreed.reason.clone(),
        };
        let version = new.put_live(&mut tx, me).await?;
        let detail = json!({
            "integration": id,
            "number": version.number,
            "from": number,
            "replaced": current,
            "hash": version.hash,
            "reason": agreed.reason,
        });
        audit::note(&mut tx, me, "version.roll_back", version.id.0, detail).await?;
        self.commit(tx, vec![integration::changed(me, id)]).await?;
        Ok(version)
    }
}

fn title(number: u32) -> String {
    format!("Roll back to version {number}")
}
