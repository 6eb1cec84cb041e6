//! Opens the connection of a step for each attempt of its request.

use std::future::poll_fn;
use std::task::Poll;

use domain::ConnectionId;
use serde_json::Value;

use super::End;
use super::run::Run;
use crate::port::{Clock, Closed, Journal, Outside};
use crate::step::http::{Credentials, Failure};
use crate::step::request::Request;

/// What the field is called that names a connection.
const FIELD: &str = "connection";
/// Most secrets of one connection that a run still knows after they were exchanged.
const SENT: usize = 40;

impl<C: Clock, J: Journal, O: Outside> Run<'_, C, J, O> {
    /// Opens the connection that a step names, if it names one, and lets it prove who sends. In
    /// what is recorded, its name takes the place of its id, and its secrets are hidden. `refused`
    /// is the issue of a token that the service did not take.
    pub(super) async fn authorize(
        &mut self,
        input: &mut Value,
        request: &mut Request,
        refused: Option<i64>,
    ) -> Result<Result<Option<ConnectionId>, Failure>, End> {
        let id = match request.connection() {
            None => return Ok(Ok(None)),
            Some(Ok(id)) => id,
            Some(Err(error)) => return Ok(Err(Failure::never(error))),
        };
        let credentials = match self.open(id, refused).await? {
            Ok(credentials) => credentials,
            Err(failure) => return Ok(Err(failure)),
        };
        hide(&credentials, input);
        request.authorize(credentials);
        Ok(Ok(Some(id)))
    }

    /// Opens a connection. `refused` is as [`Self::authorize`] has it.
    pub(super) async fn open(
        &mut self,
        id: ConnectionId,
        refused: Option<i64>,
    ) -> Result<Result<Credentials, Failure>, End> {
        let opened = match self.vault {
            Some(vault) => {
                let mut opening = vault.open(self.lease.run, id, self.is_test, refused);
                match poll_fn(|context| Poll::Ready(opening.as_mut().poll(context))).await {
                    Poll::Ready(opened) => opened,
                    Poll::Pending => {
                        // What a write did must not wait for a token, which may take long.
                        if self.records.has_write() {
                            self.append().await?;
                        }
                        opening.await
                    }
                }
            }
            None => Err(Closed::Gone),
        };
        let mut credentials = match opened {
            Ok(credentials) => credentials,
            Err(Closed::Broken(error)) => return Ok(Err(Failure::never(error))),
            Err(Closed::Later(error)) => return Ok(Err(Failure::transient(error))),
            Err(Closed::Gone) => {
                return Ok(Err(Failure::never(
                    "The connection of this step does not exist any more. Choose another one and publish again.",
                )));
            }
            // It is opened again.
            Err(Closed::Unavailable) => return Err(End::Unavailable),
        };
        let mut given = self.given();
        let sent = given.sent.entry(id).or_default();
        credentials.hide_also(sent);
        // Those that it hides now stand before the earlier ones.
        *sent = credentials.secrets().iter().take(SENT).cloned().collect();
        drop(given);
        Ok(Ok(credentials))
    }

    /// Notes how a request with a connection went.
    pub(super) fn note_use(&self, connection: ConnectionId, result: &Result<Value, Failure>) {
        if let Some(vault) = self.vault {
            let error = result.as_ref().err().map(|failure| failure.message.clone());
            vault.used(self.lease.run, connection, error);
        }
    }
}

/// Puts the name of a connection in the place of its id in what is recorded, and hides its secrets.
pub(super) fn hide(credentials: &Credentials, input: &mut Value) {
    if let Some(shown) = input.get_mut(FIELD) {
        *shown = Value::from(credentials.name());
    }
    *input = credentials.hide_in(std::mem::take(input));
}
