//! The card of a step, the trigger or the settings: what happened to it, field by field.

use domain::change::{Kind, Target};
use leptos::prelude::*;

use super::desk::{self, Desk};
use super::spot::Place;
use super::{field_row, thread_box, viewed};
use crate::change::{badge, field_look, look, title};
use crate::design::icon::Icon;
use crate::design::unique;
use crate::presence::{self, Presence};

/// Draws the card of a target.
pub(super) fn card(desk: Desk, target: Target) -> AnyView {
    let kinds = kinds(desk, target);
    let is_open = openness(desk, target, kinds);
    let is_whole = RwSignal::new(is_first_trigger(desk, target));
    let step = match target {
        Target::Step(id) => Some(id),
        Target::Trigger | Target::Settings => None,
    };
    let is_gone = Memo::new(move |_| {
        desk.compare.shown.with(|shown| match target {
            Target::Step(id) => shown.is_gone(id),
            Target::Trigger | Target::Settings => false,
        })
    });
    let heading = unique("change");
    let place = serde_json::to_string(&Place::of(target)).unwrap_or_default();
    let marker = move || kinds.with(|kinds| (!kinds.is_empty()).then_some(""));
    let content = move || {
        is_open
            .get()
            .then(|| untrack(|| body(desk, target, is_whole)))
    };
    view! {
        <article
            class="change"
            class:is-quiet=move || kinds.with(Vec::is_empty)
            class:is-gone=move || is_gone.get()
            class:is-viewed=move || viewed::is_viewed(desk, target)
            data-kind=move || kinds.with(|kinds| kinds.first().map(|kind| look(*kind).0))
            data-change=marker
            data-place=place
            id=desk::card_id(target)
            tabindex="-1"
            aria-labelledby=heading.clone()
            on:focusin=move |_| desk.at.set(step)
        >
            {head(desk, target, &heading, (kinds, is_open, is_whole))}
            {content}
        </article>
    }
    .into_any()
}

/// Returns whether a target is the trigger of an integration that has no version yet: it is no
/// change, and still what one has to know first.
fn is_first_trigger(desk: Desk, target: Target) -> bool {
    target == Target::Trigger && desk.review.with_untracked(|review| review.base.is_none())
}

/// Returns what happened to a target, as it is shown.
pub(super) fn kinds(desk: Desk, target: Target) -> Memo<Vec<Kind>> {
    Memo::new(move |_| desk.compare.shown.with(|shown| shown.kinds(target)))
}

/// Returns whether a card is open, and lets it be set. Cards with changes are open until they are
/// ticked; others while someone writes or wrote on them.
fn openness(desk: Desk, target: Target, kinds: Memo<Vec<Kind>>) -> Openness {
    let choice = RwSignal::new(None::<bool>);
    let is_first = is_first_trigger(desk, target);
    let is_viewed = Memo::new(move |_| viewed::is_viewed(desk, target));
    Effect::new(move |before: Option<bool>| {
        let is = is_viewed.get();
        if before.is_some_and(|before| before != is) {
            choice.set(None);
        }
        is
    });
    // What someone writes or is led to does not fold away afterwards.
    Effect::new(move || {
        if desk.revealed.get() == Some(target) || desk.unsent.touches(target) {
            choice.set(Some(true));
        }
    });
    let is_open = Memo::new(move |_| {
        choice.get().unwrap_or_else(|| {
            let is_talked_of = || !desk.threads.of(target).is_empty();
            let is_changed = kinds.with(|kinds| !kinds.is_empty());
            is_first
                || desk.unsent.touches(target)
                || (is_changed && !is_viewed.get())
                || (!is_changed && is_talked_of())
        })
    });
    Openness { choice, is_open }
}

#[derive(Clone, Copy)]
struct Openness {
    choice: RwSignal<Option<bool>>,
    is_open: Memo<bool>,
}

impl Openness {
    fn get(self) -> bool {
        self.is_open.get()
    }

    fn open(self) {
        self.choice.set(Some(true));
    }

    fn toggle(self) {
        self.choice.set(Some(!self.is_open.get_untracked()));
    }
}

fn head(
    desk: Desk,
    target: Target,
    heading: &str,
    (kinds, is_open, is_whole): (Memo<Vec<Kind>>, Openness, RwSignal<bool>),
) -> AnyView {
    let title = Memo::new(move |_| desk.compare.shown.with(|shown| title(shown, target)));
    let step = match target {
        Target::Step(id) => Some(id),
        Target::Trigger | Target::Settings => None,
    };
    let name = move || title.with(|(_, name, _)| name.clone());
    let kind = move || title.with(|(_, _, kind)| kind.clone());
    view! {
        <header class="change-head">
            <button
                type="button"
                class="change-toggle"
                data-toggle=""
                aria-expanded=move || is_open.get().to_string()
                aria-label=move || format!("Details of {}", name())
                on:click=move |_| is_open.toggle()
            >
                <Icon name="chevron-right" />
            </button>
            <span class="tile small">
                {move || view! { <Icon name=title.with(|(icon, ..)| icon.clone()) /> }}
            </span>
            <h3 class="change-name" id=heading.to_owned()>
                <span class="change-title">{name}</span>
                " "
                <span class="change-kind">{kind}</span>
            </h3>
            {step.map(|step| presence::at_step(expect_context::<Presence>(), step))}
            <span class="change-badges">
                {move || kinds.get().into_iter().map(badge).collect::<Vec<_>>()}
            </span>
            {talk(desk, target)}
            {more(desk, target, is_open, is_whole)}
            {field_row::comment_button(desk, Place::of(target))}
            {tick(desk, target, kinds)}
        </header>
    }
    .into_any()
}

/// Draws how many threads are not resolved.
pub(super) fn talk(desk: Desk, target: Target) -> AnyView {
    let count = Memo::new(move |_| desk.threads.open_of(target));
    view! {
        {move || {
            let count = count.get();
            (count > 0)
                .then(|| {
                    let words = if count == 1 {
                        "1 open thread".to_owned()
                    } else {
                        format!("{count} open threads")
                    };
                    let title = words.clone();
                    view! {
                        <span class="badge plain warning" title=title>
                            <Icon name="message" />
                            {count.to_string()}
                            <span class="visually-hidden">{words}</span>
                        </span>
                    }
                })
        }}
    }
    .into_any()
}

/// Draws the tick by which the reader says "I have seen this"; only for what is there now.
fn tick(desk: Desk, target: Target, kinds: Memo<Vec<Kind>>) -> AnyView {
    let is_viewed = Memo::new(move |_| viewed::is_viewed(desk, target));
    let is_offered = Memo::new(move |_| {
        let is_part = desk
            .compare
            .whole
            .with(|whole| whole.parts.iter().any(|(part, _)| *part == target));
        is_part && desk.compare.is_to_now() && kinds.with(|kinds| !kinds.is_empty())
    });
    view! {
        {move || {
            is_offered
                .get()
                .then(|| {
                    view! {
                        <label class="check tick">
                            <input
                                type="checkbox"
                                prop:checked=move || is_viewed.get()
                                on:change=move |event| {
                                    viewed::set(desk, target, event_target_checked(&event));
                                }
                            />
                            "Viewed"
                        </label>
                    }
                })
        }}
    }
    .into_any()
}

fn body(desk: Desk, target: Target, is_whole: RwSignal<bool>) -> AnyView {
    let fields = Memo::new(move |_| {
        let mut wanted = desk.threads.fields_of(target);
        wanted.extend(desk.unsent.fields_of(target));
        desk.compare
            .shown
            .with(|shown| field_look::listed(shown, target, is_whole.get(), wanted))
    });
    let moved = Memo::new(move |_| {
        desk.compare.shown.with(|shown| match target {
            Target::Step(id) => shown.moved(id),
            Target::Trigger | Target::Settings => None,
        })
    });
    view! {
        <div class="change-body">
            {move || {
                moved
                    .get()
                    .map(|moved| {
                        view! {
                            <p class="moved-line">
                                <Icon name="move" />
                                {moved}
                            </p>
                        }
                    })
            }}
            <div class="field-rows">
                <For
                    each=move || fields.get()
                    key=|field| field.clone()
                    children=move |field| field_row::row(desk, target, field)
                />
            </div>
            {thread_box::at(desk, Place::of(target))}
        </div>
    }
    .into_any()
}

/// Draws the button that shows the fields which are the same, or differ in ways that change
/// nothing.
fn more(desk: Desk, target: Target, is_open: Openness, is_whole: RwSignal<bool>) -> AnyView {
    let hidden = Memo::new(move |_| {
        desk.compare.shown.with(|shown| {
            let all = field_look::listed(shown, target, true, Vec::new()).len();
            let changed = field_look::listed(shown, target, false, Vec::new()).len();
            (all > changed, field_look::quiet(shown, target))
        })
    });
    let words = move || match (is_whole.get(), hidden.get().1) {
        (true, _) => "Show only what differs".to_owned(),
        (false, 0) => "Show the whole configuration".to_owned(),
        (false, 1) => "Show the whole configuration, with 1 difference without effect".to_owned(),
        (false, count) => {
            format!("Show the whole configuration, with {count} differences without effect")
        }
    };
    let toggle = move |_| {
        is_whole.update(|is| *is = !*is);
        is_open.open();
    };
    view! {
        {move || {
            hidden
                .get()
                .0
                .then(|| {
                    view! {
                        <button
                            type="button"
                            class="button quiet small icon-only"
                            aria-pressed=move || is_whole.get().to_string()
                            aria-label=words
                            title=words
                            on:click=toggle
                        >
                            <Icon name="rows" />
                        </button>
                    }
                })
        }}
    }
    .into_any()
}
