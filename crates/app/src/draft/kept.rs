//! What the server has not confirmed, kept in this browser.
//!
//! Each open page keeps its own edits on a shelf of its own, whose name says whose they are, and
//! holds a lock of that name as long as it is there. So the next page that opens the draft can
//! tell what a closed tab left over (its lock is free) from what another tab still works on, and
//! another account on the same browser never comes across any of it.
//!
//! Browsers have locks only for pages that come over https or from this machine. Without them,
//! what another tab keeps is taken over at once: an edit may then be sent by both, but none is lost.

use std::time::Duration;

use domain::draft::Save;
use domain::edit::Edit;
use domain::{AccountId, DraftId};
use gloo::storage::{LocalStorage as BrowserStorage, Storage};
use js_sys::{Array, Function, Object, Promise, Reflect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::AbortSignal;

/// How long to wait for a shelf that may be about to be left: the page before a reload takes a
/// moment to go.
const LEAVING: Duration = Duration::from_millis(500);

/// Edits that the server has not confirmed.
#[derive(Default, Deserialize)]
pub(super) struct Kept {
    /// What was sent, exactly as it was sent: whether it arrived is not known.
    pub(super) save: Option<Save>,
    /// What was to be sent behind it.
    pub(super) edits: Vec<Edit>,
}

/// [`Kept`], to be written.
#[derive(Serialize)]
struct Keep<'a> {
    save: Option<&'a Save>,
    edits: &'a [Edit],
}

/// Where one page keeps what it has not saved of one draft.
pub(super) struct Shelf {
    key: String,
    _lock: Lock,
}

impl Shelf {
    /// Takes a new one.
    pub(super) async fn take(account: AccountId, draft: DraftId) -> Self {
        let key = prefix(account, draft) + &Uuid::now_v7().to_string();
        // Nobody else has this name, so there is nothing to wait for.
        let lock = lock(&key, LEAVING).await;
        Self {
            key,
            _lock: lock.unwrap_or_default(),
        }
    }

    /// Takes over those of pages that are gone, the oldest first.
    pub(super) async fn left_over(account: AccountId, draft: DraftId) -> Vec<Self> {
        let mut shelves = Vec::new();
        for key in keys(&prefix(account, draft)) {
            if let Some(lock) = lock(&key, LEAVING).await {
                shelves.push(Self { key, _lock: lock });
            }
        }
        shelves
    }

    /// Returns what is kept here; nothing when another page has taken it meanwhile.
    pub(super) fn read(&self) -> Kept {
        BrowserStorage::get(&self.key).unwrap_or_default()
    }

    /// Keeps this instead of what is kept here; returns whether there was room for it.
    pub(super) fn keep(&self, save: Option<&Save>, edits: &[Edit]) -> bool {
        if save.is_none() && edits.is_empty() {
            self.clear();
            return true;
        }
        let is_kept = BrowserStorage::set(&self.key, Keep { save, edits }).is_ok();
        if !is_kept {
            leptos::logging::warn!(
                "the browser's storage is full: unsaved edits are kept in this page only"
            );
        }
        is_kept
    }

    /// Keeps nothing any more.
    pub(super) fn clear(&self) {
        BrowserStorage::delete(&self.key);
    }
}

fn prefix(account: AccountId, draft: DraftId) -> String {
    format!("sluice.unsaved.{account}.{draft}.")
}

/// Returns the names in the storage that begin so, sorted: by the time when their pages were opened.
fn keys(prefix: &str) -> Vec<String> {
    let storage = BrowserStorage::raw();
    let all = (0..BrowserStorage::length()).filter_map(|at| storage.key(at).ok().flatten());
    let mut keys: Vec<String> = all.filter(|key| key.starts_with(prefix)).collect();
    keys.sort_unstable();
    keys
}

/// A lock that this page holds, until this value or the page goes.
#[derive(Default)]
struct Lock(Option<Function>);

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(release) = &self.0 {
            let _ = release.call0(&JsValue::UNDEFINED);
        }
    }
}

/// Takes the lock of a name. `None` when another page holds it for longer than `wait`.
async fn lock(name: &str, wait: Duration) -> Option<Lock> {
    let navigator = leptos::prelude::window().navigator();
    let locks = Reflect::get(&navigator, &"locks".into()).unwrap_or_default();
    let Some(request) = Reflect::get(&locks, &"request".into())
        .ok()
        .and_then(|request| request.dyn_into::<Function>().ok())
    else {
        return Some(Lock::default());
    };
    let (granted, tell) = promise();
    let (held, release) = promise();
    // The browser lets go of the lock when what this returns is settled.
    let hold = Closure::once_into_js(move || {
        let _ = tell.call0(&JsValue::UNDEFINED);
        held
    });
    let options = Object::new();
    let patience = AbortSignal::timeout_with_u32(u32::try_from(wait.as_millis()).ok()?);
    let _ = Reflect::set(&options, &"signal".into(), &patience);
    let asked = request.call3(&locks, &name.into(), &options, &hold).ok()?;
    JsFuture::from(Promise::race(&Array::of2(&granted, &asked)))
        .await
        .ok()?;
    Some(Lock(Some(release)))
}

/// Returns a promise with what settles it.
fn promise() -> (Promise, Function) {
    let mut settle = None;
    let promise = Promise::new(&mut |resolve, _| settle = Some(resolve));
    (
        promise,
        settle.expect("a promise calls what it is made with at once"),
    )
}
