//! The connections that fields name.

use domain::ConnectionId;
use domain::connection::Connection;
use leptos::prelude::*;

use super::api;
use crate::known::{self, Known, Named};

thread_local! {
    static KNOWN: Known<Connection> = Known::new(|| Box::pin(api::connections()));
}

impl Named for Connection {
    type Id = ConnectionId;
    const GONE: &'static str = "A connection that does not exist any more";

    fn id(&self) -> ConnectionId {
        self.id
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Returns the connections, as [`known::all`] does.
pub(crate) fn known() -> Signal<Option<Vec<Connection>>> {
    known::all(&KNOWN)
}
