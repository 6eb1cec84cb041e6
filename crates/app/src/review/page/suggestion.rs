//! Suggested values: typing one beside the value that is there, and showing one in a comment.

use domain::change::{Part, Target};
use domain::connection::Connection;
use domain::policy::Act;
use domain::review::{Comment, Thread};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use super::super::api;
use super::desk::Desk;
use super::spot::{Place, Spot};
use crate::change::{Comparison, FieldLook, Shape, plain, value};
use crate::connection::known::known;
use crate::design::icon::Icon;
use crate::design::{toast, unique};
use crate::fault::Fault;
use crate::session;

/// Returns whether a value can be suggested at a spot: for one field of what is in the draft now.
pub(super) fn is_possible(desk: Desk, spot: &Spot) -> bool {
    let (Some(target), Some(field)) = (spot.place.target, &spot.place.field) else {
        return false;
    };
    let is_settable = match (target, field.part()) {
        (Target::Trigger, part) => matches!(part, Part::Config(_)),
        (Target::Settings, part) => matches!(part, Part::TimeLimit),
        (Target::Step(_), part) => !matches!(part, Part::Kind | Part::Lane(_) | Part::TimeLimit),
    };
    let is_there = desk.compare.whole.with(|whole| match target {
        Target::Step(id) => !whole.is_gone(id),
        Target::Trigger | Target::Settings => true,
    });
    let has_entry = || look_now(desk, &spot.place).is_some_and(|look| look.after.is_some());
    let is_whole = spot.place.entry.is_none();
    is_settable && is_there && !spot.on_base && (is_whole || has_entry())
}

/// Returns what the draft says now about the field of a place.
pub(super) fn look_now(desk: Desk, place: &Place) -> Option<FieldLook> {
    let (target, field) = (place.target?, place.field.as_ref()?);
    let look = |whole: &std::sync::Arc<Comparison>| FieldLook::of(whole, target, field);
    let look = desk.compare.whole.with(look);
    Some(match &place.entry {
        Some(entry) => look.of_entry(entry),
        None => look,
    })
}

/// Draws the field in which a value is typed, with what it changes under it.
pub(super) fn edit(
    desk: Desk,
    place: Place,
    typed: RwSignal<Option<String>>,
    problem: Signal<Option<String>>,
) -> AnyView {
    let Some(look) = look_now(desk, &place) else {
        return ().into_any();
    };
    let id = unique("suggestion");
    let text = move || typed.get().unwrap_or_default();
    let describes = crate::design::field::described(&id);
    let control = match &look.shape {
        Shape::Choice(options) => {
            let option = |(value, label): &(String, String)| {
                let own = value.clone();
                view! {
                    <option value=value.clone() prop:selected=move || text() == own>
                        {label.clone()}
                    </option>
                }
            };
            view! {
                <select
                    id=id.clone()
                    class="input"
                    aria-describedby=describes
                    on:change=move |event| typed.set(Some(event_target_value(&event)))
                >
                    {options.iter().map(option).collect::<Vec<_>>()}
                </select>
            }
            .into_any()
        }
        Shape::Connection => {
            let known = known();
            let options = move || {
                let option = |connection: Connection| {
                    let own = connection.id.to_string();
                    let value = own.clone();
                    view! {
                        <option value=value prop:selected=move || text() == own>
                            {connection.name}
                        </option>
                    }
                };
                let all = known.get().unwrap_or_default();
                all.into_iter().map(option).collect::<Vec<_>>()
            };
            view! {
                <select
                    id=id.clone()
                    class="input"
                    aria-describedby=describes
                    on:change=move |event| typed.set(Some(event_target_value(&event)))
                >
                    <option value="" hidden prop:selected=move || text().is_empty()>
                        "Choose a connection"
                    </option>
                    {options}
                </select>
            }
            .into_any()
        }
        shape => view! {
            <textarea
                id=id.clone()
                class="input grows"
                class:code=*shape != Shape::Prose
                rows="2"
                spellcheck=(*shape == Shape::Prose).to_string()
                autocapitalize="off"
                aria-describedby=describes
                aria-invalid=move || problem.get().is_some().to_string()
                prop:value=text
                on:input=move |event| typed.set(Some(event_target_value(&event)))
            ></textarea>
        }
        .into_any(),
    };
    let difference = move || {
        let now = look_now(desk, &place)?;
        let wanted = now.read(&typed.get()?).ok()?;
        Some(difference(&now, wanted))
    };
    let label = format!("Suggested value of {}", look.title);
    view! {
        <div class="field suggestion-edit" class:has-problem=move || problem.get().is_some()>
            <label for=id.clone()>{label}</label>
            {control}
            <p class="field-help" id=format!("{id}-help")></p>
            <p class="field-problem" id=format!("{id}-problem")>
                {move || problem.get()}
            </p>
            <div class="suggestion-change" aria-live="off">
                {difference}
            </div>
        </div>
    }
    .into_any()
}

fn difference(now: &FieldLook, wanted: Value) -> AnyView {
    if now.after.as_ref() == Some(&wanted) {
        return view! { <p class="quiet-text">"The same as now."</p> }.into_any();
    }
    let look = FieldLook {
        before: now.after.clone(),
        after: Some(wanted),
        ..now.clone()
    };
    value::draw(&look, false, &[])
}

/// Draws what a comment suggests, with a button that applies it for those who may.
pub(super) fn show(desk: Desk, thread: ArcRwSignal<Thread>, comment: Memo<Comment>) -> AnyView {
    let place = thread.with_untracked(|thread| desk.place_of(thread));
    let own = thread.clone();
    let difference = move || {
        let suggestion = comment.with(|comment| comment.suggestion.clone())?;
        let now = look_now(desk, &place)?;
        let look = match &suggestion.applied {
            // What it changed, not what became of it since.
            Some(_) => FieldLook {
                before: own.with(|thread| thread.said().cloned()),
                after: Some(suggestion.value),
                ..now
            },
            None if now.after.as_ref() == Some(&suggestion.value)
                && now.shape != Shape::Connection =>
            {
                let text = plain(&suggestion.value);
                return Some(view! { <p class="text code">{text}</p> }.into_any());
            }
            None => FieldLook {
                before: now.after.clone(),
                after: Some(suggestion.value),
                ..now
            },
        };
        Some(value::draw(&look, false, &[]))
    };
    view! {
        <div class="suggestion">
            <div class="suggestion-head">
                <Icon name="pencil" />
                <strong>"Suggested value"</strong>
                {move || state(desk, &thread, comment)}
            </div>
            <div class="suggestion-change">{difference}</div>
        </div>
    }
    .into_any()
}

/// Draws whether a suggestion was applied, or the button that applies it.
fn state(desk: Desk, thread: &ArcRwSignal<Thread>, comment: Memo<Comment>) -> Option<AnyView> {
    let (suggestion, by, id, is_pending) = comment.with(|comment| {
        let by = comment.by.name.clone();
        (
            comment.suggestion.clone(),
            by,
            comment.id,
            comment.is_pending,
        )
    });
    let suggestion = suggestion?;
    if let Some((who, revision)) = suggestion.applied {
        let words = format!(
            "Applied by {} in revision {revision}, suggested by {by}",
            who.name
        );
        return Some(
            view! {
                <span class="badge good">
                    <Icon name="check" />
                    {words}
                </span>
            }
            .into_any(),
        );
    }
    let spot = Spot {
        place: thread.with(|thread| desk.place_of(thread)),
        on_base: thread.with(|thread| thread.on_base),
        part: None,
    };
    if !is_possible(desk, &spot) || !desk.is_open() || is_pending {
        return None;
    }
    let denied = session::may(Act::EditDraft).get().err();
    if let Some(denied) = denied {
        return Some(view! { <span class="reason">{denied.to_string()}</span> }.into_any());
    }
    let is_busy = RwSignal::new(false);
    let apply = move |_| {
        if is_busy.get_untracked() {
            return;
        }
        is_busy.set(true);
        let expected = desk.review.with_untracked(|review| review.summary.revision);
        spawn_local(async move {
            match api::apply_suggestion(id, expected).await {
                Ok(revision) => toast::say(format!("Applied as revision {revision}.")),
                Err(fault) => say(&fault),
            }
            is_busy.try_set(false);
            desk.again();
        });
    };
    Some(
        view! {
            <button
                type="button"
                class="button small"
                aria-disabled=move || is_busy.get().to_string()
                on:click=apply
            >
                <Icon name="check" />
                "Apply"
            </button>
        }
        .into_any(),
    )
}

fn say(fault: &Fault) {
    toast::say_fault(fault);
}
