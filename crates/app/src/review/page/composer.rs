//! The editor for a new thread, an answer, or another text for a comment.

use domain::review::thread;
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use super::super::api;
use super::desk::Desk;
use super::spot::{Place, Purpose, Spot};
use super::{link, suggestion, thread_box};
use crate::design::confirm::{Question, confirm};
use crate::design::icon::Icon;
use crate::design::markdown::MarkdownEditor;
use crate::fault::Fault;
use crate::session;

/// Draws the editor for a purpose. `at` is where its text will stand.
pub(super) fn composer(desk: Desk, purpose: Purpose, at: Spot) -> AnyView {
    let writing = desk.unsent.writing(&purpose);
    let text = RwSignal::from(writing.text);
    let typed = RwSignal::from(writing.suggestion);
    let task = Task {
        desk,
        text,
        typed,
        purpose: StoredValue::new(purpose.clone()),
        at: StoredValue::new(at.clone()),
        fault: RwSignal::new(None),
        is_busy: RwSignal::new(false),
    };
    Effect::new(move || {
        text.track();
        typed.track();
        desk.unsent.keep();
    });
    let is_new = matches!(purpose, Purpose::New(_));
    let label = match &purpose {
        Purpose::New(_) => format!("Comment on {}", place_name(desk, &at.place)),
        Purpose::Reply(_) => "Reply".to_owned(),
        Purpose::Edit(_) => "Comment".to_owned(),
        Purpose::Summary => "Message".to_owned(),
    };
    let members = desk.part(|review| review.members.clone());
    let autofocus = desk.unsent.take_fresh(&purpose);
    let submit = Callback::new(move |()| task.send(is_new));
    let place = at.place.clone();
    view! {
        <div class="composer" on:keydown=move |event| task.key(&event)>
            {quote(&at)}
            <MarkdownEditor
                value=text
                label=label
                members=members
                rows=3
                placeholder="Markdown works. @ names someone."
                autofocus=autofocus
                hide_label=true
                submit=submit
            />
            {move || {
                let place = place.clone();
                typed
                    .with(Option::is_some)
                    .then(|| {
                        untrack(|| suggestion::edit(desk, place, typed, Signal::stored(None)))
                    })
            }}
            <p class="form-problem" role="alert">
                {move || task.fault.get()}
            </p>
            {buttons(task, is_new)}
        </div>
    }
    .into_any()
}

/// Returns what people call a place: the field and the step.
pub(super) fn place_name(desk: Desk, place: &Place) -> String {
    let Some(target) = place.target else {
        return "the draft".to_owned();
    };
    desk.compare.whole.with_untracked(|whole| {
        let name = whole.name(target);
        match &place.field {
            Some(field) => {
                let look = crate::change::FieldLook::of(whole, target, field);
                match &place.entry {
                    Some(entry) => format!("{}, “{entry}”, of {name}", look.title),
                    None => format!("{} of {name}", look.title),
                }
            }
            None => name,
        }
    })
}

/// Draws the part of the text that a new thread will be about.
fn quote(at: &Spot) -> Option<AnyView> {
    let text = at.part.as_ref().map(|part| part.text.clone())?;
    Some(view! { <blockquote class="quote text code">{text}</blockquote> }.into_any())
}

fn buttons(task: Task, is_new: bool) -> AnyView {
    let desk = task.desk;
    let at = task.at.get_value();
    let can_suggest =
        move || suggestion::is_possible(desk, &at) && task.typed.with(Option::is_none);
    let suggest = move |_| {
        let place = task.at.with_value(|at| at.place.clone());
        let now = suggestion::look_now(desk, &place);
        task.typed.set(now.map(|look| look.typed()));
    };
    let is_edit = task.purpose.with_value(|p| matches!(p, Purpose::Edit(_)));
    let pending = Memo::new(move |_| desk.threads.pending());
    let later = move || {
        if pending.get() == 0 {
            "Start review"
        } else {
            "Add to review"
        }
    };
    let now = move || match (is_edit, is_new) {
        (true, _) => "Save",
        (false, true) => "Comment now",
        (false, false) => "Reply",
    };
    let busy = move || task.is_busy.get().to_string();
    let wait = (!is_edit).then(|| {
        view! {
            <button
                type="button"
                class="button"
                class:primary=is_new
                title="Only you see it until you finish your review"
                aria-disabled=busy
                on:click=move |_| task.send(true)
            >
                {later}
            </button>
        }
    });
    view! {
        <div class="composer-actions">
            {move || {
                can_suggest()
                    .then(|| {
                        view! {
                            <button type="button" class="button quiet small" on:click=suggest>
                                <Icon name="pencil" />
                                "Suggest a value"
                            </button>
                        }
                    })
            }}
            <span class="grow"></span>
            <button type="button" class="button quiet" on:click=move |_| task.cancel()>
                "Cancel"
            </button>
            <button
                type="button"
                class="button"
                class:primary=!is_new
                aria-disabled=busy
                on:click=move |_| task.send(false)
            >
                {now}
            </button>
            {wait}
        </div>
    }
    .into_any()
}

/// A text on its way to the server. A handle.
#[derive(Clone, Copy)]
struct Task {
    desk: Desk,
    text: RwSignal<String>,
    typed: RwSignal<Option<String>>,
    purpose: StoredValue<Purpose>,
    at: StoredValue<Spot>,
    fault: RwSignal<Option<String>>,
    is_busy: RwSignal<bool>,
}

impl Task {
    fn key(self, event: &KeyboardEvent) {
        let is_empty = self.text.with_untracked(|text| text.trim().is_empty());
        if event.key() == "Escape" && is_empty && self.typed.with_untracked(Option::is_none) {
            event.prevent_default();
            event.stop_propagation();
            self.close();
        }
    }

    fn cancel(self) {
        let is_empty = self.text.with_untracked(|text| text.trim().is_empty());
        if is_empty || self.purpose.with_value(|p| matches!(p, Purpose::Edit(_))) {
            self.close();
            return;
        }
        let question = Question {
            title: "Discard what you wrote?".to_owned(),
            text: "It was not sent yet.".to_owned(),
            action: "Discard".to_owned(),
            is_destructive: true,
        };
        confirm(question, move || self.close());
    }

    /// Closes the editor; the focus goes back to where it was opened.
    fn close(self) {
        let Some(purpose) = self.purpose.try_get_value() else {
            return;
        };
        if let Some(target) = self.at.with_value(|at| at.place.target) {
            crate::design::focus_soon(super::desk::card_id(target));
        }
        self.desk.unsent.close(&purpose);
    }

    /// Returns the suggested value, when one is typed.
    fn suggestion(self) -> Result<Option<Value>, String> {
        let Some(typed) = self.typed.get_untracked() else {
            return Ok(None);
        };
        let at = self.at.get_value();
        let look = suggestion::look_now(self.desk, &at.place)
            .ok_or_else(|| "What you comment on is not there any more.".to_owned())?;
        let value = look.read(&typed)?;
        let whole = self.desk.compare.whole.get_untracked();
        thread::check_suggestion(&whole.after, &at.anchor(), &value)
            .map_err(|refusal| refusal.to_string())?;
        Ok(Some(value))
    }

    fn send(self, is_pending: bool) {
        if self.is_busy.get_untracked() {
            return;
        }
        let text = self.text.get_untracked();
        let suggestion = self.suggestion();
        let checked = suggestion.and_then(|suggestion| {
            thread::check_body(&text, suggestion.as_ref())
                .map(|body| (body, suggestion))
                .map_err(|refusal| refusal.to_string())
        });
        let (body, suggestion) = match checked {
            Ok(checked) => checked,
            Err(why) => {
                self.fault.set(Some(why));
                return;
            }
        };
        self.fault.set(None);
        self.is_busy.set(true);
        let (purpose, desk) = (self.purpose.get_value(), self.desk);
        // A part was selected in the text as it was then.
        let revision = self.at.with_value(|at| {
            let selected = at.part.as_ref().map(|part| part.revision);
            selected.unwrap_or_else(|| untrack(|| desk.compare.to_revision()))
        });
        spawn_local(async move {
            let answer = match purpose.clone() {
                Purpose::New(spot) => {
                    let (anchor, on_base) = (spot.anchor(), spot.on_base);
                    api::start_thread(
                        desk.id, anchor, on_base, revision, body, suggestion, is_pending,
                    )
                    .await
                    .map(Some)
                }
                Purpose::Reply(id) => api::reply(id, body, suggestion, is_pending)
                    .await
                    .map(|_| Some(id)),
                Purpose::Edit(id) => api::edit_comment(id, body, suggestion).await.map(|()| None),
                Purpose::Summary => Err(Fault::Mismatch),
            };
            self.is_busy.try_set(false);
            match answer {
                Ok(thread) => {
                    if let Some(id) = thread {
                        link::focus_when_drawn(thread_box::element_id(id));
                    }
                    desk.unsent.close(&purpose);
                    desk.again();
                }
                Err(fault) => {
                    session::notice(&fault);
                    self.fault.try_set(Some(fault.to_string()));
                }
            }
        });
    }
}
