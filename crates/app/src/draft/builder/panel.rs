//! The panel at the right: the form of what is selected.

use domain::StepId;
use domain::catalog::{self, Container};
use domain::connector::Declared;
use domain::document::{ErrorPolicy, OnError, Settings, Trigger};
use domain::edit::Edit;
use domain::slug;
use leptos::prelude::*;
use serde_json::Value;

use super::super::selection::Selection;
use super::{Builder, declaration, labelled, lanes, testing, values};
use crate::connector;
use crate::design::field::described;
use crate::design::icon::Icon;
use crate::design::markdown::MarkdownEditor;
use crate::design::more::More;
use crate::design::schema_form::SchemaForm;
use crate::integration::schedule::{NextFires, POLLS};
use crate::presence::{self, FormCompany};

/// How fields that every step has are marked, for others to see who is in them; no field of a
/// configuration is called so.
const NAME: &str = "@name";
const RETRIES: &str = "@retries";
const THEN: &str = "@then";
const NOTES: &str = "@notes";

/// Draws a field, and who else is in it. `mark` tells it from all others of the step.
pub(super) fn named(mark: &str, field: impl IntoView) -> impl IntoView {
    view! {
        <div class="named" data-field=mark.to_owned()>
            {presence::in_field(mark)}
            {field}
        </div>
    }
}

pub(super) fn view(builder: Builder) -> impl IntoView {
    let selection = Memo::new(move |_| builder.editor.selection.get());
    // The form of one step is made anew when another is selected, never while typing.
    view! {
        <aside
            class="panel"
            id="panel"
            aria-label="Configuration"
            on:focusin=move |event| builder.in_field.set(presence::mark_of(event.target()))
            on:focusout=move |_| builder.in_field.set(None)
        >
            {move || match selection.get() {
                Selection::Trigger => trigger(builder).into_any(),
                Selection::Step(id) => step(builder, id).into_any(),
            }}
        </aside>
    }
}

fn trigger(builder: Builder) -> impl IntoView {
    let editor = builder.editor;
    provide_context(FormCompany::of(expect_context(), None));
    let kind = Memo::new(move |_| editor.trigger().kind);
    let polls_at_times =
        Memo::new(move |_| kind.get() == "poll" && trigger_text(builder, "when").get() == "cron");
    let choose = move |event| {
        let kind: String = event_target_value(&event);
        let config = catalog::trigger(&kind)
            .map(|kind| kind.input.defaults())
            .unwrap_or_default();
        builder.explain(editor.act(Edit::SetTrigger {
            trigger: Trigger { kind, config },
        }));
    };
    view! {
        <header class="panel-head"><h2>"Trigger"</h2></header>
        <fieldset class="panel-fields" prop:disabled=move || !builder.may_edit.get()>
            <legend class="visually-hidden">"Trigger"</legend>
            {labelled("Starts by", "", Signal::stored(None), move |id| view! {
                <select id=id class="input" on:change=choose>
                    {catalog::triggers().iter().map(|trigger| view! {
                        <option value=trigger.key.as_str() prop:selected=move || kind.get() == trigger.key>{trigger.title.as_str()}</option>
                    }).collect_view()}
                </select>
            }.into_any())}
            {move || catalog::trigger(&kind.get()).map(|trigger| view! {
                <p class="panel-help">{trigger.description.as_str()}</p>
                <SchemaForm
                    schema=&trigger.input
                    config=Memo::new(move |_| editor.trigger().config)
                    problems=Memo::new(move |_| editor.problems_of(Selection::Trigger))
                    on_change=Callback::new(move |(field, value): (String, Option<Value>)| {
                        builder.explain(editor.type_into(Edit::SetTriggerField { field, value }));
                    })
                    prefix="trigger."
                />
            })}
            {move || (kind.get() == "schedule").then(|| view! {
                <NextFires cron=trigger_text(builder, "cron") time_zone=trigger_text(builder, "time_zone") />
            })}
            {move || polls_at_times.get().then(|| view! {
                <NextFires
                    cron=trigger_text(builder, "cron")
                    time_zone=trigger_text(builder, "time_zone")
                    title=POLLS
                />
            })}
            {settings(builder)}
        </fieldset>
    }
}

/// A text of the trigger's configuration.
fn trigger_text(builder: Builder, field: &'static str) -> Signal<String> {
    Signal::derive(move || {
        let trigger = builder.editor.trigger();
        trigger
            .config
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    })
}

fn settings(builder: Builder) -> impl IntoView {
    let editor = builder.editor;
    let change = move |event| {
        if let Ok(time_limit_seconds) = event_target_value(&event).parse() {
            builder.explain(editor.act(Edit::SetSettings {
                settings: Settings { time_limit_seconds },
            }));
        }
    };
    let problem = move || {
        let problems = editor.problems_of(Selection::Trigger);
        let found = problems
            .into_iter()
            .find(|p| p.at.field.as_deref() == Some("settings.time_limit_seconds"));
        found.map(|problem| format!("{} {}", problem.message, problem.mend))
    };
    view! {
        <h3 class="panel-section">"Settings"</h3>
        {labelled(
            "Time limit of a run, in seconds",
            "A run that works longer fails. Waiting in a delay does not count.",
            Signal::derive(problem),
            move |id| view! {
                <input
                    id=id.clone()
                    class="input"
                    type="number"
                    min="1"
                    max="86400"
                    aria-describedby=described(&id)
                    prop:value=move || editor.settings().time_limit_seconds.to_string()
                    on:change=change
                />
            }.into_any(),
        )}
    }
}

/// The form of a step; made anew when its connector's action is brought up to date, as other
/// fields belong to it then.
fn step(builder: Builder, id: StepId) -> impl IntoView {
    let editor = builder.editor;
    let declared = Memo::new(move |_| editor.step(id, |step| step.declared().cloned()).flatten());
    move || form_of_step(builder, id, declared.get())
}

fn form_of_step(builder: Builder, id: StepId, declared: Option<Declared>) -> impl IntoView {
    let editor = builder.editor;
    let kind = editor
        .read(|document| document.steps.get(&id).map(|step| step.kind.clone()))
        .unwrap_or_default();
    let action = match &declared {
        Some(declared) => Some(connector::known::kept(declared)),
        None => catalog::action(&kind),
    };
    let expressions = values::expressions(builder, id);
    provide_context(expressions);
    provide_context(FormCompany::of(expect_context(), Some(id)));
    view! {
        <header class="panel-head">
            <h2>{action.map_or("Unknown action", |action| action.title.as_str())}</h2>
            {step_actions(builder, id)}
        </header>
        <fieldset class="panel-fields" prop:disabled=move || !builder.may_edit.get()>
            <legend class="visually-hidden">"Step"</legend>
            {name(builder, id)}
            {action.map(|action| view! {
                <p class="panel-help">{action.description.as_str()}</p>
                {declared.map(|declared| declaration::view(builder, id, declared))}
                <SchemaForm
                    schema=&action.input
                    config=Memo::new(move |_| editor.step(id, |step| step.config.clone()).unwrap_or_default())
                    problems=Memo::new(move |_| editor.problems_of(Selection::Step(id)))
                    on_change=Callback::new(move |(field, value): (String, Option<Value>)| {
                        builder.explain(editor.type_into(Edit::SetField { step: id, field, value }));
                    })
                    prefix=""
                />
                {action.container.map(|container| lanes::view(builder, id, container))}
            })}
            {values::view(expressions)}
            {(!matches!(
                    action.and_then(|action| action.container),
                    Some(Container::Try | Container::Parallel)
                ))
                .then(|| error_policy(builder, id))}
            {notes(builder, id)}
        </fieldset>
        {testing::of_step(builder, id)}
        {other_problems(builder, id)}
    }
}

/// Problems that belong to no field of the form.
fn other_problems(builder: Builder, id: StepId) -> impl IntoView {
    move || {
        let problems = builder.editor.problems_of(Selection::Step(id));
        let other: Vec<_> = problems
            .into_iter()
            .filter(|problem| problem.at.field.is_none())
            .collect();
        (!other.is_empty()).then(|| {
            view! {
                <ul class="panel-problems">
                    {other.into_iter().map(|p| view! { <li class="field-problem">{p.message}" "{p.mend}</li> }).collect_view()}
                </ul>
            }
        })
    }
}

fn step_actions(builder: Builder, id: StepId) -> impl IntoView {
    let editor = builder.editor;
    let button = move |label: &'static str, icon: &'static str, act: Callback<()>| {
        view! {
            <button
                type="button"
                class="button quiet icon-only"
                aria-label=label
                title=label
                prop:disabled=move || !builder.may_edit.get()
                on:click=move |_| act.run(())
            >
                <Icon name=icon />
            </button>
        }
    };
    let nudge = move |down: bool| {
        Callback::new(move |()| {
            let moved = editor.nudge(id, down);
            if moved.is_ok() {
                super::keys::announce_place(builder, id);
            }
            builder.explain(moved);
        })
    };
    view! {
        <div class="panel-actions">
            {button("Move up", "arrow-up", nudge(false))}
            {button("Move down", "arrow-down", nudge(true))}
            {button("Duplicate", "copy", Callback::new(move |()| builder.explain(editor.duplicate(id).map(drop))))}
            {button("Extract into a new integration", "workflow", Callback::new(move |()| builder.extracting.set(true)))}
            {button("Delete step", "trash", Callback::new(move |()| {
                builder.explain(editor.delete(id));
                builder.announce("Step deleted. Ctrl+Z brings it back.");
                builder.go_to(editor.selection.get_untracked());
            }))}
        </div>
    }
}

/// The step's name. Renaming changes the slug too, and references follow.
fn name(builder: Builder, id: StepId) -> impl IntoView {
    let editor = builder.editor;
    let names = Memo::new(move |_| {
        editor
            .step(id, |step| (step.name.clone(), step.slug.clone()))
            .unwrap_or_default()
    });
    let change = move |event| {
        let name: String = event_target_value(&event);
        let slug = editor.read(|document| {
            slug::unique(&name, |slug| {
                document
                    .step_by_slug(slug)
                    .is_some_and(|step| step.id != id)
            })
        });
        builder.explain(editor.act(Edit::Rename {
            step: id,
            name,
            slug,
        }));
    };
    let problem = move || {
        let problems = editor.problems_of(Selection::Step(id));
        let found = problems
            .into_iter()
            .find(|p| p.at.field.as_deref() == Some("name") && p.at.lane.is_none());
        found.map(|problem| format!("{} {}", problem.message, problem.mend))
    };
    view! {
        {named(NAME, labelled("Name", "", Signal::derive(problem), move |id| view! {
            <input
                id=id.clone()
                class="input"
                type="text"
                aria-describedby=described(&id)
                prop:value=move || names.get().0
                on:change=change
            />
        }.into_any()))}
        <p class="field-help">"Other steps use it as "<code>{move || format!("steps.{}", names.get().1)}</code></p>
    }
}

fn error_policy(builder: Builder, id: StepId) -> impl IntoView {
    let editor = builder.editor;
    let policy = Memo::new(move |_| editor.step(id, |step| step.on_error).unwrap_or_default());
    let set = move |policy: ErrorPolicy| {
        builder.explain(editor.act(Edit::SetErrorPolicy { step: id, policy }))
    };
    view! {
        <More class="panel-more" summary=move || view! {
            "When it fails"
            <span class="panel-now">{move || policy_now(policy.get())}</span>
        }>
            {named(RETRIES, labelled(
                "Retries",
                "After 1, 2, 4 … seconds; an answer that says when to come back is obeyed.",
                Signal::stored(None),
                move |id| view! {
                    <input
                        id=id.clone()
                        class="input"
                        type="number"
                        min="0"
                        max="10"
                        aria-describedby=described(&id)
                        prop:value=move || policy.get().retries.to_string()
                        on:change=move |event| {
                            if let Ok(retries) = event_target_value(&event).parse() {
                                set(ErrorPolicy { retries, ..policy.get_untracked() });
                            }
                        }
                    />
                }.into_any(),
            ))}
            {named(THEN, labelled("After the last attempt", "", Signal::stored(None), move |id| view! {
                <select
                    id=id
                    class="input"
                    on:change=move |event| {
                        let then = if event_target_value(&event) == "continue" { OnError::Continue } else { OnError::Stop };
                        set(ErrorPolicy { then, ..policy.get_untracked() });
                    }
                >
                    <option value="stop" prop:selected=move || policy.get().then == OnError::Stop>"The run fails"</option>
                    <option value="continue" prop:selected=move || policy.get().then == OnError::Continue>
                        "The run goes on; the output is { error }"
                    </option>
                </select>
            }.into_any()))}
        </More>
    }
}

/// Says what happens now when a step fails.
fn policy_now(policy: ErrorPolicy) -> String {
    let then = match policy.then {
        OnError::Stop => "the run fails",
        OnError::Continue => "the run goes on",
    };
    match policy.retries {
        0 => then.to_owned(),
        1 => format!("1 retry, then {then}"),
        retries => format!("{retries} retries, then {then}"),
    }
}

fn notes(builder: Builder, id: StepId) -> impl IntoView {
    let editor = builder.editor;
    let stored = Memo::new(move |_| {
        editor
            .step(id, |step| step.notes.clone())
            .unwrap_or_default()
    });
    let typed = RwSignal::new(stored.get_untracked());
    // What undo, or someone else, made of it.
    Effect::new(move || {
        let now = stored.get();
        if typed.with_untracked(|typed| *typed != now) {
            typed.set(now);
        }
    });
    let tell = move |notes: &String, _: Option<&String>, _: Option<()>| {
        if stored.with_untracked(|stored| stored != notes) {
            let notes = notes.clone();
            builder.explain(editor.type_into(Edit::SetNotes { step: id, notes }));
        }
    };
    Effect::watch(move || typed.get(), tell, false);
    let is_open = stored.with_untracked(|notes| !notes.is_empty());
    view! {
        <div on:focusout=move |_| editor.end_gesture()>
            {named(NOTES, view! {
                <More class="panel-more" open=is_open summary=|| "Notes">
                    <MarkdownEditor value=typed label="For the next reader, in Markdown" rows=4 narrow=true />
                </More>
            })}
        </div>
    }
}
