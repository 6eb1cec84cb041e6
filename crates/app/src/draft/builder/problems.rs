//! The list of problems: each names the step and jumps to it.

use domain::validate::{At, Problem};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, HtmlInputElement};

use super::super::selection::Selection;
use super::{Builder, flow};
use crate::design::dialog::Dialog;
use crate::design::icon::Icon;

/// What can be typed into or chosen from.
const CONTROLS: &str = "input, textarea, select, [contenteditable='true'], [role='textbox']";

/// The button in the top bar, with the dialog that it opens.
pub(super) fn view(builder: Builder) -> impl IntoView {
    let open = builder.problems_open;
    let count = Memo::new(move |_| builder.editor.problem_count());
    let label = move || match count.get() {
        0 => "No problems".to_owned(),
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    let icon = move || {
        let name = match count.get() {
            0 => "circle-check",
            _ => "alert",
        };
        view! { <Icon name=name /> }
    };
    view! {
        <button
            type="button"
            class="button quiet"
            class:has-problems=move || { count.get() > 0 }
            on:click=move |_| open.set(true)
        >
            {icon}
            <span>{label}</span>
        </button>
        <Dialog open=open title="Problems">
            {move || open.get().then(|| list(builder, open))}
        </Dialog>
    }
}

/// Goes to the next problem behind what is selected, in the order of reading.
pub(super) fn next(builder: Builder) {
    let problems = untrack(|| builder.editor.problems());
    let order = flow::reading_order(builder);
    let place = |what: Selection| order.iter().position(|other| *other == what);
    let of = |problem: &Problem| problem.at.step.map_or(Selection::Trigger, Selection::Step);
    let here = place(builder.editor.selection.get_untracked());
    let mut all: Vec<(Option<usize>, &Problem)> = problems
        .iter()
        .map(|problem| (place(of(problem)), problem))
        .collect();
    all.sort_by_key(|(place, _)| *place);
    let next = all.iter().find(|(place, _)| *place > here).or(all.first());
    if let Some((_, problem)) = next {
        builder.announce(format!("{} {}", problem.message, problem.mend));
        jump(builder, &problem.at);
    }
}

/// Goes to what a problem is about: selects the step, and puts the focus into the field.
pub(super) fn jump(builder: Builder, at: &At) {
    builder.go_to(at.step.map_or(Selection::Trigger, Selection::Step));
    let field = at.field.clone().unwrap_or_default();
    let name = field.rsplit('.').next().unwrap_or_default().to_owned();
    let entry = at.entry.clone();
    // The panel is drawn by then, and the card has had its focus.
    request_animation_frame(move || {
        request_animation_frame(move || {
            request_animation_frame(move || focus_field(&name, entry.as_deref()))
        });
    });
}

/// Puts the focus into the control of a field in the panel (of a field with names and values: into
/// the value of that name), else into the first one that is wrong.
fn focus_field(name: &str, entry: Option<&str>) {
    let Some(panel) = document().get_element_by_id("panel") else {
        return;
    };
    let first = |selector: &str| panel.query_selector(selector).ok().flatten();
    let named = panel.query_selector_all(&format!("[id^='{name}-']")).ok();
    let named = named.filter(|_| !name.is_empty()).and_then(|all| {
        let all = (0..all.length()).filter_map(|number| all.item(number));
        let mut all = all.filter_map(|node| node.dyn_into::<Element>().ok());
        // Behind the name stands a number: help and problem of the field have more behind it.
        all.find(|element| {
            let number = element.id()[name.len() + 1..].to_owned();
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    });
    let control = named.and_then(|field| {
        let inner = |selector: &str| field.query_selector(selector).ok().flatten();
        if field.matches(CONTROLS).unwrap_or(false) {
            return Some(field.clone());
        }
        entry
            .and_then(|entry| value_of(&field, entry))
            .or_else(|| inner("[aria-invalid='true']"))
            .or_else(|| inner(CONTROLS))
    });
    let control = control
        .or_else(|| first("[aria-invalid='true']"))
        .or_else(|| first(".has-problem :is(input, textarea, select)"));
    let Some(control) = control else { return };
    if let Ok(Some(folded)) = control.closest("details") {
        let _ = folded.set_attribute("open", "");
    }
    if let Some(control) = control.dyn_ref::<HtmlElement>() {
        let _ = control.focus();
    }
}

/// Returns the control behind the one that holds a name.
fn value_of(field: &Element, name: &str) -> Option<Element> {
    let all = field.query_selector_all(CONTROLS).ok()?;
    let mut all =
        (0..all.length()).filter_map(|number| all.item(number)?.dyn_into::<Element>().ok());
    all.find(|control| {
        let input = control.dyn_ref::<HtmlInputElement>();
        input.is_some_and(|input| input.value() == name)
    })?;
    all.next()
}

fn list(builder: Builder, open: RwSignal<bool>) -> impl IntoView {
    let line = move |problem: Problem| {
        let at = problem.at.clone();
        let target = at.step.map_or(Selection::Trigger, Selection::Step);
        let place = match target {
            Selection::Trigger => "Trigger and settings".to_owned(),
            Selection::Step(id) => builder
                .editor
                .read(|document| document.steps.get(&id).map(|s| s.name.clone()))
                .unwrap_or_default(),
        };
        view! {
            <li>
                <button type="button" class="problem" on:click=move |_| { open.set(false); jump(builder, &at); }>
                    <span class="problem-place">{place}</span>
                    <span class="problem-message">{problem.message}</span>
                    <span class="problem-mend">{problem.mend}</span>
                </button>
            </li>
        }
    };
    move || {
        let problems = builder.editor.problems();
        if problems.is_empty() {
            view! { <p class="empty">"Nothing stands in the way of publishing."</p> }.into_any()
        } else {
            // A document with thousands of problems has one cause most of the time.
            let more = problems.len().saturating_sub(200);
            view! {
                <ul class="problems">{problems.into_iter().take(200).map(line).collect_view()}</ul>
                {(more > 0).then(|| view! { <p>{format!("… and {more} more.")}</p> })}
            }
            .into_any()
        }
    }
}
