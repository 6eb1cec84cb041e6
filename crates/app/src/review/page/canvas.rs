//! The changes on the flow itself: cards with lanes side by side, badges, and ghosts of what is
//! gone or stood elsewhere. A card that is chosen is shown beside it.

mod zoom;

use std::sync::Arc;

use domain::change::{Kind, Target};
use domain::document::{Lane, Step};
use domain::{StepId, limit};
use leptos::prelude::*;

use super::card::{card, talk};
use super::desk::{Desk, card_id};
use super::link;
use crate::change::{Comparison, badge, look, title};
use crate::design::icon::Icon;
use zoom::Zoom;

/// Draws the canvas.
pub(super) fn view(desk: Desk) -> AnyView {
    let chosen = RwSignal::new(desk.revealed.get_untracked());
    Effect::new(move || {
        if let Some(target) = desk.revealed.get() {
            chosen.set(Some(target));
        }
    });
    let (stage, drawn) = (NodeRef::new(), NodeRef::new());
    let zoom = Zoom::of(stage, drawn);
    let flow = move || {
        let shown = desk.compare.shown.get();
        let canvas = Canvas {
            desk,
            shown: &shown,
            chosen,
        };
        untrack(|| canvas.flow())
    };
    let beside = move || match chosen.get() {
        Some(target) => untrack(|| card(desk, target)),
        None => view! {
            <p class="empty">"Choose a card to see what changed in it."</p>
        }
        .into_any(),
    };
    view! {
        <div class="review-canvas">
            <div class="canvas-stage">
                {zoom.tools()}
                <div
                    class="flow"
                    role="group"
                    aria-label="Flow"
                    tabindex="0"
                    node_ref=stage
                    on:keydown=move |event| zoom.press(&event)
                >
                    <div class="canvas-flow" node_ref=drawn>
                        {flow}
                    </div>
                </div>
            </div>
            <div class="canvas-beside" aria-live="polite">
                {beside}
            </div>
        </div>
    }
    .into_any()
}

/// How a step stands on the canvas.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is there.
    There,
    /// It is in the earlier document only.
    Gone,
    /// It stood here and stands elsewhere.
    Left,
}

struct Canvas<'a> {
    desk: Desk,
    shown: &'a Arc<Comparison>,
    chosen: RwSignal<Option<Target>>,
}

impl Canvas<'_> {
    fn flow(&self) -> AnyView {
        let before = Some(self.shown.before.flow.as_slice());
        let list = self.list(before, Some(&self.shown.after.flow), "flow", 0);
        view! { {self.tile(Target::Trigger, Standing::There)} {list} }.into_any()
    }

    /// Draws a list of steps as it is, with those that are no longer in it where they stood.
    fn list(
        &self,
        before: Option<&[StepId]>,
        after: Option<&[StepId]>,
        name: &str,
        depth: usize,
    ) -> AnyView {
        if depth > limit::DEPTH {
            return ().into_any();
        }
        let items = merged(before.unwrap_or_default(), after.unwrap_or_default());
        let items = items.into_iter().map(|(id, is_now)| {
            let standing = match (is_now, self.shown.is_gone(id)) {
                (true, _) => Standing::There,
                (false, true) => Standing::Gone,
                (false, false) => Standing::Left,
            };
            let lanes = (standing != Standing::Left).then(|| self.lanes(id, depth + 1));
            view! {
                <li class="step-item">
                    <span class="join" aria-hidden="true"></span>
                    {self.tile(Target::Step(id), standing)}
                    {lanes}
                </li>
            }
        });
        view! {
            <ol class="steps" aria-label=format!("Steps of {name}")>
                {items.collect::<Vec<_>>()}
            </ol>
        }
        .into_any()
    }

    fn lanes(&self, id: StepId, depth: usize) -> Option<AnyView> {
        let before = self.shown.before.steps.get(&id);
        let after = self.shown.after.steps.get(&id);
        let lanes = |step: Option<&Step>| step.map(|s| s.lanes.clone()).unwrap_or_default();
        let (old, new) = (lanes(before), lanes(after));
        let ids: Vec<_> = {
            let new = new.iter().map(|lane| lane.id);
            let gone = old
                .iter()
                .filter(|lane| new.clone().all(|id| id != lane.id));
            new.clone().chain(gone.map(|lane| lane.id)).collect()
        };
        let find = |lanes: &[Lane], id| lanes.iter().find(|lane| lane.id == id).cloned();
        let lane = |id| {
            let (was, is) = (find(&old, id), find(&new, id));
            let named = is.as_ref().or(was.as_ref())?.clone();
            let is_gone = is.is_none();
            let steps = |lane: &Option<Lane>| lane.as_ref().map(|lane| lane.steps.clone());
            let (was, is) = (steps(&was), steps(&is));
            let list = self.list(was.as_deref(), is.as_deref(), &named.name, depth);
            let label = format!("Lane {}", named.name);
            let view = view! {
                <section class="lane" class:is-gone=is_gone aria-label=label>
                    <header class="lane-head">
                        <span class="lane-name">{named.name}</span>
                        <span class="lane-when">{named.when}</span>
                    </header>
                    {list}
                </section>
            };
            Some(view)
        };
        let lanes: Vec<_> = ids.into_iter().filter_map(lane).collect();
        (!lanes.is_empty()).then(|| view! { <div class="lanes">{lanes}</div> }.into_any())
    }

    fn tile(&self, target: Target, standing: Standing) -> AnyView {
        let kinds = match standing {
            Standing::Left => vec![Kind::Moved],
            Standing::There | Standing::Gone => self.shown.kinds(target),
        };
        let (icon, name, title) = title(self.shown, target);
        let words = if standing == Standing::Left {
            format!("{name} stood here")
        } else {
            name
        };
        let (desk, chosen) = (self.desk, self.chosen);
        let badges = kinds.iter().map(|kind| badge(*kind)).collect::<Vec<_>>();
        let is_chosen = move || chosen.get() == Some(target) && standing != Standing::Left;
        view! {
            <div
                class="card"
                class:is-ghost=standing != Standing::There
                class:is-selected=is_chosen
                data-kind=kinds.first().map(|kind| look(*kind).0)
            >
                <button
                    type="button"
                    class="card-main"
                    aria-current=move || is_chosen().then_some("true")
                    on:click=move |_| choose(chosen, target)
                >
                    <span class="card-icon">
                        <Icon name=icon />
                    </span>
                    <span class="card-text">
                        <span class="card-kind">{title}</span>
                        <span class="card-name">{words}</span>
                    </span>
                    <span class="card-marks">{badges} {talk(desk, target)}</span>
                </button>
            </div>
        }
        .into_any()
    }
}

/// Shows the card of a target beside the flow; where that is below it, goes there.
fn choose(chosen: RwSignal<Option<Target>>, target: Target) {
    chosen.set(Some(target));
    let narrow = window().match_media("(max-width: 1080px)").ok().flatten();
    if narrow.is_some_and(|narrow| narrow.matches()) {
        link::scroll_to(card_id(target));
    }
}

/// Returns the steps of two lists in one order, each with whether it is in the later one: those
/// that are not stand behind what they stood behind.
fn merged(before: &[StepId], after: &[StepId]) -> Vec<(StepId, bool)> {
    let mut merged: Vec<(StepId, bool)> = after.iter().map(|id| (*id, true)).collect();
    let mut at = 0;
    for id in before {
        match merged.iter().position(|(other, _)| other == id) {
            Some(position) => at = position + 1,
            None => {
                merged.insert(at, (*id, false));
                at += 1;
            }
        }
    }
    merged
}
