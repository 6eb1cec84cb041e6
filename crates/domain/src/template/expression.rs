//! One expression of a text, ready to be evaluated.

use std::ops::Range;

use serde_json::Value;

use super::grammar::Found;
use super::result::{self, Budget};
use super::{Compiled, Scope, TemplateError, compile, scan};

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Expression {
    compiled: Compiled,
    /// The names, when it is nothing but names with dots between them, as most are: what they lead
    /// to is looked up, and nothing is computed.
    names: Option<Vec<String>>,
    source: String,
    at: Range<usize>,
}

impl Expression {
    /// Compiles the expression that stands in this part of a text.
    pub(super) fn parse(text: &str, inner: Range<usize>) -> Result<Self, TemplateError> {
        let mut found = Found::default();
        scan::read_piece(text, inner.clone(), &mut found)?;
        let source = &text[inner.clone()];
        let names = names(&found, source.trim());
        Ok(Self {
            compiled: compile(source, inner.clone())?,
            names,
            source: source.trim().to_owned(),
            at: inner,
        })
    }

    /// Returns its value.
    pub(super) fn evaluate(
        &self,
        scope: &Scope,
        budget: &mut Budget,
    ) -> Result<Value, TemplateError> {
        let found = self.names.as_deref().and_then(|names| scope.find(names));
        let value = match found {
            Some(found) => budget.take(&found).map(|()| found.into_owned()),
            None => result::evaluated(&self.compiled, scope, budget),
        };
        value.map_err(|failure| TemplateError {
            message: failure.explain(&self.source, scope),
            at: self.at.clone(),
        })
    }
}

/// Returns the names of an expression that is nothing else.
fn names(found: &Found<'_>, source: &str) -> Option<Vec<String>> {
    let mut references = found.references();
    let (names, _) = references.next()?;
    let is_all = names.join(".") == source;
    is_all.then(|| names.iter().map(|name| (*name).to_owned()).collect())
}
