//! Properties of changes, and small cases that a person would name. Whole cases, as a reviewer
//! reads them, are in `tests/changes`.

mod component;
mod notes;
mod servers;
mod values;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::document::ListRef;
use crate::sample::{Maker, Plan, broken, plans};
use crate::validate::Checked;
use crate::{Document, edit};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Returns what a document becomes by further plans.
fn grown(maker: &mut Maker, base: &Document, plans: &[Plan]) -> Document {
    let mut document = base.clone();
    for plan in plans {
        let edit = maker.edit(&document, *plan);
        let _ = edit::apply(&mut document, &edit);
    }
    document
}

/// Checks what holds of every pair of sound documents.
fn check(before: &Document, after: &Document) -> Result<(), TestCaseError> {
    let changes = Changes::between(before, after);
    let same = before.canonical() == after.canonical();
    prop_assert_eq!(changes.is_empty(), same);
    let made = edits(before, after);
    let mut document = before.clone();
    for edit in &made {
        edit::apply(&mut document, edit)
            .map_err(|refusal| TestCaseError::fail(format!("{edit:?}: {refusal}")))?;
    }
    prop_assert_eq!(document.canonical(), after.canonical(), "{:?}", made);
    prop_assert_eq!(made.is_empty(), same, "{:?}", made);
    prop_assert!(Checked::of(&document).is_sound());
    for (target, field) in changes
        .steps
        .iter()
        .flat_map(|change| {
            change
                .fields
                .iter()
                .map(|field| (Target::Step(change.id), field))
        })
        .chain(changes.trigger.iter().map(|field| (Target::Trigger, field)))
        .chain(
            changes
                .settings
                .iter()
                .map(|field| (Target::Settings, field)),
        )
    {
        prop_assert_eq!(
            &value(before, target, &field.field),
            &field.before,
            "{}",
            field.field
        );
        prop_assert_eq!(
            &value(after, target, &field.field),
            &field.after,
            "{}",
            field.field
        );
        let again: Field = field.field.as_str().parse().expect("it is an address");
        prop_assert_eq!(&again, &field.field);
    }
    let json = serde_json::to_string(&changes).expect("it is JSON");
    prop_assert_eq!(
        &serde_json::from_str::<Changes>(&json).expect("it comes back"),
        &changes
    );
    check_outline(before, after)?;
    check_order(before, after, &changes)?;
    check_moves(before, after, &changes)
}

/// Steps come in the order of the later document, each once, and those that are gone as well.
fn check_order(
    before: &Document,
    after: &Document,
    changes: &Changes,
) -> Result<(), TestCaseError> {
    let order: Vec<StepId> = after.walk().iter().map(|(_, step)| step.id).collect();
    let there: Vec<StepId> = changes
        .steps
        .iter()
        .filter(|c| c.what != What::Deleted)
        .map(|c| c.id)
        .collect();
    let expected: Vec<StepId> = order
        .iter()
        .filter(|id| there.contains(id))
        .copied()
        .collect();
    prop_assert_eq!(&there, &expected);
    for change in &changes.steps {
        let was = before.steps.contains_key(&change.id);
        let is = after.steps.contains_key(&change.id);
        let what = match (was, is) {
            (true, true) => What::Kept,
            (true, false) => What::Deleted,
            _ => What::Added,
        };
        prop_assert_eq!(change.what, what);
    }
    let new = after
        .steps
        .keys()
        .filter(|id| !before.steps.contains_key(id))
        .count();
    let gone = before
        .steps
        .keys()
        .filter(|id| !after.steps.contains_key(id))
        .count();
    let count = |what| {
        changes
            .steps
            .iter()
            .filter(|change| change.what == what)
            .count()
    };
    prop_assert_eq!((count(What::Added), count(What::Deleted)), (new, gone));
    Ok(())
}

/// In each list as many steps as can be stay; every other that was there before was moved.
fn check_moves(
    before: &Document,
    after: &Document,
    changes: &Changes,
) -> Result<(), TestCaseError> {
    let lists = |document: &Document| {
        let lanes = document.steps.values().flat_map(|step| {
            step.lanes
                .iter()
                .map(|lane| ListRef::Lane(step.id, lane.id))
        });
        std::iter::once(ListRef::Flow).chain(lanes.collect::<Vec<_>>())
    };
    let mut stay = 0;
    for list in lists(after) {
        let Some(old) = before.list(list) else {
            continue;
        };
        let new = after.list(list).expect("it is a list of it");
        let stood: Vec<usize> = new
            .iter()
            .filter_map(|id| old.iter().position(|o| o == id))
            .collect();
        stay += longest(&stood);
    }
    let kept = after
        .steps
        .keys()
        .filter(|id| before.steps.contains_key(id))
        .count();
    let moved: Vec<&StepChange> = changes
        .steps
        .iter()
        .filter(|change| change.moved.is_some())
        .collect();
    prop_assert_eq!(moved.len(), kept - stay);
    for change in moved {
        let moved = change.moved.expect("it was moved");
        prop_assert_eq!(before.place(change.id), Some(moved.from));
        prop_assert_eq!(after.place(change.id), Some(moved.to));
    }
    Ok(())
}

/// The length of the longest increasing subsequence, the slow way.
fn longest(stood: &[usize]) -> usize {
    let mut ends: Vec<usize> = Vec::new();
    for (item, place) in stood.iter().enumerate() {
        let before = (0..item)
            .filter(|other| stood[*other] < *place)
            .map(|other| ends[other])
            .max();
        ends.push(before.unwrap_or(0) + 1);
    }
    ends.into_iter().max().unwrap_or(0)
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn one_document_becomes_another_of_the_same_origin(base in plans(30), one in plans(20), other in plans(20)) {
        let mut maker = Maker::default();
        let base = maker.document(&base);
        let one = grown(&mut maker, &base, &one);
        let other = grown(&mut maker, &base, &other);
        check(&base, &one)?;
        check(&one, &base)?;
        check(&one, &other)?;
    }

    #[test]
    fn one_document_becomes_any_other(one in plans(40), other in plans(40)) {
        // Both makers give the same ids, to steps of different kinds in different lists.
        let (one, other) = (Maker::default().document(&one), Maker::default().document(&other));
        check(&one, &other)?;
        check(&one, &one.clone())?;
    }

    #[test]
    fn nothing_panics_on_broken_documents(one in broken(), other in broken(), sound in plans(20)) {
        let sound = Maker::default().document(&sound);
        for (before, after) in [(&one, &other), (&one, &sound), (&sound, &one), (&one, &one)] {
            let changes = Changes::between(before, after);
            let _ = edits(before, after);
            let _ = outline(before, after, &changes);
            let _ = super::notes(before, after, &changes);
            prop_assert!(changes.steps.len() <= before.steps.len() + after.steps.len());
        }
        prop_assert!(Changes::between(&one, &one).is_empty());
    }
}

#[test]
fn a_field_has_one_text() {
    let lane = crate::LaneId::new(uuid::Uuid::from_u128(7));
    for field in [
        Field::name(),
        Field::slug(),
        Field::kind(),
        Field::notes(),
        Field::retries(),
        Field::then(),
        Field::config("url"),
        Field::config("a.b c"),
        Field::config(""),
        Field::lane(lane),
        Field::lane_name(lane),
        Field::lane_when(lane),
        Field::time_limit(),
    ] {
        assert_eq!(field.as_str().parse(), Ok(field.clone()), "{field}");
        assert_eq!(
            serde_json::to_value(&field).ok(),
            Some(json!(field.as_str()))
        );
    }
    for text in [
        "",
        "names",
        "config",
        "lane",
        "lane.",
        "lane.7",
        "lane.{id}.",
        "lane.{id}.steps",
        "lane.{id}.name.x",
        "lane.{ID}",
        "lane.{{id}}",
        " name",
    ] {
        let id = lane.to_string();
        let text = text
            .replace("{id}", &id)
            .replace("{ID}", &format!("urn:uuid:{id}"));
        assert!(text.parse::<Field>().is_err(), "{text}");
    }
}

#[test]
fn a_field_is_called_what_the_catalog_calls_it() {
    let table = [
        (Field::config("url"), "http.request", "URL"),
        (Field::config("cron"), "schedule", "When"),
        (Field::config("nope"), "http.request", "nope"),
        (Field::config("url"), "nope", "URL"),
        (Field::kind(), "schedule", "Trigger"),
        (Field::kind(), "log", "Action"),
        (Field::then(), "log", "When it fails"),
    ];
    for (field, kind, title) in table {
        assert_eq!(field.title(kind), title);
    }
}

/// Every step of both documents is in the outline once, and what changed is not folded.
fn check_outline(before: &Document, after: &Document) -> Result<(), TestCaseError> {
    let changes = Changes::between(before, after);
    let mut seen = Vec::new();
    let mut ghosts = Vec::new();
    for row in outline(before, after, &changes) {
        match row.kind {
            RowKind::Step { id } => seen.push(id),
            RowKind::Unchanged { steps, quiet } => {
                let of: Vec<_> = steps.iter().filter_map(|id| changes.of(*id)).collect();
                prop_assert!(of.iter().all(|change| change.is_quiet()));
                prop_assert_eq!(of.len(), quiet);
                seen.extend(steps);
            }
            RowKind::Ghost { id } => ghosts.push(id),
            RowKind::Lane { .. } | RowKind::Trigger | RowKind::Settings => {}
        }
    }
    let moved = changes.steps.iter().filter(|change| change.moved.is_some());
    let mut moved: Vec<StepId> = moved.map(|change| change.id).collect();
    moved.sort_unstable();
    ghosts.sort_unstable();
    prop_assert_eq!(ghosts, moved);
    let mut all: Vec<StepId> = before
        .steps
        .keys()
        .chain(after.steps.keys())
        .copied()
        .collect();
    seen.sort_unstable();
    all.sort_unstable();
    all.dedup();
    prop_assert_eq!(seen, all);
    for note in super::notes(before, after, &changes) {
        if let Some(step) = note.step() {
            prop_assert!(after.steps.contains_key(&step) || before.steps.contains_key(&step));
        }
        let json = serde_json::to_string(&note).expect("it is JSON");
        prop_assert_eq!(serde_json::from_str::<Note>(&json).ok(), Some(note));
    }
    Ok(())
}

#[test]
fn a_summary_counts_what_has_to_be_read() {
    use self::notes::{document, step};
    let log = |number, name: &str, message: &str| {
        (
            None,
            step(number, "log", name, json!({ "message": message })),
        )
    };
    let before = document(&[
        log(1, "One", "1"),
        log(2, "Two", "2"),
        log(3, "Three", "{{ steps.two.message }}"),
    ]);
    let told = |after: &Document| {
        let changes = Changes::between(&before, after);
        format!("{}: {}", changes.count(), changes.summary())
    };
    assert_eq!(told(&before), "0: No changes");
    let mut after = document(&[
        log(2, "Zwei", "2"),
        log(1, "One", "one"),
        log(3, "Three", "{{ steps.zwei.message }}"),
        log(4, "Four", "4"),
    ]);
    after.settings.time_limit_seconds = 60;
    after.trigger = Document::new("manual").trigger;
    assert_eq!(
        told(&after),
        "5: 1 step added, 1 modified, 1 moved, 1 renamed; trigger changed; settings changed; references follow in 1 step"
    );
    let changes = Changes::between(&before, &after);
    let kinds = |number| {
        changes
            .of(StepId::new(uuid::Uuid::from_u128(number)))
            .map(StepChange::kinds)
    };
    assert_eq!(kinds(3), Some(vec![]));
    assert_eq!(kinds(4), Some(vec![Kind::New]));
    assert_eq!(told(&document(&[])), "3: 3 steps deleted");
    let mut after = before.clone();
    after.settings.time_limit_seconds = 60;
    assert_eq!(told(&after), "1: Settings changed");
}

#[test]
fn the_heavier_of_two_swapped_neighbours_stays() {
    use self::notes::{document, step};
    let each = || {
        (
            None,
            step(1, "loop", "Each", json!({ "items": "{{ trigger.body }}" })),
        )
    };
    let inner = || (Some(1), step(2, "log", "Inner", json!({ "message": "x" })));
    let log = || (None, step(3, "log", "Log", json!({ "message": "x" })));
    for (before, after) in [
        (
            document(&[each(), inner(), log()]),
            document(&[log(), each(), inner()]),
        ),
        (
            document(&[log(), each(), inner()]),
            document(&[each(), inner(), log()]),
        ),
    ] {
        let changes = Changes::between(&before, &after);
        let moved: Vec<_> = changes.steps.iter().map(|change| change.id).collect();
        assert_eq!(moved, [log().1.id]);
    }
}

#[test]
fn deep_nesting_needs_no_stack() {
    use self::notes::step;
    let nested = |message: &str| {
        let mut document = Document::new("webhook");
        let mut list = Vec::new();
        for number in (1..=3_000).rev() {
            let mut step = match number {
                3_000 => step(number, "log", "Log", json!({ "message": message })),
                _ => step(
                    number,
                    "loop",
                    &format!("Loop {number}"),
                    json!({ "items": "{{ trigger.body }}" }),
                ),
            };
            if let Some(lane) = step.lanes.first_mut() {
                lane.steps = list;
            }
            list = vec![step.id];
            document.steps.insert(step.id, step);
        }
        document.flow = list;
        document
    };
    let (before, after) = (nested("one"), nested("other"));
    let changes = Changes::between(&before, &after);
    assert_eq!(changes.count(), 1);
    assert_eq!(outline(&before, &after, &changes).len(), 5_999);
    assert_eq!(super::notes(&before, &after, &changes), []);
    assert_eq!(edits(&before, &after).len(), 1);
    let empty = Document::new("webhook");
    assert_eq!(edits(&before, &empty).len(), 1);
    assert_eq!(edits(&empty, &before).len(), 1);
}
