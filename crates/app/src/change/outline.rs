//! Everything that differs, in the order in which a person reads it, to read only.

use domain::StepId;
use domain::change::{Field, Kind, Row, RowKind, Target};
use leptos::prelude::*;

use super::{Comparison, FieldLook, badge, look, title, value};
use crate::design::icon::Icon;

/// Deepest indentation that is drawn.
const DEEPEST: usize = 16;
/// Most names of unchanged steps that are listed.
const NAMED: usize = 200;

/// Draws a comparison; what did not change is folded.
pub(super) fn view(shown: &Comparison) -> AnyView {
    if shown.changes.is_empty() {
        return view! { <p class="empty">"Nothing differs."</p> }.into_any();
    }
    let rows = shown.rows.iter().map(|row| line(shown, row));
    view! { <ol class="change-list to-read">{rows.collect::<Vec<_>>()}</ol> }.into_any()
}

fn line(shown: &Comparison, row: &Row) -> AnyView {
    let content = match &row.kind {
        RowKind::Trigger => card(shown, Target::Trigger),
        RowKind::Settings => card(shown, Target::Settings),
        RowKind::Step { id } => card(shown, Target::Step(*id)),
        RowKind::Lane { step, lane } => {
            let words = shown.lane_words(*step, *lane);
            words.map(super::lane_line).into_any()
        }
        RowKind::Unchanged { steps, quiet } => unchanged(shown, steps, *quiet),
        RowKind::Ghost { id } => {
            let words = format!("“{}” stood here.", shown.name(Target::Step(*id)));
            view! {
                <p class="ghost">
                    <Icon name="move" />
                    <span>{words}</span>
                </p>
            }
            .into_any()
        }
    };
    let depth = row.depth.min(DEEPEST).to_string();
    view! {
        <li class="change-line" data-depth=depth>
            {content}
        </li>
    }
    .into_any()
}

fn card(shown: &Comparison, target: Target) -> AnyView {
    let kinds = shown.kinds(target);
    let (icon, name, kind) = title(shown, target);
    let (is_gone, moved) = match target {
        Target::Step(id) => (shown.is_gone(id), shown.moved(id)),
        Target::Trigger | Target::Settings => (false, None),
    };
    let moved = moved.map(|moved| {
        view! {
            <p class="moved-line">
                <Icon name="move" />
                {moved}
            </p>
        }
    });
    let content = (!kinds.is_empty()).then(|| {
        view! { <div class="change-body">{moved} {fields(shown, target, &kinds)}</div> }
    });
    let badges = kinds.iter().map(|kind| badge(*kind)).collect::<Vec<_>>();
    view! {
        <div
            class="change"
            class:is-quiet=kinds.is_empty()
            class:is-gone=is_gone
            data-kind=kinds.first().map(|kind| look(*kind).0)
        >
            <div class="change-head">
                <span class="tile small">
                    <Icon name=icon />
                </span>
                <p class="change-name">
                    <strong class="change-title">{name}</strong>
                    " "
                    <span class="change-kind">{kind}</span>
                </p>
                <span class="change-badges">{badges}</span>
            </div>
            {content}
        </div>
    }
    .into_any()
}

/// Draws the values that differ. What has no effect is folded; all of a deleted step is.
fn fields(shown: &Comparison, target: Target, kinds: &[Kind]) -> AnyView {
    let all = shown.fields(target).iter();
    let (quiet, loud): (Vec<_>, Vec<_>) = all.partition(|change| change.is_quiet());
    let is_gone = kinds.contains(&Kind::Deleted);
    let is_new = kinds.contains(&Kind::New);
    let rows = |fields: Vec<&Field>| {
        let row = |field: &Field| {
            let look = FieldLook::of(shown, target, field);
            let remark = look.remark.clone();
            view! {
                <div class="field-row">
                    <div class="field-label">
                        <span>{look.title.clone()}</span>
                        {remark.map(|remark| view! { <span class="field-remark">{remark}</span> })}
                    </div>
                    <div class="field-value">{value::draw(&look, false, &[])}</div>
                </div>
            }
        };
        let rows = fields.into_iter().map(row).collect::<Vec<_>>();
        view! { <div class="field-rows">{rows}</div> }.into_any()
    };
    let folded = |words: String, fields: Vec<&Field>| {
        (!fields.is_empty()).then(|| {
            view! {
                <details class="change-rest">
                    <summary>{words}</summary>
                    {rows(fields)}
                </details>
            }
        })
    };
    let loud: Vec<&Field> = loud.into_iter().map(|change| &change.field).collect();
    let quiet: Vec<&Field> = quiet.into_iter().map(|change| &change.field).collect();
    let rest = (!is_gone && !is_new).then(|| match quiet.len() {
        1 => folded("1 value that changes nothing".to_owned(), quiet),
        count => folded(format!("{count} values that change nothing"), quiet),
    });
    let main = if is_gone {
        folded("What it did".to_owned(), loud).into_any()
    } else if loud.is_empty() {
        ().into_any()
    } else {
        rows(loud)
    };
    view! {
        {main}
        {rest}
    }
    .into_any()
}

fn unchanged(shown: &Comparison, steps: &[StepId], quiet: usize) -> AnyView {
    let names = steps.iter().take(NAMED);
    let names = names.map(|id| shown.name(Target::Step(*id)));
    let names = names.collect::<Vec<_>>().join(", ");
    view! {
        <details class="change-rest">
            <summary>{super::unchanged_words(steps.len(), quiet)}</summary>
            <p class="quiet-text">{names}</p>
        </details>
    }
    .into_any()
}
