//! What came of an import, so that a person can act on it.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why nothing is imported.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Neither `openapi` nor `swagger` says what it is.
    #[error(
        "This is not an OpenAPI description: it has no `openapi` and no `swagger`. Choose the file that the service calls its OpenAPI (or Swagger) description."
    )]
    NotOne,
    /// A version that is not read.
    #[error("OpenAPI {0} is not read. Versions 2.0, 3.0, 3.1 and 3.2 are.")]
    Version(String),
    /// Nothing can be called.
    #[error("The description has no operations under `paths`, so there is nothing to import.")]
    NoOperations,
    /// Each operation was left out.
    #[error("None of its operations can be imported. The first: {0}")]
    NothingLeft(String),
}

/// One operation that did not become an action, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// The method as the description writes it, in upper case; empty for the description itself.
    pub method: String,
    /// The path as the description writes it.
    pub path: String,
    /// Why, or what is different, in one sentence.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.method.as_str(), self.path.as_str()) {
            ("", "") => out.write_str(&self.text),
            ("", path) => write!(out, "{path}: {}", self.text),
            (method, path) => write!(out, "{method} {path}: {}", self.text),
        }
    }
}

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The version of OpenAPI, as the description says it.
    pub version: String,
    /// Operations that the description has.
    pub operations: usize,
    /// Those that are actions now.
    pub imported: usize,
    /// Operations that are none, each with the reason.
    pub left_out: Vec<Remark>,
    /// What is different from the description in those that are, or has to be known; at most
    /// [`Report::NOTES`].
    pub notes: Vec<Remark>,
    /// Notes that are not listed.
    pub unlisted: usize,
}

impl Report {
    /// Most notes that are listed.
    pub const NOTES: usize = 500;

    pub(super) fn note(&mut self, method: &str, path: &str, text: impl Into<String>) {
        if self.notes.len() >= Self::NOTES {
            self.unlisted += 1;
            return;
        }
        self.notes.push(Remark {
            method: method.to_owned(),
            path: shown(path),
            text: text.into(),
        });
    }

    pub(super) fn leave_out(&mut self, method: &str, path: &str, text: impl Into<String>) {
        self.left_out.push(Remark {
            method: method.to_owned(),
            path: shown(path),
            text: text.into(),
        });
    }
}

fn shown(path: &str) -> String {
    path.chars().take(300).collect()
}
