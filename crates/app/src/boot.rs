//! What the page brings with it, so that the first screen needs no second round trip.

use domain::account::Me;
use domain::integration::IntegrationSummary;
use serde::{Deserialize, Serialize};

/// Id of the element that holds the boot data as JSON.
pub const ELEMENT_ID: &str = "boot";

/// What the server puts into the shell page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    /// Whether an organization exists; without one, the first screen sets it up.
    pub is_set_up: bool,
    /// Who is signed in.
    pub me: Option<Me>,
    /// The scheme and host that others reach us at, when the server was told.
    pub public_url: Option<String>,
    /// The address of the demo's services, in the demo organization.
    pub demo_service: Option<String>,
    /// The organization page's answer, when that is the page asked for.
    pub integrations: Option<Vec<IntegrationSummary>>,
}
