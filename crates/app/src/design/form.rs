//! Forms that are sent: in a dialog, or on a page. What was refused is shown where it was typed.

use std::future::Future;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::dialog::Dialog;
use crate::fault::Fault;
use crate::session;

/// What becomes of what is sent: nothing at first. A handle.
#[derive(Clone, Copy, Default)]
pub struct Sending {
    /// Why it was refused the last time.
    pub problem: RwSignal<Option<String>>,
    /// Whether an answer is awaited.
    pub is_busy: RwSignal<bool>,
}

impl Sending {
    /// Sends, unless an answer is awaited; goes on with the answer, or says why it was refused.
    pub fn send<T: 'static>(
        self,
        ask: impl Future<Output = Result<T, Fault>> + 'static,
        then: impl FnOnce(T) + 'static,
    ) {
        if self.is_busy.get_untracked() {
            return;
        }
        self.is_busy.set(true);
        self.problem.set(None);
        spawn_local(async move {
            let answer = ask.await;
            self.is_busy.try_set(false);
            match answer {
                Ok(answer) => then(answer),
                Err(fault) => {
                    session::notice(&fault);
                    self.problem.try_set(Some(fault.to_string()));
                }
            }
        });
    }
}

/// A dialog with a form: its fields, what was refused, and a button each for leaving and sending.
#[component]
pub fn FormDialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// What it is about.
    title: &'static str,
    /// Whether it takes the space of a large form.
    #[prop(optional)]
    wide: bool,
    /// The word on the button that sends.
    #[prop(into)]
    action: Signal<&'static str>,
    /// What becomes of what is sent.
    sending: Sending,
    /// Sends what is filled in.
    #[prop(into)]
    submit: Callback<()>,
    /// The word on the button that leaves, and what it does, where that is not to close the dialog.
    #[prop(optional)]
    back: Option<(Signal<&'static str>, Callback<()>)>,
    /// The fields.
    children: ChildrenFn,
) -> impl IntoView {
    let close = Callback::new(move |()| open.set(false));
    let (word, leave) = back.unwrap_or((Signal::stored("Cancel"), close));
    let children = StoredValue::new(children);
    view! {
        <Dialog open=open title=title wide=wide>
            <form
                class="stack"
                novalidate
                on:submit=move |event| {
                    event.prevent_default();
                    submit.run(());
                }
            >
                {children.with_value(|children| children())}
                <p class="form-problem" role="alert">
                    {move || sending.problem.get()}
                </p>
                <div class="dialog-actions">
                    <button type="button" class="button" on:click=move |_| leave.run(())>
                        {move || word.get()}
                    </button>
                    <button
                        type="submit"
                        class="button primary"
                        aria-busy=move || sending.is_busy.get().to_string()
                    >
                        {move || action.get()}
                    </button>
                </div>
            </form>
        </Dialog>
    }
}

/// A form on a page that is saved as a whole.
#[component]
pub fn SavedForm(
    /// Saves what is filled in.
    #[prop(into)]
    submit: Callback<()>,
    /// What becomes of it.
    sending: Sending,
    /// The fields.
    children: Children,
) -> impl IntoView {
    view! {
        <form
            class="stack"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                submit.run(());
            }
        >
            {children()}
            <p class="form-problem" role="alert">
                {move || sending.problem.get()}
            </p>
            <div>
                <button
                    type="submit"
                    class="button primary"
                    aria-busy=move || sending.is_busy.get().to_string()
                >
                    "Save"
                </button>
            </div>
        </form>
    }
}
