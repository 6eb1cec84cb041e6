//! Short messages at the edge of the page, read out by screen readers.

use std::cell::Cell;

use leptos::prelude::*;

use super::icon::Icon;
use crate::fault::Fault;
use crate::session;

/// How long a message that reports success stays, in milliseconds.
const STAYS_MS: u32 = 6_000;
/// Older messages give way to newer ones.
const MOST: usize = 4;

#[derive(Clone, Debug, PartialEq)]
struct Toast {
    id: u32,
    text: String,
    is_fault: bool,
}

thread_local! {
    static TOASTS: ArcRwSignal<Vec<Toast>> = ArcRwSignal::new(Vec::new());
    static NEXT: Cell<u32> = const { Cell::new(0) };
}

/// Says that something was done. It goes away by itself.
pub fn say(text: impl Into<String>) {
    let id = add(text.into(), false);
    gloo::timers::callback::Timeout::new(STAYS_MS, move || remove(id)).forget();
}

/// Says why something was not done; stays until it is dismissed. A signed-out session shows its
/// dialog instead.
pub fn say_fault(fault: &Fault) {
    if !session::notice(fault) {
        add(fault.to_string(), true);
    }
}

fn add(text: String, is_fault: bool) -> u32 {
    let id = NEXT.with(|next| next.replace(next.get() + 1));
    TOASTS.with(|toasts| {
        toasts.update(|toasts| {
            toasts.retain(|toast| toast.text != text);
            toasts.push(Toast { id, text, is_fault });
            let surplus = toasts.len().saturating_sub(MOST);
            toasts.drain(..surplus);
        });
    });
    id
}

fn remove(id: u32) {
    TOASTS.with(|toasts| toasts.update(|toasts| toasts.retain(|toast| toast.id != id)));
}

/// The place on the page where messages appear; stands once in the app.
#[component]
pub fn Toasts() -> impl IntoView {
    let toasts = RwSignal::from(TOASTS.with(Clone::clone));
    view! {
        <div class="toasts" role="status" aria-live="polite" aria-atomic="false">
            <For each=move || toasts.get() key=|toast| toast.id let:toast>
                <div class="toast" class:fault=toast.is_fault>
                    <Icon name=if toast.is_fault { "alert" } else { "check" } />
                    <span>{toast.text}</span>
                    <button
                        type="button"
                        class="button quiet icon-only"
                        aria-label="Dismiss"
                        on:click=move |_| remove(toast.id)
                    >
                        <Icon name="x" />
                    </button>
                </div>
            </For>
        </div>
    }
}
