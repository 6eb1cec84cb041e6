//! Server functions: who has what open.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use domain::StepId;
use domain::live::Place;
use domain::presence::FieldMark;
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use domain::presence::At;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, store};

/// Tells other members that the caller has a draft or review open, or leaves it; every member may.
#[server(prefix = "/api", endpoint = "here", input = Json)]
pub async fn here(
    place: Place,
    step: Option<StepId>,
    field: Option<FieldMark>,
    tab: u32,
    leaving: bool,
) -> Result<(), Fault> {
    store()
        .here(&me().await?, place, At { step, field }, tab, leaving)
        .await
        .map_err(fault)
}
