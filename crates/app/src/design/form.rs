//! Forms that are sent: in a dialog, or on a page. What was refused is shown where it was typed, or
//! above the button.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::fault::Fault;
use crate::session;

/// What becomes of what a form sends: nothing at first. A handle, which is of no use any more once
/// the form is gone: an answer that comes later touches no form that was opened after it.
#[derive(Clone, Copy, Default)]
pub struct Sending {
    /// Why it was refused the last time.
    pub problem: RwSignal<Option<String>>,
    is_busy: RwSignal<bool>,
}

impl Sending {
    /// Sends; goes on with the answer, also when the form is gone by then, or says above the button
    /// why it was refused. The form can neither be changed nor sent again until then.
    pub fn send<T: 'static>(
        self,
        ask: impl Future<Output = Result<T, Fault>> + 'static,
        then: impl FnOnce(T) + 'static,
    ) {
        self.send_at(self.problem, ask, then);
    }

    /// Sends as [`Sending::send`] does, for one field: what the rules say against it becomes the
    /// `problem` of that field.
    pub fn send_at<T: 'static>(
        self,
        problem: RwSignal<Option<String>>,
        ask: impl Future<Output = Result<T, Fault>> + 'static,
        then: impl FnOnce(T) + 'static,
    ) {
        self.is_busy.set(true);
        problem.set(None);
        spawn_local(async move {
            let answer = ask.await;
            self.is_busy.try_set(false);
            match answer {
                Ok(answer) => then(answer),
                Err(fault) => {
                    session::notice(&fault);
                    let at = match fault {
                        Fault::Refused { .. } => problem,
                        _ => self.problem,
                    };
                    at.try_set(Some(fault.to_string()));
                }
            }
        });
    }
}

/// A form that fills a dialog, with a button each for leaving and sending.
///
/// It is made in the children of the dialog, with all that it holds, so that each opening has its own.
#[component]
pub fn DialogForm(
    /// The word on the button that sends.
    #[prop(into)]
    action: Signal<&'static str>,
    /// What becomes of what is sent.
    sending: Sending,
    /// Sends what is filled in.
    #[prop(into)]
    submit: Callback<()>,
    /// The word on the button that leaves.
    #[prop(into, default = Signal::stored("Cancel"))]
    back: Signal<&'static str>,
    /// Leaves. It goes with the opening, as all in the form: an answer that comes later and tries it
    /// closes nothing.
    leave: Callback<()>,
    /// The fields.
    children: Children,
) -> impl IntoView {
    let leave = view! {
        <button type="button" class="button" on:click=move |_| leave.run(())>
            {move || back.get()}
        </button>
    };
    form(
        children().into_any(),
        Some(leave.into_any()),
        action,
        sending,
        submit,
    )
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
    let action = Signal::stored("Save");
    form(children().into_any(), None, action, sending, submit)
}

fn form(
    fields: AnyView,
    leave: Option<AnyView>,
    action: Signal<&'static str>,
    sending: Sending,
    submit: Callback<()>,
) -> AnyView {
    let (held, button) = (NodeRef::new(), NodeRef::new());
    hold(held, button, sending.is_busy);
    let is_dialog = leave.is_some();
    view! {
        <form
            class="stack"
            novalidate
            on:submit=move |event| {
                event.prevent_default();
                if !sending.is_busy.get_untracked() {
                    sending.problem.set(None);
                    submit.run(());
                }
            }
        >
            <div class="stack" node_ref=held>
                {fields}
            </div>
            <p class="form-problem" role="alert">
                {move || sending.problem.get()}
            </p>
            <div class:dialog-actions=is_dialog>
                {leave}
                <button
                    type="submit"
                    class="button primary"
                    aria-disabled=move || sending.is_busy.get().to_string()
                    node_ref=button
                >
                    {move || action.get()}
                </button>
            </div>
        </form>
    }
    .into_any()
}

/// Keeps fields as they were sent while an answer is awaited. The focus waits on the button, which
/// stays reachable, and then goes back.
fn hold(fields: NodeRef<html::Div>, button: NodeRef<html::Button>, is_busy: RwSignal<bool>) {
    let left = Rc::new(RefCell::new(None::<HtmlElement>));
    Effect::new(move || {
        let (Some(fields), Some(button)) = (fields.get(), button.get()) else {
            return;
        };
        let is_busy = is_busy.get();
        let left = Rc::clone(&left);
        // Once all effects of this change have run: a question that was answered with yes has closed
        // then, and given the focus back to the form.
        queue_microtask(move || {
            let focused = document().active_element();
            if is_busy {
                let focused = focused.filter(|focused| fields.contains(Some(focused)));
                let focused = focused.and_then(|focused| focused.dyn_into().ok());
                if focused.is_some() {
                    let _ = button.focus();
                }
                left.replace(focused);
                fields.set_inert(true);
            } else {
                fields.set_inert(false);
                if let Some(left) = left.take()
                    && focused.as_ref() == Some(button.as_ref())
                {
                    let _ = left.focus();
                }
            }
        });
    });
}
