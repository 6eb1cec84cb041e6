//! The one error that server functions answer with, and what a screen says about it.

use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a server function did not do what was asked. Its text is fit to be shown.
#[derive(Clone, Debug, PartialEq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The rules say no.
    #[error("{message}")]
    Refused {
        /// Stable name of the rule, such as `draft/live-moved`.
        code: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// Nobody is signed in, or the session has ended.
    #[error("You are signed out. Sign in again; what you typed is kept.")]
    SignedOut,
    /// There is no such thing, or it belongs to another organization.
    #[error("This is not there, or not yours to see. Go back and choose again.")]
    NotFound,
    /// Something failed that the reader can do nothing about.
    #[error("Something went wrong on the server (incident {incident}). Try again in a moment.")]
    Unexpected {
        /// Stands in the server's log beside the cause.
        incident: String,
    },
    /// The server did not answer.
    #[error("The server cannot be reached. What you typed is kept and sent when it is back.")]
    Unreachable,
    /// Browser and server do not understand each other.
    #[error("The page and the server do not fit together. Reload the page.")]
    Mismatch,
}

impl Fault {
    /// Returns whether trying again later, unchanged, can help.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Fault::Unreachable | Fault::Unexpected { .. })
    }
}

impl FromServerFnError for Fault {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Request(_) | ServerFnErrorErr::Response(_) => Fault::Unreachable,
            _ => Fault::Mismatch,
        }
    }
}
