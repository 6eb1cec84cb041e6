//! Answers questions about this crate in JSON, so that tests and benches outside can ask the same
//! of the server's build and of the module in the browser, and compare.
//!
//! The verbs: `document` (canonical form, hash, problems, and what edits do), `evaluate` (what a
//! text gives, or why not), `complete` (what can be written at a place of a text) and `bench` (how long something takes). Knows no clock: it is given one.

use serde_json::{Map, Value, json};

use crate::change::{self, Changes};
use crate::document::Document;
use crate::edit::{self, Edit};
use crate::reach::{self, Reach, Samples};
use crate::template::{self, Preview, Reads, Scope, Template, TemplateError};
use crate::validate::Checked;
use crate::{canonical, catalog, merge};

/// Answers one request; both are JSON. `clock` gives microseconds since some time.
///
/// A request that is not understood is answered with `{"error": …}`.
pub fn answer(request: &str, clock: &dyn Fn() -> f64) -> String {
    let answer = serde_json::from_str(request)
        .map_err(|error| error.to_string())
        .and_then(|request: Value| answered(&request, clock));
    canonical::to_string(&answer.unwrap_or_else(|error| json!({ "error": error })))
}

fn answered(request: &Value, clock: &dyn Fn() -> f64) -> Result<Value, String> {
    match request["verb"].as_str() {
        Some("document") => document(request),
        Some("evaluate") => Ok(evaluate(request)),
        Some("complete") => complete(request),
        Some("catalog") => Ok(catalog()),
        Some("bench") => bench(request, clock),
        _ => Err("unknown verb".to_owned()),
    }
}

/// Reads `document` and `edits`, which may be missing.
fn read(request: &Value) -> Result<(Document, Vec<Edit>), String> {
    let document = serde_json::from_value(request["document"].clone());
    let edits = match &request["edits"] {
        Value::Null => Ok(Vec::new()),
        edits => serde_json::from_value(edits.clone()),
    };
    document
        .and_then(|document| Ok((document, edits?)))
        .map_err(|error| error.to_string())
}

/// Says what a document is, and then what it is after each edit, with the problems as they are
/// kept up to date.
fn document(request: &Value) -> Result<Value, String> {
    let (mut document, edits) = read(request)?;
    let mut checked = Checked::of(&document);
    let mut said = state(&document, &checked);
    said.insert("canonical".to_owned(), Value::String(document.canonical()));
    let mut after = Vec::new();
    for edit in &edits {
        after.push(match edit::apply(&mut document, edit) {
            Err(refusal) => json!({ "refused": refusal.to_string() }),
            Ok(change) => {
                checked.update(&document, &change);
                let mut said = state(&document, &checked);
                let inverse = canonical::of(&change.inverse).unwrap_or_default();
                said.insert("inverse".to_owned(), Value::String(inverse));
                said.insert("structural".to_owned(), Value::Bool(change.structural));
                Value::Object(said)
            }
        });
    }
    said.insert("edits".to_owned(), Value::Array(after));
    Ok(Value::Object(said))
}

fn state(document: &Document, checked: &Checked) -> Map<String, Value> {
    let problems: Vec<Value> = checked
        .problems()
        .map(|problem| {
            let at = &problem.at;
            json!({
                "at": [at.step.map(|id| id.to_string()), at.lane.map(|id| id.to_string()), at.field, at.entry],
                "message": problem.message,
                "mend": problem.mend,
            })
        })
        .collect();
    let hash = Value::String(document.hash().0);
    Map::from_iter([
        ("hash".to_owned(), hash),
        ("problems".to_owned(), Value::Array(problems)),
    ])
}

/// Evaluates `text` (a condition, if `condition` is true) with `trigger`, `run`, `steps` by slug
/// and `round` (`slug`, `item`, `index`).
fn evaluate(request: &Value) -> Value {
    let text = request["text"].as_str().unwrap_or_default();
    let is_condition = request["condition"] == true;
    let mut scope = Scope::new(request["trigger"].clone(), request["run"].clone());
    for (slug, output) in request["steps"].as_object().into_iter().flatten() {
        scope.set_step(slug, output.clone());
    }
    if let Some(slug) = request["round"]["slug"].as_str() {
        let index = request["round"]["index"].as_u64().unwrap_or_default();
        scope = scope.round(
            slug,
            request["round"]["item"].clone(),
            usize::try_from(index).unwrap_or_default(),
        );
    }
    let parse = if is_condition {
        Template::parse_condition
    } else {
        Template::parse
    };
    let result = parse(text).and_then(|template| {
        let scanned = if is_condition {
            vec![template::check_condition(text)?]
        } else {
            template::check(text)?
        };
        let references = scanned.iter().flat_map(|scanned| &scanned.references);
        let references: Vec<String> = references
            .map(|reference| reference.path.join("."))
            .collect();
        Ok((template.evaluate(&scope)?, references))
    });
    match result {
        Ok((value, references)) => json!({ "value": value, "references": references }),
        Err(TemplateError { message, at }) => {
            json!({ "message": message, "at": [at.start, at.end] })
        }
    }
}

/// Completes `text` at `caret`, in the step `step` of `document`, with what the trigger gave as
/// `trigger`; says what each suggestion writes and shows. Without a caret, says what the text gives.
fn complete(request: &Value) -> Result<Value, String> {
    let (document, _) = read(request)?;
    let step = request["step"].as_str().and_then(|id| id.parse().ok());
    let samples = Samples {
        trigger: Some(request["trigger"].clone()),
        ..Samples::default()
    };
    let reach = Reach::of(&document, step.ok_or("no step")?, &samples);
    let caret = request["caret"].as_u64().unwrap_or_default();
    let text = request["text"].as_str().unwrap_or_default();
    let caret = usize::try_from(caret).unwrap_or_default();
    if request["caret"].is_null() {
        return Ok(previewed(text, request, &reach));
    }
    let found = template::complete(text, caret, request["condition"] == true, &reach);
    Ok(found.map_or(Value::Null, |found| {
        let suggestions = found.suggestions.iter();
        let suggestions: Vec<Value> = suggestions
            .map(|one| json!([one.label, one.text, one.caret, one.help, one.sample]))
            .collect();
        json!({ "at": [found.at.start, found.at.end], "suggestions": suggestions })
    }))
}

fn previewed(text: &str, request: &Value, reach: &Reach) -> Value {
    let reads = match request["reads"].as_str() {
        Some("condition") => Reads::Condition,
        Some("json") => Reads::Json,
        _ => Reads::Text,
    };
    match template::preview(text, reads, reach, &reach.scope()) {
        None => Value::Null,
        Some(Preview::Value(value)) => json!({ "kind": reach::kind(&value), "value": value }),
        Some(Preview::Lacking(title)) => json!({ "lacking": title }),
        Some(Preview::Refused(error)) => json!({ "message": error.message }),
    }
}

/// Says what the catalog holds, as a hash for each entry.
fn catalog() -> Value {
    let hash = |input: &Value, output: &Value| {
        canonical::sha256(canonical::to_string(&json!([input, output])).as_bytes())
    };
    let actions = catalog::actions()
        .iter()
        .map(|action| (action.key.clone(), &action.input, &action.output));
    let triggers = catalog::triggers()
        .iter()
        .map(|trigger| (trigger.key.clone(), &trigger.input, &trigger.output));
    let entries = actions.chain(triggers);
    entries
        .map(|(key, input, output)| (key, hash(input.json(), output.json())))
        .collect()
}

/// Takes `rounds` times of something, in microseconds: `validate` checks a whole document; `apply`
/// applies and takes back each edit, with the problems kept up to date, and gives the mean of one;
/// `merge` merges what the edits in `ours` and in `theirs` make of the document. `diff` compares with
/// the document `after`, and `outline`, `notes` and `edits_between` go on from there, each round with
/// the next of so many `copies`: nobody compares the same twice, so what the processor still holds
/// of the round before must not count.
fn bench(request: &Value, clock: &dyn Fn() -> f64) -> Result<Value, String> {
    let (mut document, edits) = read(request)?;
    let mut checked = Checked::of(&document);
    let sides = [&request["ours"], &request["theirs"]].map(|edits| edited(&document, edits));
    let [ours, theirs] = sides;
    let (ours, theirs) = (ours?, theirs?);
    let pairs = pairs(request, &document)?;
    let mut turn = pairs.iter().cycle();
    let mut found = 0;
    let mut round = || match request["name"].as_str() {
        Some(name @ ("diff" | "outline" | "notes" | "edits_between")) => {
            let (before, after, changes) = turn.next().ok_or("there is no pair")?;
            found = match name {
                "diff" => Changes::between(before, after).steps.len(),
                "outline" => change::outline(before, after, changes).len(),
                "notes" => change::notes(before, after, changes).len(),
                _ => change::edits(before, after).len(),
            };
            Ok(1)
        }
        Some("validate") => {
            checked = Checked::of(&document);
            Ok(1)
        }
        Some("apply") => {
            for edit in &edits {
                let there = step(&mut document, &mut checked, edit)?;
                step(&mut document, &mut checked, &there)?;
            }
            Ok(2 * edits.len())
        }
        Some("merge") => {
            found = merge::merge(&document, &ours, &theirs).conflicts.len();
            Ok(1)
        }
        _ => Err("unknown bench".to_owned()),
    };
    let mut times = Vec::new();
    for _ in 0..request["rounds"].as_u64().unwrap_or(1) {
        let begun = clock();
        let count = round()?;
        #[expect(clippy::cast_precision_loss, reason = "a bench has few edits")]
        times.push((clock() - begun) / count.max(1) as f64);
    }
    Ok(json!({ "us": times, "problems": checked.count(), "found": found }))
}

/// Returns what some edits, if there are any, make of a document.
fn edited(document: &Document, edits: &Value) -> Result<Document, String> {
    let mut document = document.clone();
    if !edits.is_null() {
        let edits: Vec<Edit> = serde_json::from_value(edits.clone()).map_err(|e| e.to_string())?;
        for edit in &edits {
            edit::apply(&mut document, edit).map_err(|refusal| refusal.to_string())?;
        }
    }
    Ok(document)
}

/// Returns copies of the document and of the one `after` it, with their changes.
fn pairs(request: &Value, before: &Document) -> Result<Vec<(Document, Document, Changes)>, String> {
    let copies = request["copies"].as_u64().unwrap_or(0);
    let copy = |_| {
        let after = serde_json::from_value(request["after"].clone());
        let after: Document = after.map_err(|error| error.to_string())?;
        let changes = Changes::between(before, &after);
        Ok((before.clone(), after, changes))
    };
    (0..copies).map(copy).collect()
}

fn step(document: &mut Document, checked: &mut Checked, edit: &Edit) -> Result<Edit, String> {
    let change = edit::apply(document, edit).map_err(|refusal| refusal.to_string())?;
    checked.update(document, &change);
    Ok(change.inverse)
}
