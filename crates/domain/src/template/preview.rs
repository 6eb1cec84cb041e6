//! What a text gives with samples: computed in the browser by the code that runs it.

use serde_json::Value;

use super::marks::{Marked, marks};
use super::{JsonText, Scope, Template, TemplateError};
use crate::reach::Reach;
use crate::schema::Language;

/// How a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// As text with expressions; one expression alone keeps its type.
    Text,
    /// As one expression, with or without braces.
    Condition,
    /// As JSON with expressions.
    Json,
    /// As a program, without expressions.
    Code(Language),
}

/// What a text gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Preview {
    /// This value.
    Value(Value),
    /// It cannot be told: nothing is known yet of what this is called.
    Lacking(String),
    /// It cannot be computed, at least not with these samples.
    Refused(TemplateError),
}

/// Returns what a text gives with the samples in `scope`, which is that of `reach`; `None` when it
/// holds no expression, or none that can be read.
pub fn preview(text: &str, reads: Reads, reach: &Reach, scope: &Scope) -> Option<Preview> {
    let is_condition = reads == Reads::Condition;
    let marks = marks(text, is_condition);
    let is_broken = |what: &Marked| matches!(what, Marked::Fault(_));
    if marks.is_empty() || marks.iter().any(|mark| is_broken(&mark.what)) {
        return None;
    }
    let references = marks.iter().filter_map(|mark| match &mark.what {
        Marked::Reference(names) => Some(names.as_slice()),
        _ => None,
    });
    let given = match reads {
        Reads::Text => Template::parse(text).and_then(|parsed| parsed.evaluate(scope)),
        Reads::Condition => {
            Template::parse_condition(text).and_then(|parsed| parsed.evaluate(scope))
        }
        Reads::Json => JsonText::parse(text).and_then(|parsed| parsed.evaluate(scope)),
        Reads::Code(_) => return None,
    };
    Some(match given {
        Ok(value) => Preview::Value(value),
        Err(error) => match reach.lacking(references) {
            Some(source) => Preview::Lacking(source.title.clone()),
            None => Preview::Refused(error),
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::reach::tests::{document, id, samples};

    #[test]
    fn a_text_gives_what_the_run_would_make_of_the_samples() {
        let reach = Reach::of(&document(), id(5), &samples());
        let scope = reach.scope();
        let value = |value| Some(Preview::Value(value));
        let table = [
            ("plain", Reads::Text, None),
            ("{{ steps.order.status }}", Reads::Text, value(json!(200))),
            (
                "no {{ steps.order.status }}",
                Reads::Text,
                value(json!("no 200")),
            ),
            (
                "steps.order.status == 200",
                Reads::Condition,
                value(json!(true)),
            ),
            (
                "{\"a\": {{ steps.order.status }}}",
                Reads::Json,
                value(json!({"a": 200})),
            ),
            ("{{ steps.order. }}", Reads::Text, None),
            (
                "{{ steps.totals.total }}",
                Reads::Text,
                Some(Preview::Lacking("Totals".to_owned())),
            ),
        ];
        for (text, reads, expected) in table {
            assert_eq!(preview(text, reads, &reach, &scope), expected, "{text}");
        }
        let refused = preview("{{ trigger.body.nope }}", Reads::Text, &reach, &scope);
        assert!(matches!(refused, Some(Preview::Refused(_))), "{refused:?}");
    }
}
