//! The golden file: documents, edits and expressions with what they must give, to the byte. The
//! same file is asked of the module in the browser (`end2end/tests/golden.spec.ts`).
//!
//! After a change that is meant to give something else: `SLUICE_GOLDEN=write cargo test -p domain
//! --test golden`, and look at the difference before you commit it.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Case {
    name: String,
    request: String,
    answer: String,
}

#[test]
fn every_answer_is_the_one_in_the_golden_file() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../end2end/golden/domain.json");
    let text = fs::read_to_string(&file).expect("the golden file is there");
    let mut cases: Vec<Case> = serde_json::from_str(&text).expect("the golden file is JSON");
    let answer = |case: &Case| domain::probe::answer(&case.request, &|| 0.0);
    if std::env::var("SLUICE_GOLDEN").is_ok_and(|how| how == "write") {
        for case in &mut cases {
            case.answer = answer(case);
        }
        let text = serde_json::to_string_pretty(&cases).expect("cases are JSON");
        fs::write(&file, text + "\n").expect("the golden file can be written");
    }
    assert!(cases.len() > 50);
    for case in &cases {
        let given = answer(case);
        let differs = given
            .bytes()
            .zip(case.answer.bytes())
            .position(|(a, b)| a != b);
        let from = differs.unwrap_or(given.len().min(case.answer.len()));
        let part = |text: &str| {
            text.chars()
                .skip(from.saturating_sub(60))
                .take(160)
                .collect::<String>()
        };
        assert!(
            given == case.answer,
            "{}\n given    … {}\n expected … {}",
            case.name,
            part(&given),
            part(&case.answer)
        );
    }
}
