//! One conflict: what was before, what the other side has, what the draft has, and what is chosen.

use domain::connection::field_of;
use domain::draft::MergeSource;
use domain::merge::{Choice, Conflict, ConflictKey, LanePart, Sides, StepPart};
use leptos::prelude::*;
use serde_json::Value;

use super::Merging;
use super::value::{self, words};
use crate::change;
use crate::connection::known::known;
use crate::design::icon::Icon;
use crate::design::unique;

/// Draws a conflict.
pub(super) fn view(merging: Merging, index: usize, conflict: Conflict) -> AnyView {
    let (title, description) =
        merging.sides(|sides| (conflict.title(sides), conflict.description(sides)));
    let heading = format!("conflict-{index}");
    let chosen = {
        let key = conflict.key.clone();
        Memo::new(move |_| merging.choices.with(|choices| choices.get(&key).cloned()))
    };
    let is_decided = {
        let key = conflict.key.clone();
        Memo::new(move |_| {
            merging
                .merged
                .with(|merged| merged.conflicts.iter().all(|left| left.key != key))
        })
    };
    let state = move || {
        let (class, icon, words) = if is_decided.get() {
            ("badge good", "circle-check", "Decided")
        } else {
            ("badge warning", "alert", "To decide")
        };
        view! {
            <span class=class>
                <Icon name=icon />
                {words}
            </span>
        }
    };
    view! {
        <li>
            <section class="conflict" aria-labelledby=heading.clone()>
                <div class="row">
                    <h4 class="grow" id=heading.clone()>
                        {title}
                    </h4>
                    {state}
                </div>
                <p class="quiet-text">{description}</p>
                {choices(merging, &conflict, chosen)}
            </section>
        </li>
    }
    .into_any()
}

/// Returns whether another value can be written instead of either side's.
fn can_write(key: &ConflictKey) -> bool {
    match key {
        ConflictKey::Trigger | ConflictKey::FlowOrder => false,
        ConflictKey::TriggerField { .. } | ConflictKey::TimeLimit => true,
        ConflictKey::Step { part, .. } => matches!(
            part,
            StepPart::Name
                | StepPart::Field { .. }
                | StepPart::Retries
                | StepPart::Notes
                | StepPart::Lane {
                    part: LanePart::Name | LanePart::When,
                    ..
                }
        ),
    }
}

fn choices(merging: Merging, conflict: &Conflict, chosen: Memo<Option<Choice>>) -> AnyView {
    let group = unique("choice");
    let key = conflict.key.clone();
    let [take, keep] = merging
        .sides(|sides| conflict.outcomes(sides))
        .unwrap_or_else(|| {
            let take = merging.basis.with_value(|basis| match &basis.source {
                MergeSource::Live(_) => "Take live's".to_owned(),
                MergeSource::Draft { title, .. } => format!("Take that of “{title}”"),
            });
            [take, "Keep mine".to_owned()]
        });
    let names_connection = merging.sides(|sides| names_connection(&key, sides));
    let can_write = can_write(&key) && !names_connection;
    let says = |value: Option<&Value>| merging.sides(|sides| words(&conflict.key, value, sides));
    let (base, theirs, ours) = (
        says(conflict.base.as_ref()),
        says(conflict.theirs.as_ref()),
        says(conflict.ours.as_ref()),
    );
    let side = |words: String, text: &str, choice: Choice| {
        let id = unique("side");
        let key = key.clone();
        // What says where something is, or whether, is no text in which single words differ.
        let shown = if can_write {
            change::texts(&base, text)
        } else {
            plainly(text.to_owned(), names_connection)
        };
        let is_it = {
            let choice = choice.clone();
            move || chosen.with(|chosen| chosen.as_ref() == Some(&choice))
        };
        view! {
            <div class="conflict-side">
                <div class="check">
                    <input
                        type="radio"
                        id=id.clone()
                        name=group.clone()
                        aria-describedby=format!("{id}-value")
                        prop:checked=is_it
                        on:change=move |_| merging.choose(key.clone(), choice.clone())
                    />
                    <label for=id.clone()>{words}</label>
                </div>
                <div class="conflict-value" id=format!("{id}-value")>
                    {shown}
                </div>
            </div>
        }
        .into_any()
    };
    view! {
        <fieldset class="conflict-sides">
            <legend class="visually-hidden">"Which one holds"</legend>
            <div class="conflict-side">
                <p class="conflict-before">"Before both"</p>
                <div class="conflict-value">
                    {plainly(base.clone(), names_connection)}
                </div>
            </div>
            {side(take, &theirs, Choice::Theirs)} {side(keep, &ours, Choice::Ours)}
            {can_write.then(|| write(merging, conflict, &group, chosen))}
        </fieldset>
    }
    .into_any()
}

/// Returns whether the values of a conflict are connections.
fn names_connection(key: &ConflictKey, sides: &Sides<'_>) -> bool {
    let ConflictKey::Step { step, part } = key else {
        return false;
    };
    let StepPart::Field { field, entry: None } = part else {
        return false;
    };
    let mut all = [sides.ours, sides.theirs].into_iter();
    all.any(|document| {
        let step = document.steps.get(step);
        step.is_some_and(|step| field_of(step) == Some(field.as_str()))
    })
}

/// Draws one side's words as they are; a connection by its name, as soon as that is known.
fn plainly(words: String, names_connection: bool) -> AnyView {
    if !names_connection {
        return view! { <div class="text code">{words}</div> }.into_any();
    }
    let known = known();
    let id = Value::from(words);
    let name = move || known.with(|all| crate::known::name(all.as_deref(), &id));
    view! { <div class="text">{name}</div> }.into_any()
}

/// Where a value of one's own is written.
fn write(
    merging: Merging,
    conflict: &Conflict,
    group: &str,
    chosen: Memo<Option<Choice>>,
) -> AnyView {
    let id = unique("write");
    let form = value::Form::of(conflict);
    let first = form.show(conflict.ours.as_ref().or(conflict.theirs.as_ref()));
    let text = RwSignal::new(first);
    let key = conflict.key.clone();
    let problem = RwSignal::new(None::<String>);
    let take = Callback::new(
        move |()| match text.with_untracked(|text| form.read(text)) {
            Ok(value) => {
                problem.set(None);
                merging.choose(key.clone(), Choice::Value(value));
            }
            Err(why) => {
                problem.set(Some(why));
                merging.choices.update(|choices| {
                    choices.remove(&key);
                });
            }
        },
    );
    let is_written = RwSignal::new(false);
    // Another choice puts what is written aside, and keeps it.
    Effect::new(move || {
        if chosen.with(|chosen| matches!(chosen, Some(Choice::Ours | Choice::Theirs))) {
            is_written.set(false);
        }
    });
    let label = "Write another";
    view! {
        <div class="conflict-side conflict-write">
            <div class="check">
                <input
                    type="radio"
                    id=id.clone()
                    name=group.to_owned()
                    prop:checked=move || is_written.get()
                    on:change=move |_| {
                        is_written.set(true);
                        take.run(());
                    }
                />
                <label for=id.clone()>{label}</label>
            </div>
            <div hidden=move || !is_written.get()>
                <textarea
                    class="input code grows"
                    rows="2"
                    spellcheck="false"
                    aria-label=label
                    aria-invalid=move || problem.get().is_some().to_string()
                    aria-describedby=format!("{id}-problem")
                    prop:value=move || text.get()
                    on:input=move |event| {
                        text.set(event_target_value(&event));
                        take.run(());
                    }
                ></textarea>
                <p class="field-problem" id=format!("{id}-problem")>
                    {move || problem.get()}
                </p>
            </div>
        </div>
    }
    .into_any()
}
