//! One expression of a text, ready to be evaluated.

use std::ops::Range;

use serde_json::Value;

use super::compiled::Place;
use super::grammar::Found;
use super::result::{self, Budget};
use super::{Scope, TemplateError, scan};

/// An expression whose names and syntax are known to be right.
#[derive(Debug)]
pub(super) struct Expression {
    source: Box<str>,
    /// It is nothing but names with dots between them, as most are: what they lead to is looked
    /// up, and nothing is computed.
    is_path: bool,
    /// Where what computes it is kept; of a path, that is needed only where it leads nowhere.
    place: Place,
    at: Range<usize>,
}

impl Expression {
    /// Reads the expression that stands in this part of a text.
    pub(super) fn parse(text: &str, inner: Range<usize>) -> Result<Self, TemplateError> {
        let mut found = Found::default();
        scan::read_piece(text, inner.clone(), &mut found)?;
        let source = text[inner.clone()].trim();
        let expression = Self {
            is_path: is_path(&found, source),
            place: Place::of(source),
            source: source.into(),
            at: inner,
        };
        if !expression.is_path {
            expression.place.compiled(source, &expression.at)?;
        }
        Ok(expression)
    }

    /// Returns its value.
    pub(super) fn evaluate(
        &self,
        scope: &Scope,
        budget: &mut Budget,
    ) -> Result<Value, TemplateError> {
        let path = self.is_path.then_some(&*self.source);
        let value = match path.and_then(|path| scope.find(path)) {
            Some(found) => budget.take(&found).map(|()| found.into_owned()),
            None => {
                let compiled = self.place.compiled(&self.source, &self.at)?;
                result::evaluated(&compiled, scope, budget)
            }
        };
        value.map_err(|failure| TemplateError {
            message: failure.explain(&self.source, scope),
            at: self.at.clone(),
        })
    }
}

/// Returns whether an expression is names with dots between them, and nothing else.
fn is_path(found: &Found<'_>, source: &str) -> bool {
    let mut references = found.references();
    references.next().is_some_and(|(names, _)| {
        let mut parts = source.split('.');
        names.iter().all(|name| parts.next() == Some(name)) && parts.next().is_none()
    })
}
