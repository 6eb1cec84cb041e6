//! What a step carries: through edits, changes, merges, copies and checks, without any look-up.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::*;
use crate::change::{self, Changes, Target};
use crate::document::{ListRef, Place as At, Step};
use crate::edit::{self, Edit, new_connector_step};
use crate::merge::{self, Sides};
use crate::reach::{Reach, Samples};
use crate::review::Fingerprint;
use crate::validate::Checked;
use crate::{Document, StepId, clipboard};

const ID: StepId = StepId(Uuid::from_u128(7));

/// Returns the declaration of the action that creates, at a version of its connector.
fn at_version(version: &str) -> Declared {
    let mut connector = whole();
    connector["version"] = json!(version);
    connector["actions"][1]["title"] = json!(format!("Create an order ({version})"));
    declared(&connector, "create order")
}

fn with(document: &Document, edits: &[Edit]) -> Document {
    let mut document = document.clone();
    for edit in edits {
        edit::apply(&mut document, edit).expect("it fits");
    }
    document
}

fn set_field(field: &str, value: &str) -> Edit {
    Edit::SetField {
        step: ID,
        field: field.to_owned(),
        value: Some(json!(value)),
    }
}

fn update(version: &str) -> Edit {
    Edit::SetAction {
        step: ID,
        action: Some(at_version(version)),
    }
}

/// Returns a document with one step of a connector, filled in.
fn document() -> Document {
    let step = new_connector_step(&at_version("1"), ID, "Create", "create".to_owned());
    let insert = Edit::Insert {
        steps: vec![step],
        at: At {
            list: ListRef::Flow,
            index: 0,
        },
    };
    let filled = [
        set_field("site", "acme"),
        set_field("account", "{{ trigger.body.account }}"),
        set_field("email", "{{ trigger.body.email }}"),
        set_field("connection", "01980000-0000-7000-8000-000000000001"),
    ];
    with(&with(&Document::new("webhook"), &[insert]), &filled)
}

fn problems(document: &Document) -> Vec<String> {
    let checked = Checked::of(document);
    checked
        .problems()
        .map(|problem| problem.message.clone())
        .collect()
}

fn step(document: &Document) -> &Step {
    &document.steps[&ID]
}

#[test]
fn a_newer_declaration_is_an_edit_that_can_be_undone_and_is_told_as_one_change() {
    let before = document();
    let mut after = before.clone();
    let done = edit::apply(&mut after, &update("2")).expect("it fits");
    let title = step(&after).action().map(|action| action.title.as_str());
    assert_eq!(title, Some("Create an order (2)"));
    let changes = Changes::between(&before, &after);
    let field = &changes.steps[0].fields[0];
    assert_eq!(
        (field.field.as_str(), changes.steps[0].fields.len()),
        ("action", 1)
    );
    assert_eq!(field.after, Some(at_version("2").json()));
    assert_eq!(field.field.title("connector"), "Request");
    let told = change::value(&after, Target::Step(ID), &field.field);
    assert_eq!(told, field.after);
    assert_eq!(with(&before, &change::edits(&before, &after)), after);
    assert_ne!(Fingerprint::of(&before), Fingerprint::of(&after));
    assert_eq!(with(&after, &[done.inverse]), before);
    let text = at_version("2").told();
    assert!(
        text.starts_with("POST https://{site}.example.com/v1/{account}/orders"),
        "{text}"
    );
    assert!(text.contains("email -> body, /customer/e-mail"), "{text}");
}

#[test]
fn a_merge_takes_the_declaration_of_one_side_and_the_fields_of_the_other() {
    let base = document();
    let ours = with(&base, &[set_field("city", "Bern")]);
    let theirs = with(&base, &[update("2")]);
    let merged = merge::merge(&base, &ours, &theirs);
    assert_eq!(merged.conflicts, []);
    assert_eq!(step(&merged.document).action, Some(at_version("2")));
    assert_eq!(step(&merged.document).config["city"], "Bern");

    let ours = with(&base, &[update("3")]);
    let merged = merge::merge(&base, &ours, &theirs);
    let key = format!("step/{ID}/action");
    let keys: Vec<String> = merged
        .conflicts
        .iter()
        .map(|one| one.key.to_string())
        .collect();
    assert_eq!(keys, [key]);
    let sides = Sides {
        base: &base,
        ours: &ours,
        theirs: &theirs,
        ours_name: "this draft",
        theirs_name: "live",
    };
    assert_eq!(merged.conflicts[0].title(&sides), "Step “Create”: request");
    let choices = BTreeMap::from([(merged.conflicts[0].key.clone(), merge::Choice::Theirs)]);
    let decided = merge::resolve(&base, &ours, &theirs, &choices).expect("it is decided");
    assert_eq!(step(&decided).action, Some(at_version("2")));
}

#[test]
fn a_step_is_checked_against_what_it_carries_and_that_is_checked_too() {
    let whole = document();
    assert_eq!(problems(&whole), [""; 0]);
    let empty = |field: &str| Edit::SetField {
        step: ID,
        field: field.to_owned(),
        value: None,
    };
    let told = problems(&with(
        &whole,
        &[empty("site"), set_field("urgent", "maybe")],
    ));
    assert_eq!(told, ["Site is missing.", "Urgent cannot be `maybe`."]);
    let none = Edit::SetAction {
        step: ID,
        action: None,
    };
    let told = problems(&with(&whole, &[none]));
    assert_eq!(told, ["The step does not say what its connector does."]);
    let mut forged = at_version("1").json();
    forged["base"] = json!("http://example.com/{site}/{account}");
    let forged = Edit::SetAction {
        step: ID,
        action: serde_json::from_value(forged).ok(),
    };
    let told = problems(&with(&whole, &[forged]));
    assert!(told[0].contains("base: Use https"), "{told:?}");
}

#[test]
fn copies_and_later_steps_know_what_it_gives() {
    let document = document();
    let copied = clipboard::copy(&document, &[ID]).expect("it is there");
    let clip = clipboard::read(&copied.text).expect("it was copied");
    assert_eq!(clip.len(), 1);
    let list = declared(&whole(), "list orders");
    let first = StepId(Uuid::from_u128(1));
    let insert = Edit::Insert {
        steps: vec![new_connector_step(&list, first, "List", "list".to_owned())],
        at: At {
            list: ListRef::Flow,
            index: 0,
        },
    };
    let reach = Reach::of(&with(&document, &[insert]), ID, &Samples::default());
    let names = |path: &[&str]| -> Vec<String> {
        reach
            .members(path)
            .into_iter()
            .map(|member| member.name)
            .collect()
    };
    assert_eq!(names(&["steps", "list"]), ["status", "headers", "body"]);
    assert_eq!(names(&["steps", "list", "body", "0"]), ["id"]);
    let stored = document.canonical();
    let again: Document = serde_json::from_str(&stored).expect("it is a document");
    assert_eq!(again.hash(), document.hash());
}
