//! The command palette: whatever can be done here, found by a few letters (Ctrl+K).
//!
//! A screen offers entries as long as it is shown; going elsewhere can be done from everywhere. The
//! palette itself, and the list of keys that a screen offers, are a part of the module that is
//! loaded when one of them is opened first.

mod dialog;
mod keys;
mod recent;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_split::{SplitLoaderError, wasm_split};
use leptos::{ev, prelude::window_event_listener};

use crate::design::toast;
use crate::fault::Fault;
use crate::session;

/// Something that can be done.
#[derive(Clone)]
pub(crate) struct Entry {
    /// What it is remembered by.
    pub(crate) key: String,
    /// What is read and searched.
    pub(crate) title: String,
    /// What it belongs to, shown at its end; searched as well.
    pub(crate) group: String,
    /// Its icon.
    pub(crate) icon: &'static str,
    /// The keys that do it too, as in `Ctrl+Z`; empty for none.
    pub(crate) keys: &'static str,
    /// Does it.
    pub(crate) run: Rc<dyn Fn()>,
}

/// One line of the list of keys.
#[derive(Clone, Copy)]
pub(crate) struct KeyLine {
    /// Where they work.
    pub(crate) group: &'static str,
    /// The keys, each as in `Ctrl+Z`.
    pub(crate) keys: &'static [&'static str],
    /// What they do.
    pub(crate) says: &'static str,
}

type Offer<T> = (u32, Rc<dyn Fn() -> Vec<T>>);

thread_local! {
    static OPEN: ArcRwSignal<bool> = ArcRwSignal::new(false);
    static KEYS_OPEN: ArcRwSignal<bool> = ArcRwSignal::new(false);
    static NEXT: Cell<u32> = const { Cell::new(0) };
    static ENTRIES: RefCell<Vec<Offer<Entry>>> = const { RefCell::new(Vec::new()) };
    static KEY_LINES: RefCell<Vec<Offer<KeyLine>>> = const { RefCell::new(Vec::new()) };
}

/// Offers entries, and the keys that the screen has, as long as the calling screen is shown.
pub(crate) fn offer(
    entries: impl Fn() -> Vec<Entry> + 'static,
    keys: impl Fn() -> Vec<KeyLine> + 'static,
) {
    let id = NEXT.replace(NEXT.get() + 1);
    ENTRIES.with(|all| all.borrow_mut().push((id, Rc::new(entries))));
    KEY_LINES.with(|all| all.borrow_mut().push((id, Rc::new(keys))));
    on_cleanup(move || {
        ENTRIES.with(|all| all.borrow_mut().retain(|(other, _)| *other != id));
        KEY_LINES.with(|all| all.borrow_mut().retain(|(other, _)| *other != id));
    });
}

/// Opens the palette.
pub(crate) fn open() {
    OPEN.with(|open| open.set(true));
}

/// Opens the list of the keys that the screen offers.
pub(crate) fn open_keys() {
    KEYS_OPEN.with(|open| open.set(true));
}

/// Draws the palette once it is wanted; stands once in the app.
pub(crate) fn view() -> AnyView {
    let (open, keys_open) = (signal_of(&OPEN), signal_of(&KEYS_OPEN));
    let me = session::use_me();
    let handle = window_event_listener(ev::keydown, move |event| {
        let is_it = (event.ctrl_key() || event.meta_key())
            && !event.shift_key()
            && !event.alt_key()
            && event.key().eq_ignore_ascii_case("k");
        if !is_it || event.default_prevented() || me.with_untracked(Option::is_none) {
            return;
        }
        let is_modal = document().query_selector("dialog[open]").ok().flatten();
        if is_modal.is_none() || open.get_untracked() {
            event.prevent_default();
            open.update(|open| *open = !*open);
        }
    });
    on_cleanup(move || handle.remove());
    let draw = RwSignal::new(None::<fn() -> AnyView>);
    Effect::new(move || {
        let is_wanted = open.get() || keys_open.get();
        if !is_wanted || draw.with_untracked(Option::is_some) {
            return;
        }
        spawn_local(async move {
            if let Ok(part) = part().await {
                draw.try_set(Some(part));
            } else {
                open.set(false);
                keys_open.set(false);
                toast::say_fault(&Fault::Unreachable);
            }
        });
    });
    (move || draw.get().map(|draw| draw())).into_any()
}

/// Fetches the palette before it is wanted. Without a connection, it is fetched once it is.
pub(crate) async fn prefetch() {
    let _ = part().await;
}

/// What is loaded when it is wanted first.
#[wasm_split(palette, wasm_split_path = leptos::wasm_split, fallible)]
fn part() -> Result<fn() -> AnyView, SplitLoaderError> {
    Ok(drawn)
}

fn drawn() -> AnyView {
    view! {
        {dialog::view(signal_of(&OPEN))}
        {keys::view(signal_of(&KEYS_OPEN))}
    }
    .into_any()
}

fn signal_of(signal: &'static std::thread::LocalKey<ArcRwSignal<bool>>) -> RwSignal<bool> {
    RwSignal::from(signal.with(Clone::clone))
}

/// Returns what the screen offers.
fn entries() -> Vec<Entry> {
    let offers = ENTRIES.with(|all| all.borrow().clone());
    offers.iter().flat_map(|(_, offer)| offer()).collect()
}

/// Returns the keys that the screen has.
fn key_lines() -> Vec<KeyLine> {
    let offers = KEY_LINES.with(|all| all.borrow().clone());
    offers.iter().flat_map(|(_, offer)| offer()).collect()
}
