//! What was done last, remembered in the browser.

use leptos::prelude::*;

const STORAGE_KEY: &str = "sluice.palette.recent";
/// How much is remembered.
const MOST: usize = 8;

/// Returns the keys of what was done last, newest first.
pub(super) fn keys() -> Vec<String> {
    let text = storage().and_then(|storage| storage.get_item(STORAGE_KEY).ok().flatten());
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

/// Remembers that something was done.
pub(super) fn remember(key: &str) {
    let mut keys = keys();
    keys.retain(|other| other != key);
    keys.insert(0, key.to_owned());
    keys.truncate(MOST);
    if let (Some(storage), Ok(text)) = (storage(), serde_json::to_string(&keys)) {
        // A full or forbidden storage costs the memory, nothing else.
        let _ = storage.set_item(STORAGE_KEY, &text);
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}
