//! A new integration: its name, then what starts it.

use domain::account::check_name;
use domain::catalog::{self, TriggerKind};
use domain::policy::Act;
use domain::starter::Starter;
use domain::validate::{Checked, Problem};
use domain::{Document, document::Trigger};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use serde_json::{Map, Value};

use super::api;
use super::schedule::{NextFires, POLLS};
use super::starters;
use crate::design::action::refusal;
use crate::design::field::TextField;
use crate::design::icon::Icon;
use crate::design::schema_form::SchemaForm;
use crate::screen::Page;
use crate::session;

#[derive(Clone, Copy)]
struct New {
    name: RwSignal<String>,
    kind: RwSignal<Option<&'static str>>,
    config: RwSignal<Map<String, Value>>,
    /// The template that it is made from, if any.
    starter: RwSignal<Option<&'static Starter>>,
    problems: Signal<Vec<Problem>>,
    was_tried: RwSignal<bool>,
    fault: RwSignal<Option<String>>,
    is_busy: RwSignal<bool>,
}

impl New {
    fn empty() -> Self {
        let (kind, config) = (
            RwSignal::new(None::<&'static str>),
            RwSignal::new(Map::new()),
        );
        let problems = Memo::new(move |_| {
            let document = document(kind.get()?, config.get());
            let checked = Checked::of(&document);
            let of_trigger = checked.of_trigger().filter(|problem| {
                let field = problem.at.field.as_deref();
                field.is_some_and(|field| field.starts_with("trigger"))
            });
            Some(of_trigger.cloned().collect::<Vec<_>>())
        });
        Self {
            name: RwSignal::new(String::new()),
            kind,
            config,
            starter: RwSignal::new(None),
            problems: Signal::derive(move || problems.get().unwrap_or_default()),
            was_tried: RwSignal::new(false),
            fault: RwSignal::new(None),
            is_busy: RwSignal::new(false),
        }
    }

    fn choose(self, trigger: &'static TriggerKind) {
        if self.kind.get_untracked() != Some(trigger.key.as_str()) {
            self.kind.set(Some(&trigger.key));
            self.config.set(trigger.input.defaults());
        }
    }
}

fn document(kind: &str, config: Map<String, Value>) -> Document {
    let mut document = Document::new(kind);
    document.trigger = Trigger {
        kind: kind.to_owned(),
        config,
    };
    document
}

/// Draws the screen `/new`.
pub(crate) fn page() -> AnyView {
    let above = view! {
        <a href="/">"Integrations"</a>
    }
    .into_any();
    let may = session::may(Act::CreateIntegration);
    let content = move || match may.get() {
        Ok(()) => form(New::empty()),
        Err(denied) => view! { <p class="notice">{denied.to_string()}</p> }.into_any(),
    };
    view! {
        <Page title="New integration" above=above>
            {content}
        </Page>
    }
    .into_any()
}

fn form(new: New) -> AnyView {
    let navigate = use_navigate();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        new.was_tried.set(true);
        let name = new.name.with_untracked(|name| check_name(name));
        let made = new.starter.get_untracked().map(starters::document);
        let kind = new.kind.get_untracked();
        let made = made.or_else(|| Some(document(kind?, new.config.get_untracked())));
        let (Ok(name), Some(document)) = (name, made) else {
            return;
        };
        let is_wrong = new.starter.get_untracked().is_none()
            && new.problems.with_untracked(|problems| !problems.is_empty());
        if is_wrong || new.is_busy.get_untracked() {
            return;
        }
        let navigate = navigate.clone();
        new.is_busy.set(true);
        spawn_local(async move {
            match api::create_integration(name, document).await {
                Ok(draft) => navigate(&format!("/drafts/{draft}"), NavigateOptions::default()),
                Err(fault) => {
                    session::notice(&fault);
                    new.fault.try_set(Some(fault.to_string()));
                    new.is_busy.try_set(false);
                }
            }
        });
    };
    let name_problem = Signal::derive(move || {
        let refusal = new.name.with(|name| check_name(name).err());
        refusal
            .filter(|_| new.was_tried.get())
            .map(|refusal| refusal.to_string())
    });
    let no_trigger = move || {
        let is_missing = new.was_tried.get() && new.kind.get().is_none();
        is_missing.then_some("Choose what starts the integration.")
    };
    let refused = refusal(Act::CreateIntegration);
    view! {
        <form class="new-integration" novalidate on:submit=submit>
            <TextField
                label="Name"
                value=new.name
                problem=name_problem
                placeholder="Orders to warehouse"
                autofocus=true
            />
            {starters::view(new.starter, new.name)}
            <Show when=move || new.starter.get().is_none()>
                {triggers(new)}
                <p class="field-problem" role="alert">
                    {no_trigger}
                </p>
                {move || new.kind.get().and_then(catalog::trigger).map(|trigger| configuration(new, trigger))}
            </Show>
            <p class="form-problem" role="alert">
                {move || new.fault.get()}
            </p>
            <div class="row">
                <button
                    type="submit"
                    class="button primary"
                    disabled=move || new.is_busy.get() || refused.get().is_some()
                >
                    "Create integration"
                </button>
                <span class="quiet-text">"Nothing goes live before you publish."</span>
            </div>
        </form>
    }
    .into_any()
}

fn triggers(new: New) -> AnyView {
    let typed = RwSignal::new(String::new());
    let card = move |trigger: &'static TriggerKind| {
        let is_it = move || new.kind.get() == Some(trigger.key.as_str());
        let is_hidden = move || {
            !is_it() && typed.with(|typed| !typed.is_empty() && trigger.rank(typed).is_none())
        };
        view! {
            <label class="trigger-card" hidden=is_hidden>
                <input
                    type="radio"
                    name="trigger"
                    value=trigger.key.as_str()
                    prop:checked=is_it
                    on:change=move |_| new.choose(trigger)
                />
                <span class="tile">
                    <Icon name=trigger.icon.as_str() />
                </span>
                <span class="grow">
                    <strong>{trigger.title.as_str()}</strong>
                    <span class="quiet-text">{trigger.description.as_str()}</span>
                </span>
            </label>
        }
    };
    let is_nothing = move || {
        typed.with(|typed| {
            !typed.is_empty()
                && catalog::triggers()
                    .iter()
                    .all(|trigger| trigger.rank(typed).is_none())
        })
    };
    view! {
        <fieldset class="field">
            <legend>"What starts it"</legend>
            <div class="search">
                <Icon name="search" />
                <input
                    class="input"
                    type="search"
                    aria-label="Search triggers"
                    placeholder="Search triggers: webhook, every hour, button…"
                    on:input=move |event| typed.set(event_target_value(&event))
                    on:keydown=move |event| {
                        // Enter would send the form.
                        if event.key() == "Enter" {
                            event.prevent_default();
                        }
                    }
                />
            </div>
            <div class="trigger-cards">
                {catalog::triggers().iter().map(card).collect::<Vec<_>>()}
            </div>
            <p class="field-help" role="status">
                {move || is_nothing().then_some("No trigger fits. Try another word, such as http or time.")}
            </p>
        </fieldset>
    }
    .into_any()
}

fn configuration(new: New, trigger: &'static TriggerKind) -> AnyView {
    if trigger.input.fields.is_empty() {
        return ().into_any();
    }
    let change = move |(field, value): (String, Option<Value>)| {
        new.config.update(|config| match value {
            Some(value) => {
                config.insert(field, value);
            }
            None => {
                config.shift_remove(&field);
            }
        });
    };
    let text = move |field: &'static str| {
        Signal::derive(move || {
            let text = new
                .config
                .with(|config| config.get(field)?.as_str().map(str::to_owned));
            text.unwrap_or_default()
        })
    };
    let polls_at_times = Memo::new(move |_| trigger.key == "poll" && text("when").get() == "cron");
    view! {
        <section class="panel-box" aria-label=format!("Settings of the {} trigger", trigger.title)>
            <div class="body stack">
                <SchemaForm
                    schema=&trigger.input
                    config=new.config
                    problems=new.problems
                    on_change=Callback::new(change)
                    prefix="trigger."
                />
                {(trigger.key == "schedule")
                    .then(|| view! { <NextFires cron=text("cron") time_zone=text("time_zone") /> })}
                {move || polls_at_times.get().then(|| view! {
                    <NextFires cron=text("cron") time_zone=text("time_zone") title=POLLS />
                })}
            </div>
        </section>
    }
    .into_any()
}
