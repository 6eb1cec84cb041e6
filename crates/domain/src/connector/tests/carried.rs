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

/// Returns all that a review is told of a document that is new.
fn notes(document: &Document) -> Vec<change::Note> {
    let before = Document::new("webhook");
    let changes = Changes::between(&before, document);
    change::notes(&before, document, &changes)
}

#[test]
fn a_declaration_on_a_step_of_another_kind_is_a_problem_and_nothing_is_believed_of_it() {
    let mut document = document();
    let step = document.steps.get_mut(&ID).expect("it is there");
    step.kind = "http.request".to_owned();
    step.config = Map::from_iter([
        ("method".to_owned(), json!("POST")),
        ("url".to_owned(), json!("https://elsewhere.example/take")),
    ]);
    let told = problems(&document);
    let expected = "The step carries what a connector declares, but is of another kind.";
    assert!(told.iter().any(|told| told == expected), "{told:?}");
    let notes = notes(&document);
    let is_told = notes.iter().any(|note| {
        let note = note.to_string();
        note.contains("elsewhere.example") && note.contains("POST")
    });
    assert!(is_told, "{notes:?}");
}

#[test]
fn a_write_is_told_as_one_whatever_its_fields_and_its_declaration_say() {
    let mut connector = whole();
    connector["actions"][1]["effect"] = json!("read");
    connector["actions"][1]["input"]["properties"]["method"] = json!({ "type": "string" });
    let mut document = document();
    let edit = Edit::SetAction {
        step: ID,
        action: Some(declared(&connector, "create order")),
    };
    edit::apply(&mut document, &edit).expect("it fits");
    let document = with(&document, &[set_field("method", "GET")]);
    assert_eq!(
        step(&document)
            .action()
            .map(|a| a.effect(&step(&document).config)),
        Some(crate::catalog::Effect::Read)
    );
    let writes = |document: &Document| {
        // To a host that was called before, so that only what it does there is told.
        let mut before = document.clone();
        let known = edit::new_step(
            crate::catalog::action("http.request").expect("it is in the catalog"),
            StepId(Uuid::from_u128(8)),
            "Known",
            "known".to_owned(),
            || crate::LaneId(Uuid::nil()),
        );
        let insert = Edit::Insert {
            steps: vec![known],
            at: At {
                list: ListRef::Flow,
                index: 0,
            },
        };
        before = with(&before, &[Edit::Delete { step: ID }, insert]);
        let url = Edit::SetField {
            step: StepId(Uuid::from_u128(8)),
            field: "url".to_owned(),
            value: Some(json!("https://acme.example.com/")),
        };
        before = with(&before, &[url]);
        let changes = Changes::between(&before, document);
        let notes = change::notes(&before, document, &changes);
        notes
            .iter()
            .any(|note| matches!(note, change::Note::NewWrite { .. }))
    };
    assert!(writes(&document));
}

#[test]
fn of_two_fields_for_one_host_review_is_told_the_one_that_is_sent() {
    let mut connector = whole();
    let input = json!({
        "type": "object",
        "required": ["mode", "a", "b", "account"],
        "properties": {
            "mode": { "type": "string", "enum": ["one", "two"] },
            "a": { "type": "string", "x-show-when": { "mode": ["one"] } },
            "b": { "type": "string", "x-show-when": { "mode": ["two"] } },
            "account": { "type": "string" },
        },
    });
    connector["actions"][1]["input"] = input;
    connector["actions"][1]["places"] = json!({
        "a": { "in": "host", "name": "site" }, "b": { "in": "host", "name": "site" },
    });
    let declared = declared(&connector, "create order");
    let mut document = document();
    let edit = Edit::SetAction {
        step: ID,
        action: Some(declared.clone()),
    };
    edit::apply(&mut document, &edit).expect("it fits");
    let config = json!({"mode": "two", "a": "trusted", "b": "evil", "account": "1"});
    let config = config.as_object().expect("it is one").clone();
    document.steps.get_mut(&ID).expect("it is there").config = config.clone();
    let sent = declared.request(&config).expect("it is whole");
    let url = sent["url"].as_str().expect("it is a text");
    assert!(url.starts_with("https://evil.example.com/"), "{url}");
    let notes = notes(&document);
    let is_told = notes
        .iter()
        .any(|note| note.to_string().contains("evil.example.com"));
    assert!(is_told, "{notes:?}");
}

#[test]
fn whoever_owns_http_requests_owns_the_actions_of_connectors() {
    let document = document();
    let touched = crate::review::policy::Touched::between(&Document::new("webhook"), &document);
    let owned = crate::review::OwnerScope::StepKind("http.request".to_owned());
    let integration = crate::IntegrationId(Uuid::nil());
    assert!(owned.is_touched(integration, &touched));
}
