//! What the command palette offers in the builder: its acts, every kind of step, every step.

use std::rc::Rc;

use domain::catalog::{self, Action};
use domain::document::Step;
use domain::policy::Act;
use leptos::prelude::*;

use super::super::selection::Selection;
use super::merge::MergeWith;
use super::{Builder, picker, review, shortcuts, testing};
use crate::palette::{self, Entry};
use crate::session;

/// Offers it as long as the calling screen is shown.
pub(super) fn offer(builder: Builder) {
    palette::offer(move || entries(builder), shortcuts::lines);
}

fn entries(builder: Builder) -> Vec<Entry> {
    let mut all: Vec<Entry> = shortcuts::possible(builder)
        .map(|(line, keys)| {
            let act = line.act;
            Entry {
                key: format!("act:{act:?}"),
                title: line.says.to_owned(),
                group: "Builder".to_owned(),
                icon: shortcuts::icon(act),
                keys,
                run: Rc::new(move || act.run(builder)),
            }
        })
        .collect();
    all.extend(more(builder));
    if builder.may_edit.get_untracked() {
        all.extend(catalog::actions().iter().map(|action| add(builder, action)));
    }
    builder.editor.read(|document| {
        all.push(go_to(builder, Selection::Trigger, "Trigger", "zap"));
        let steps = document.walk();
        all.extend(steps.into_iter().map(|(_, step)| to_step(builder, step)));
    });
    all
}

/// What has a button and no key.
fn more(builder: Builder) -> Vec<Entry> {
    let entry = |key: &str, title: &str, icon, run: Rc<dyn Fn()>| Entry {
        key: format!("act:{key}"),
        title: title.to_owned(),
        group: "Builder".to_owned(),
        icon,
        keys: "",
        run,
    };
    let open = |signal: RwSignal<bool>| -> Rc<dyn Fn()> { Rc::new(move || signal.set(true)) };
    let tests = builder.tests;
    let mut all = vec![
        entry("test", "Open the test", "flask", open(tests.open)),
        entry(
            "problems",
            "List the problems",
            "alert",
            open(builder.problems_open),
        ),
    ];
    if let Some(id) = builder.editor.selection.get_untracked().step()
        && tests.is_possible()
    {
        let run: Rc<dyn Fn()> = Rc::new(move || testing::run_step(builder, id));
        all.push(entry("test-step", "Test the selected step", "play", run));
        let run: Rc<dyn Fn()> = Rc::new(move || testing::run_to(builder, id));
        all.push(entry(
            "test-to",
            "Run the test up to the selected step",
            "play",
            run,
        ));
    }
    let is_open = builder
        .summary
        .with_untracked(|summary| summary.state.is_open());
    if builder.may_edit.get_untracked() {
        let bring_in: Rc<dyn Fn()> = Rc::new(move || builder.merge(MergeWith::Draft(None)));
        let title = "Bring in another draft…";
        all.push(entry("bring-in", title, "merge", bring_in));
    }
    if is_open && session::may(Act::CreateReview).get_untracked().is_ok() {
        if let Some(address) = untrack(|| builder.review.get()).map(|it| review::address(it.id)) {
            let go: Rc<dyn Fn()> = Rc::new(move || {
                let _ = window().location().assign(&address);
            });
            all.push(entry("review", "Go to the review", "review", go));
        } else if builder.ahead.changes.get_untracked() != Some(0) {
            let ask = open(builder.asking_review);
            all.push(entry("review", "Create review…", "review", ask));
        }
    }
    let has_problems = untrack(|| builder.editor.problem_count()) > 0;
    if is_open && !has_problems && session::may(Act::Publish).get_untracked().is_ok() {
        all.push(entry(
            "publish",
            "Publish…",
            "rocket",
            open(builder.publishing),
        ));
    }
    all
}

fn add(builder: Builder, action: &'static Action) -> Entry {
    Entry {
        key: format!("add:{}", action.key),
        title: format!("Add {}", action.title),
        group: action.group.clone(),
        icon: action.icon.as_str(),
        keys: "",
        run: Rc::new(move || {
            let what = builder.editor.selection.get_untracked();
            picker::add_behind(builder, what, &action.key);
        }),
    }
}

fn to_step(builder: Builder, step: &Step) -> Entry {
    let icon = match catalog::action(&step.kind) {
        Some(action) => action.icon.as_str(),
        None if step.declared().is_some() => "plug",
        None => "alert",
    };
    go_to(builder, Selection::Step(step.id), &step.name, icon)
}

fn go_to(builder: Builder, what: Selection, name: &str, icon: &'static str) -> Entry {
    let key = match what {
        Selection::Trigger => "step:trigger".to_owned(),
        Selection::Step(id) => format!("step:{id}"),
    };
    Entry {
        key,
        title: name.to_owned(),
        group: "Go to step".to_owned(),
        icon,
        keys: "",
        run: Rc::new(move || builder.go_to(what)),
    }
}
