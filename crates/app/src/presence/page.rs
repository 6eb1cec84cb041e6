//! One page's part in it: tells the others, hears of them, and shows them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use domain::live::{Changed, Place};
use domain::presence::{At, Company, FieldMark, TELL_MS, initials};
use domain::{AccountId, StepId};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::VisibilityState;

use super::{api, names};
use crate::design::{time, told};
use crate::{live, session};

/// How long the selection must rest before it is told.
const REST: Duration = Duration::from_millis(300);
/// Within this time, each at another moment, all who are here answer to someone new.
const ANSWER_MS: f64 = 200.0;
/// How often it is looked who was not heard of any more.
const LOOK: Duration = Duration::from_secs(3);
/// How many people are shown one by one.
const SHOWN: usize = 5;

type People = BTreeSet<AccountId>;

/// Who else is at a place. A handle: copies are the same page's.
#[derive(Clone, Copy)]
pub(crate) struct Presence {
    place: Place,
    tab: u32,
    /// What is selected here, and the field that has the caret.
    at: Signal<At>,
    company: StoredValue<Company>,
    people: RwSignal<People>,
    /// Told when others select a step or leave it; only that step's card listens.
    at_steps: StoredValue<HashMap<StepId, ArcRwSignal<People>>>,
    /// The steps that others have selected, as they were told last.
    selections: StoredValue<BTreeMap<StepId, People>>,
    /// The fields in which others have the caret. One form is shown at a time, so all listen.
    fields: RwSignal<BTreeMap<At, People>>,
    /// The next time to tell the others.
    timer: StoredValue<Option<TimeoutHandle>>,
    /// Whether what was told last is on its way, and whether there is more to tell then.
    is_telling: StoredValue<bool>,
    is_news: StoredValue<bool>,
}

/// Tells others that this page has something open, as long as the calling screen is shown, and
/// which step is selected in it and which field of it has the caret.
pub(crate) fn announce(place: Place, at: Signal<At>) -> Presence {
    let presence = Presence {
        place,
        tab: random(f64::from(u32::MAX)),
        at,
        company: StoredValue::new(Company::default()),
        people: RwSignal::new(People::new()),
        at_steps: StoredValue::new(HashMap::new()),
        selections: StoredValue::new(BTreeMap::new()),
        fields: RwSignal::new(BTreeMap::new()),
        timer: StoredValue::new(None),
        is_telling: StoredValue::new(false),
        is_news: StoredValue::new(false),
    };
    live::use_changes(move |changed| presence.hear(changed));
    live::use_refetch(move || presence.tell());
    let rested = Effect::watch(
        move || at.get(),
        move |_, _, _| presence.tell_after(REST),
        false,
    );
    let every = Duration::from_millis(u64::from(TELL_MS));
    // A page that nobody sees is forgotten by the others, and tells them when it is seen again.
    let telling = set_interval_with_handle(move || presence.tell(), every);
    let looking = set_interval_with_handle(move || presence.look(), LOOK);
    let seen = window_event_listener_untyped("visibilitychange", move |_| presence.tell());
    presence.tell();
    on_cleanup(move || {
        rested.stop();
        seen.remove();
        [telling, looking]
            .into_iter()
            .flatten()
            .for_each(|interval| interval.clear());
        if let Some(timer) = presence.timer.try_update_value(Option::take).flatten() {
            timer.clear();
        }
        spawn_local(async move {
            // Who is not told notices a little later.
            let _ = api::here(place, None, None, presence.tab, true).await;
        });
    });
    presence
}

impl Presence {
    fn hear(self, changed: Changed) {
        let Changed::Here {
            place,
            account,
            step,
            field,
            tab,
            is_leaving,
        } = changed
        else {
            return;
        };
        if place != self.place || tab == self.tab {
            return;
        }
        let now = time::now();
        let is_new = self.company.try_update_value(|company| {
            if is_leaving {
                company.leave(tab, account, now);
                return false;
            }
            company.hear(tab, account, At { step, field }, now)
        });
        if is_new == Some(true) {
            self.answer_soon();
        }
        self.look();
    }

    /// Shows who is here now.
    fn look(self) {
        let seen = self.company.try_update_value(|company| {
            company.forget(time::now());
            (company.people(), company.selections(), company.fields())
        });
        let Some((mut people, mut selections, mut fields)) = seen else {
            return;
        };
        // Someone's own other pages are no company.
        let me = session::use_me().with_untracked(|me| me.as_ref().map(|me| me.account));
        if let Some(me) = me {
            people.remove(&me);
            for at_step in selections.values_mut() {
                at_step.remove(&me);
            }
            selections.retain(|_, at_step| !at_step.is_empty());
            for in_field in fields.values_mut() {
                in_field.remove(&me);
            }
            fields.retain(|_, in_field| !in_field.is_empty());
        }
        names::need(people.iter().copied());
        if self.people.with_untracked(|shown| *shown != people) {
            self.people.set(people);
        }
        if self.fields.with_untracked(|shown| *shown != fields) {
            self.fields.set(fields);
        }
        let before = self
            .selections
            .try_update_value(|shown| std::mem::replace(shown, selections.clone()))
            .unwrap_or_default();
        for step in before.keys().chain(selections.keys()) {
            let now = selections.get(step).cloned().unwrap_or_default();
            let signal = self.at_steps.with_value(|all| all.get(step).cloned());
            if let Some(signal) = signal
                && signal.with_untracked(|shown| *shown != now)
            {
                signal.set(now);
            }
        }
    }

    /// Returns who else has a step selected; told when that changes.
    fn at(self, step: StepId) -> People {
        let signal = self.at_steps.try_update_value(|all| {
            let begin = || {
                let selected = self.selections.with_value(|all| all.get(&step).cloned());
                ArcRwSignal::new(selected.unwrap_or_default())
            };
            all.entry(step).or_insert_with(begin).clone()
        });
        signal.map(|signal| signal.get()).unwrap_or_default()
    }

    fn answer_soon(self) {
        let is_waiting = self.timer.with_value(Option::is_some);
        if !is_waiting {
            let pause = u64::from(random(ANSWER_MS));
            self.tell_after(Duration::from_millis(pause));
        }
    }

    fn tell_after(self, pause: Duration) {
        if let Some(timer) = self.timer.try_update_value(Option::take).flatten() {
            timer.clear();
        }
        self.timer
            .set_value(set_timeout_with_handle(move || self.tell(), pause).ok());
    }

    /// Tells the others what is open here. One after the other, so that what is told last is
    /// what holds.
    fn tell(self) {
        if self.timer.try_set_value(None).is_some() {
            // The screen is gone.
            return;
        }
        if document().visibility_state() == VisibilityState::Hidden {
            return;
        }
        if self.is_telling.get_value() {
            self.is_news.set_value(true);
            return;
        }
        self.is_telling.set_value(true);
        let At { step, field } = self.at.get_untracked();
        spawn_local(async move {
            let _ = api::here(self.place, step, field, self.tab, false).await;
            if self.is_telling.try_set_value(false).is_none()
                && self.is_news.try_update_value(std::mem::take) == Some(true)
            {
                self.tell();
            }
        });
    }
}

/// Returns a random whole number below `below`.
fn random(below: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to a number that fits"
    )]
    let number = (js_sys::Math::random() * below) as u32;
    number
}

/// Shows who else is here; nothing when nobody is.
pub(crate) fn who_is_here(presence: Presence) -> AnyView {
    let people = Memo::new(move |_| {
        let people = presence.people.get();
        let mut names: Vec<_> = people.into_iter().map(names::of).collect();
        names.sort();
        names
    });
    let shown =
        move || {
            let names = people.get();
            let more = names.len().saturating_sub(SHOWN);
            (!names.is_empty()).then(|| {
            let list = names.iter().enumerate().map(|(index, name)| one(name, index < SHOWN));
            let list: Vec<_> = list.collect();
            view! {
                <ul class="here" aria-label="Here now">
                    {list}
                    {(more > 0).then(|| view! {
                        <li class="here-mark" aria-hidden="true" title=names[SHOWN..].join(", ")>
                            {format!("+{more}")}
                        </li>
                    })}
                </ul>
            }
        })
        };
    shown.into_any()
}

fn one(name: &str, has_mark: bool) -> AnyView {
    let mark = has_mark.then(|| {
        view! {
            <span class="here-mark" aria-hidden="true" title=name.to_owned()>{initials(name)}</span>
        }
    });
    view! {
        <li>{mark}<span class="visually-hidden">{name.to_owned()}</span></li>
    }
    .into_any()
}

/// Shows who else has a step selected, at the edge of its card; nothing when nobody has.
pub(crate) fn at_step(presence: Presence, step: StepId) -> AnyView {
    let at = told(move || {
        let people = presence.at(step);
        people.into_iter().map(names::of).collect::<Vec<_>>()
    });
    let shown = move || {
        let names = at.get();
        (!names.is_empty()).then(|| {
            let first = names.first().cloned().unwrap_or_default();
            let text = match names.len() {
                1 => first.clone(),
                count => format!("{first} +{}", count - 1),
            };
            view! {
                <div class="here-at" title=names.join(", ")>
                    <span class="here-mark" aria-hidden="true">{initials(&first)}</span>
                    <span>{text}</span>
                    <span class="visually-hidden">" at this step"</span>
                </div>
            }
        })
    };
    shown.into_any()
}

/// The fields of one form: of a step, or of the trigger. In the context of its parts, so that each
/// can show who else is in it.
#[derive(Clone, Copy)]
pub(crate) struct FormCompany {
    presence: Presence,
    step: Option<StepId>,
}

impl FormCompany {
    /// Returns it for the form of a step; `None` for the trigger's.
    pub(crate) const fn of(presence: Presence, step: Option<StepId>) -> Self {
        Self { presence, step }
    }
}

/// Shows who else has the caret in a field of the form around, which is marked with this name as
/// `data-field`; nothing when nobody has, or the form has no company.
pub(crate) fn in_field(name: &str) -> Option<AnyView> {
    let FormCompany { presence, step } = use_context()?;
    let at = At {
        step,
        field: Some(FieldMark::of(name)),
    };
    let people = Memo::new(move |_| {
        let people = presence.fields.with(|fields| fields.get(&at).cloned());
        people.unwrap_or_default()
    });
    let shown = move || {
        let names: Vec<_> = people.get().into_iter().map(names::of).collect();
        (!names.is_empty()).then(|| {
            let text = match names.as_slice() {
                [one] => one.clone(),
                [first, rest @ ..] => format!("{first} +{}", rest.len()),
                [] => String::new(),
            };
            let is_are = if names.len() == 1 { "is" } else { "are" };
            view! {
                <span class="here-field" title=names.join(", ")>
                    <span>{text}</span>
                    <span class="visually-hidden">{format!(" {is_are} in this field")}</span>
                </span>
            }
        })
    };
    Some(shown.into_any())
}

/// Returns the mark of the field in which an element is: the next one around with `data-field`.
pub(crate) fn mark_of(element: Option<web_sys::EventTarget>) -> Option<FieldMark> {
    let element = element?.dyn_into::<web_sys::Element>().ok()?;
    let field = element.closest("[data-field]").ok().flatten()?;
    Some(FieldMark::of(&field.get_attribute("data-field")?))
}
