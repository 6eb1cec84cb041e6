//! Writes down what a reviewer is told of a case.

use std::fmt::Write;

use domain::catalog;
use domain::change::{
    Changes, Field, FieldChange, Part, PieceKind, Row, RowKind, Segment, StepChange, Target, json,
    notes, outline, words,
};
use domain::document::Step;
use domain::schema::FieldKind;
use domain::{Document, StepId};
use serde_json::Value;

use crate::case::Case;

/// Returns the text of a snapshot.
pub(crate) fn told(case: &Case, changes: &Changes) -> String {
    let mut out = format!("{}\n\n{}\n", case.title, changes.summary());
    let notes = notes(&case.before, &case.after, changes);
    if !notes.is_empty() {
        out += "\n";
    }
    for note in notes {
        let _ = writeln!(out, "! {note}");
    }
    let teller = Teller { case, changes };
    out += "\n";
    for row in outline(&case.before, &case.after, changes) {
        teller.row(&mut out, &row);
    }
    out
}

struct Teller<'a> {
    case: &'a Case,
    changes: &'a Changes,
}

impl Teller<'_> {
    fn step(&self, id: StepId) -> &Step {
        let after = self.case.after.steps.get(&id);
        after
            .or_else(|| self.case.before.steps.get(&id))
            .expect("a row is about a step")
    }

    fn row(&self, out: &mut String, row: &Row) {
        let indent = "  ".repeat(row.depth);
        let _ = match &row.kind {
            RowKind::Trigger => writeln!(out, "{indent}Trigger"),
            RowKind::Settings => writeln!(out, "{indent}Settings"),
            RowKind::Step { id } => {
                let step = self.step(*id);
                let action = step
                    .action()
                    .map_or(step.kind.as_str(), |action| &action.title);
                let change = self.changes.of(*id);
                let kinds: Vec<&str> = change
                    .map_or_else(Vec::new, StepChange::kinds)
                    .into_iter()
                    .map(|kind| kind.title())
                    .collect();
                let badges = if kinds.is_empty() {
                    String::new()
                } else {
                    format!(" [{}]", kinds.join(", "))
                };
                writeln!(out, "{indent}“{}”, {action}{badges}", step.name)
            }
            RowKind::Lane { step, lane } => {
                let of = |document: &Document| {
                    document
                        .steps
                        .get(step)?
                        .lanes
                        .iter()
                        .find(|l| l.id == *lane)
                        .cloned()
                };
                let lane = of(&self.case.after)
                    .or_else(|| of(&self.case.before))
                    .expect("it is there");
                let when = lane
                    .when
                    .map(|when| format!(" when {when}"))
                    .unwrap_or_default();
                writeln!(out, "{indent}Lane “{}”{when}", lane.name)
            }
            RowKind::Unchanged { steps, quiet } => {
                let s = if steps.len() == 1 { "" } else { "s" };
                let quiet = match quiet {
                    0 => String::new(),
                    quiet => format!(", {quiet} of them with references that follow"),
                };
                writeln!(out, "{indent}… {} unchanged step{s}{quiet}", steps.len())
            }
            RowKind::Ghost { id } => writeln!(out, "{indent}(here was “{}”)", self.step(*id).name),
        };
        let indent = format!("{indent}    ");
        match &row.kind {
            RowKind::Trigger => self.fields(out, &indent, Target::Trigger),
            RowKind::Settings => self.fields(out, &indent, Target::Settings),
            RowKind::Step { id } => {
                if let Some(moved) = self.changes.of(*id).and_then(|change| change.moved) {
                    let moved = moved.describe(&self.case.before, &self.case.after);
                    let _ = writeln!(out, "{indent}{moved}");
                }
                self.fields(out, &indent, Target::Step(*id));
            }
            _ => {}
        }
    }

    fn fields(&self, out: &mut String, indent: &str, target: Target) {
        let kind = match target {
            Target::Trigger => self.case.after.trigger.kind.as_str(),
            Target::Settings => "",
            Target::Step(id) => self.step(id).kind.as_str(),
        };
        let mut folded = Vec::new();
        for change in self.changes.fields(target) {
            let title = self.title(change, kind, target);
            if change.is_quiet() {
                folded.push(title);
            } else {
                field(out, indent, &title, change, kind);
            }
        }
        if !folded.is_empty() {
            let _ = writeln!(out, "{indent}folded: {}", folded.join(", "));
        }
    }

    /// Returns the label of a field; a lane is named.
    fn title(&self, change: &FieldChange, kind: &str, target: Target) -> String {
        let (Part::Lane(lane) | Part::LaneName(lane) | Part::LaneWhen(lane)) = change.field.part()
        else {
            return change.field.title(kind);
        };
        let field = Field::lane_name(lane);
        let documents = [&self.case.before, &self.case.after];
        let name = documents
            .iter()
            .find_map(|document| domain::change::value(document, target, &field));
        format!(
            "{} “{}”",
            change.field.title(kind),
            name.as_ref().and_then(Value::as_str).unwrap_or_default()
        )
    }
}

fn field(out: &mut String, indent: &str, title: &str, change: &FieldChange, kind: &str) {
    let label = |value: &Value| label(value, &change.field, kind);
    if let Some((from, to)) = change.lane_moved {
        let _ = writeln!(
            out,
            "{indent}{title}: from place {} to {}",
            from + 1,
            to + 1
        );
        return;
    }
    if let (Part::Lane(_), None, _) | (Part::Lane(_), _, None) =
        (change.field.part(), &change.before, &change.after)
    {
        let what = if change.before.is_none() {
            "new"
        } else {
            "gone"
        };
        let _ = writeln!(out, "{indent}{title}: {what}");
        return;
    }
    let is_choice = |value: &Value| value.as_str().is_some_and(|text| text != label(value));
    let _ = match (&change.before, &change.after) {
        (Some(old @ Value::String(before)), Some(new @ Value::String(after)))
            if !is_choice(old) && !is_choice(new) =>
        {
            writeln!(
                out,
                "{indent}{title}: {}",
                marked(before, after).replace('\n', &format!("\n{indent}  "))
            )
        }
        (Some(before), Some(after)) if before.is_object() || before.is_array() => {
            let _ = writeln!(out, "{indent}{title}:");
            for part in json(before, after) {
                let path: Vec<String> = part.path.iter().map(segment).collect();
                let path = path.join(" › ");
                let _ = match (&part.before, &part.after) {
                    (Some(Value::String(old)), Some(Value::String(new))) => {
                        writeln!(out, "{indent}  {path}: {}", marked(old, new))
                    }
                    (Some(old), Some(new)) => {
                        writeln!(out, "{indent}  {path}: [-{old}-]{{+{new}+}}")
                    }
                    (None, Some(new)) => writeln!(out, "{indent}  {path}: {{+{}+}}", label(new)),
                    (Some(old), None) => writeln!(out, "{indent}  {path}: [-{}-]", label(old)),
                    (None, None) => Ok(()),
                };
            }
            Ok(())
        }
        (Some(before), Some(after)) => {
            writeln!(
                out,
                "{indent}{title}: [-{}-]{{+{}+}}",
                label(before),
                label(after)
            )
        }
        (None, Some(after)) => writeln!(out, "{indent}{title}: {{+{}+}}", label(after)),
        (Some(before), None) => writeln!(out, "{indent}{title}: [-{}-]", label(before)),
        (None, None) => Ok(()),
    };
}

fn segment(segment: &Segment) -> String {
    match segment {
        Segment::Key(key) => key.clone(),
        Segment::Index(index) => format!("#{}", index + 1),
    }
}

/// Returns a value as a person reads it: a choice by its label.
fn label(value: &Value, field: &Field, kind: &str) -> String {
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    match field.part() {
        Part::Kind => {
            let action = catalog::action(&text).map(|action| action.title.clone());
            let trigger = || catalog::trigger(&text).map(|trigger| trigger.title.clone());
            action.or_else(trigger).unwrap_or(text)
        }
        Part::Then if text == "continue" => "the run goes on".to_owned(),
        Part::Then => "the run fails".to_owned(),
        Part::Config(name) => {
            let action = catalog::action(kind).map(|action| &action.input);
            let schema = action.or_else(|| catalog::trigger(kind).map(|trigger| &trigger.input));
            match schema
                .and_then(|schema| schema.field(name))
                .map(|field| &field.kind)
            {
                Some(FieldKind::Choice(options)) => {
                    let option = options.iter().find(|(option, _)| *option == text);
                    option.map_or(text, |(_, label)| label.clone())
                }
                _ => text,
            }
        }
        _ => text,
    }
}

fn marked(before: &str, after: &str) -> String {
    let mark = |piece: domain::change::Piece| match piece.kind {
        PieceKind::Same => piece.text,
        PieceKind::Added => format!("{{+{}+}}", piece.text),
        PieceKind::Deleted => format!("[-{}-]", piece.text),
    };
    words(before, after).into_iter().map(mark).collect()
}
