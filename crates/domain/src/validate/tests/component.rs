//! Steps that a component runs, which has to be there.

use super::*;
use crate::connector::{Connector, Declared, STEP};

/// Returns the hash of a module.
fn hash(module: char) -> String {
    std::iter::repeat_n(module, 64).collect()
}

/// Returns a document with a step for each of these modules, numbered from 1.
fn needing(modules: &[char]) -> Document {
    let mut document = Document::new("webhook");
    for (number, module) in (1..).zip(modules) {
        let connector = json!({
            "form": 1, "key": "store", "title": "Store", "base": "https://store.example.com",
            "component": { "sha256": hash(*module) },
            "actions": [{ "key": "put", "title": "Put", "run": "put" }],
        });
        let connector = Connector::read(&connector.to_string()).expect("it is whole");
        add(&mut document, number, "log", ListRef::Flow, json!({}));
        let step = document.steps.get_mut(&id(number)).expect("it is there");
        step.kind = STEP.to_owned();
        step.config = serde_json::Map::new();
        step.action = Some(Declared::of(&connector, &connector.actions[0]));
    }
    document
}

#[test]
fn a_step_whose_component_is_not_there_has_a_problem_until_it_is() {
    let mut document = needing(&['a', 'b', 'a']);
    let mut checked = Checked::of(&document);
    assert!(checked.is_clean(), "nothing is known to be missing");
    let lacking = |modules: &[char]| modules.iter().map(|one| hash(*one)).collect();
    let table = [
        (lacking(&['a']), vec![1, 3], vec![1, 3]),
        (lacking(&['a']), vec![1, 3], vec![]),
        (lacking(&['b', 'c']), vec![2], vec![1, 2, 3]),
        (lacking(&['c']), vec![], vec![2]),
    ];
    for (components, steps, told) in table {
        let affected = checked.lack(&document, components);
        let has_problem = (1..=3).filter(|n| checked.of_step(id(*n)).next().is_some());
        assert_eq!(has_problem.collect::<Vec<_>>(), steps);
        assert_eq!(affected.steps, told.into_iter().map(id).collect());
    }
    // It is known of what comes later, too: of a step that is edited, and of another document.
    checked.lack(&document, lacking(&['c']));
    let problem = "The component that runs this step is not there.";
    let declared = needing(&['c']).steps[&id(1)].action.clone();
    let edit = Edit::SetAction {
        step: id(2),
        action: declared,
    };
    let change = edit::apply(&mut document, &edit).expect("it fits");
    let affected = checked.update(&document, &change);
    assert_eq!(affected.steps, BTreeSet::from([id(2)]));
    let told: Vec<&str> = checked.problems().map(|one| one.message.as_str()).collect();
    assert_eq!(told, [problem]);
    assert_eq!(checked.anew(&needing(&['c', 'c'])).count(), 2);
}
