//! Asks once before something that cannot be undone.

use std::cell::RefCell;
use std::future::Future;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::dialog::Dialog;
use super::toast;
use crate::fault::Fault;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The question, as a title.
    pub title: String,
    /// What will happen, in a sentence or two.
    pub text: String,
    /// The word on the button that does it.
    pub action: String,
    /// Whether something is lost by it.
    pub is_destructive: bool,
}

type Then = Box<dyn FnOnce()>;

thread_local! {
    static ASKED: ArcRwSignal<Question> = ArcRwSignal::new(Question::default());
    static OPEN: ArcRwSignal<bool> = ArcRwSignal::new(false);
    static THEN: RefCell<Option<Then>> = const { RefCell::new(None) };
}

/// Asks, and does `then` when the answer is yes.
pub fn confirm(question: Question, then: impl FnOnce() + 'static) {
    THEN.with(|slot| slot.replace(Some(Box::new(then))));
    ASKED.with(|asked| asked.set(question));
    OPEN.with(|open| open.set(true));
}

/// Asks whether something with a name is to be deleted; deletes it when the answer is yes, says so, and
/// then does `then`, whatever came of it. `text` says what is lost.
pub fn confirm_deletion<A: Future<Output = Result<(), Fault>> + 'static>(
    name: String,
    text: &str,
    delete: impl FnOnce() -> A + 'static,
    then: impl FnOnce() + 'static,
) {
    let question = Question {
        title: format!("Delete “{name}”?"),
        text: text.to_owned(),
        action: "Delete".to_owned(),
        is_destructive: true,
    };
    confirm(question, move || {
        spawn_local(async move {
            match delete().await {
                Ok(()) => toast::say(format!("“{name}” is deleted.")),
                Err(fault) => toast::say_fault(&fault),
            }
            then();
        });
    });
}

/// The place on the page where questions appear; stands once in the app.
#[component]
pub fn Confirm() -> impl IntoView {
    let asked = RwSignal::from(ASKED.with(Clone::clone));
    let open = RwSignal::from(OPEN.with(Clone::clone));
    let yes = move |_| {
        let then = THEN.with(|slot| slot.borrow_mut().take());
        open.set(false);
        if let Some(then) = then {
            then();
        }
    };
    view! {
        <Dialog open=open title=Signal::derive(move || asked.get().title)>
            <p>{move || asked.get().text}</p>
            <div class="dialog-actions">
                <button type="button" class="button" on:click=move |_| open.set(false)>
                    "Cancel"
                </button>
                <button
                    type="button"
                    class="button primary"
                    class:danger=move || asked.get().is_destructive
                    on:click=yes
                >
                    {move || asked.get().action}
                </button>
            </div>
        </Dialog>
    }
}
