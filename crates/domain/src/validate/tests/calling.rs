//! What a step that calls another integration has to name.

use super::*;
use crate::call::STEP;

fn integration(n: u128) -> IntegrationId {
    IntegrationId::new(Uuid::from_u128(n))
}

#[test]
fn a_call_names_an_integration_and_gives_it_json() {
    let chosen = integration(7).to_string();
    let table = [
        (json!({}), vec!["integration: Integration is missing."]),
        (
            json!({"integration": " "}),
            vec!["integration: Integration is missing."],
        ),
        (
            json!({"integration": "{{ trigger.body.id }}"}),
            vec!["integration: Integration must be an integration."],
        ),
        (
            json!({"integration": 7}),
            vec!["integration: Integration must be an integration."],
        ),
        (json!({"integration": chosen}), vec![]),
        (
            json!({"integration": chosen, "input": {"a": "{{ steps.nope }}"}}),
            vec!["input: There is no step called `nope`."],
        ),
        (
            json!({"integration": chosen, "input": "{\"a\": {{ trigger.body }}"}),
            vec![
                "input: Input is not JSON: it ends too early, at line 1, column 24. A quote or a bracket is not closed, or a value is missing.",
            ],
        ),
        (
            json!({"integration": chosen, "wait": "never"}),
            vec!["wait: When it has started cannot be `never`."],
        ),
    ];
    for (config, expected) in table {
        assert_eq!(problems(STEP, config.clone()), expected, "{config}");
    }
}

#[test]
fn an_integration_cannot_call_itself_however_the_document_came_to_be() {
    let itself = json!({"integration": integration(7).to_string()});
    let mut document = Document::new("webhook");
    add(&mut document, 1, STEP, ListRef::Flow, itself);
    let told = |checked: &Checked| {
        let problems = checked.of_step(id(1));
        let lines = problems.map(|problem| (problem.message.clone(), problem.mend.clone()));
        lines.collect::<Vec<_>>()
    };
    let refused = (
        "An integration cannot call itself.".to_owned(),
        "Use a Loop, or choose another integration.".to_owned(),
    );
    let set = |n| Edit::SetField {
        step: id(1),
        field: "integration".to_owned(),
        value: Some(json!(integration(n).to_string())),
    };
    let mut checked = Checked::of_integration(integration(7), &document);
    assert_eq!(told(&checked), std::slice::from_ref(&refused));
    assert_eq!(
        told(&Checked::of_integration(integration(8), &document)),
        []
    );
    assert_eq!(told(&Checked::of(&document)), []);
    for (n, expected) in [(8, vec![]), (7, vec![refused])] {
        let change = edit::apply(&mut document, &set(n)).expect("it fits");
        checked.update(&document, &change);
        assert_eq!(told(&checked), expected);
        assert_eq!(checked, checked.anew(&document));
    }
}
