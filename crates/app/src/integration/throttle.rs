//! How the runs of an integration begin: how many at once, and whether it is paused.

use domain::IntegrationId;
use domain::integration::IntegrationDetail;
use domain::limit::RUNS_AT_ONCE;
use domain::policy::Act;
use domain::throttle::{Refusal, Throttle, check_at_once};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::api;
use crate::design::action::{ActionButton, refusal};
use crate::design::dialog::Dialog;
use crate::design::field::{Field, TextField, described};
use crate::design::form::{DialogForm, Sending};
use crate::design::load::Load;
use crate::design::time::Ago;
use crate::design::{toast, unique};

/// Draws the section.
pub(super) fn section(
    id: IntegrationId,
    shown: Signal<IntegrationDetail>,
    detail: Load<IntegrationDetail>,
) -> AnyView {
    let throttle = Memo::new(move |_| shown.with(|shown| shown.throttle.clone()));
    let at_once = move || at_once_words(throttle.with(|throttle| throttle.at_once));
    let now = move || {
        throttle
            .with(Throttle::now)
            .unwrap_or_else(|| "No run waits or is under way.".to_owned())
    };
    view! {
        <section class="panel-box" aria-labelledby="throttle">
            <div class="head">
                <h2 class="grow" id="throttle">
                    "Order of runs"
                </h2>
                {change(id, throttle, detail)}
                {pause(id, throttle, detail)}
            </div>
            <div class="body stack">
                {move || {
                    throttle
                        .with(|throttle| throttle.paused_at)
                        .map(|at| {
                            view! {
                                <p class="notice">
                                    // One item of the row, so that it reads as one text.
                                    <span>
                                        "Paused " <Ago at=at />
                                        ". Events are accepted and its schedule fires, but their runs wait until it continues. What had begun goes on to its end."
                                    </span>
                                </p>
                            }
                        })
                }}
                <dl class="facts">
                    <dt>"At once"</dt>
                    <dd>{at_once}</dd>
                    <dt>"Now"</dt>
                    <dd>
                        <span role="status">{now}</span>
                    </dd>
                </dl>
            </div>
        </section>
    }
    .into_any()
}

fn at_once_words(at_once: Option<u32>) -> String {
    match at_once {
        None => "As many runs as there is room for".to_owned(),
        Some(1) => "One run after another, in the order of their events".to_owned(),
        Some(count) => format!("At most {count} runs, begun in the order of their events"),
    }
}

fn pause(id: IntegrationId, throttle: Memo<Throttle>, detail: Load<IntegrationDetail>) -> AnyView {
    let is_paused = Memo::new(move |_| throttle.with(|throttle| throttle.paused_at.is_some()));
    let press = move |()| {
        let paused = !is_paused.get_untracked();
        spawn_local(async move {
            match api::set_paused(id, paused).await {
                Ok(()) if paused => toast::say("Paused: what comes in is kept, and waits."),
                Ok(()) => toast::say("It continues: what waited begins."),
                Err(fault) => toast::say_fault(&fault),
            }
            detail.again();
        });
    };
    let button = move || {
        let (label, icon) = match is_paused.get() {
            true => ("Continue", "play"),
            false => ("Pause", "pause"),
        };
        let refused = refusal(Act::Operate);
        view! { <ActionButton label=label icon=icon refused=refused press=Callback::new(press) /> }
    };
    view! { {button} }.into_any()
}

/// What is chosen in the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Unlimited,
    InOrder,
    AtMost,
}

impl Choice {
    const ALL: [(Choice, &str, &str); 3] = [
        (
            Choice::Unlimited,
            "unlimited",
            "As many as there is room for",
        ),
        (
            Choice::InOrder,
            "in-order",
            "One after another, in the order of their events",
        ),
        (Choice::AtMost, "at-most", "At most a number"),
    ];

    const fn of(at_once: Option<u32>) -> Self {
        match at_once {
            None => Choice::Unlimited,
            Some(1) => Choice::InOrder,
            Some(_) => Choice::AtMost,
        }
    }

    fn from_key(key: &str) -> Self {
        let found = Self::ALL.into_iter().find(|(_, known, _)| *known == key);
        found.map_or(Choice::Unlimited, |(choice, _, _)| choice)
    }

    fn read(self, number: &str) -> Result<Option<u32>, Refusal> {
        match self {
            Choice::Unlimited => Ok(None),
            Choice::InOrder => Ok(Some(1)),
            Choice::AtMost => {
                let count = number.trim().parse().map_err(|_| Refusal::AtOnce)?;
                check_at_once(Some(count))
            }
        }
    }
}

fn change(id: IntegrationId, throttle: Memo<Throttle>, detail: Load<IntegrationDetail>) -> AnyView {
    let open = RwSignal::new(false);
    view! {
        <ActionButton
            label="Change"
            icon="pencil"
            refused=refusal(Act::Operate)
            press=Callback::new(move |()| open.set(true))
        />
        <Dialog open=open title="Order of runs">
            {move || {
                let at_once = throttle.with_untracked(|throttle| throttle.at_once);
                form(id, at_once, open, detail)
            }}
        </Dialog>
    }
    .into_any()
}

fn form(
    id: IntegrationId,
    at_once: Option<u32>,
    open: RwSignal<bool>,
    detail: Load<IntegrationDetail>,
) -> AnyView {
    let choice = RwSignal::new(Choice::of(at_once));
    let number = RwSignal::new(at_once.unwrap_or(5).to_string());
    let problem = RwSignal::new(None::<String>);
    let sending = Sending::default();
    let close = Callback::new(move |()| open.set(false));
    let submit = move || {
        let read = number.with_untracked(|number| choice.get_untracked().read(number));
        problem.set(read.err().map(|refusal| refusal.to_string()));
        if let Ok(at_once) = read {
            sending.send(api::set_at_once(id, at_once), move |()| {
                close.try_run(());
                toast::say("The order of runs is set.");
                detail.again();
            });
        }
    };
    let is_number = move || choice.get() == Choice::AtMost;
    let count = move || {
        is_number().then(|| {
            let help = format!("From 1 to {RUNS_AT_ONCE}.");
            view! { <TextField label="Number of runs" value=number help=help problem=problem /> }
        })
    };
    view! {
        <DialogForm action="Set" sending=sending submit=submit leave=close>
            {choices(choice)}
            {count}
        </DialogForm>
    }
    .into_any()
}

fn choices(choice: RwSignal<Choice>) -> AnyView {
    let id = unique("at-once");
    let option = move |(of, key, words): (Choice, &'static str, &'static str)| {
        view! {
            <option value=key prop:selected=move || choice.get() == of>
                {words}
            </option>
        }
    };
    view! {
        <Field
            id=id.clone()
            label="Runs at once"
            required=true
            help="A run counts from its beginning until it is over, also while it waits in a delay or for another attempt."
        >
            <select
                id=id.clone()
                class="input"
                aria-describedby=described(&id)
                on:change=move |event| choice.set(Choice::from_key(&event_target_value(&event)))
            >
                {Choice::ALL.map(option).into_iter().collect::<Vec<_>>()}
            </select>
        </Field>
    }
    .into_any()
}
