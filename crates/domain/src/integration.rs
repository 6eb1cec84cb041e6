//! Integrations and their versions, as they cross the wire.

use serde::{Deserialize, Serialize};

use crate::draft::DraftSummary;
use crate::poll::Polling;
use crate::review::Override;
use crate::run::RunState;
use crate::throttle::Throttle;
use crate::{Document, DocumentHash, IntegrationId, ReviewId, RunId, Timestamp, VersionId};

/// One line of the organization page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationSummary {
    /// Identity.
    pub id: IntegrationId,
    /// Its name.
    pub name: String,
    /// The live version; `None` before the first publish.
    pub live: Option<LiveVersion>,
    /// Whether its triggers start it. A disabled integration keeps its versions.
    pub enabled: bool,
    /// Whether it is paused: what comes in waits.
    pub paused: bool,
    /// Since when its runs end badly, when none has succeeded since.
    pub failing: Option<Failing>,
    /// Since when its polls fail, when none was answered since, and it is more than a moment:
    /// [`crate::poll::is_failing`].
    pub polls_failing: Option<Timestamp>,
    /// The drafts that are open, newest change first.
    pub drafts: Vec<DraftSummary>,
    /// The states of the newest live runs, newest first, 20 at most.
    pub recent_runs: Vec<RunState>,
    /// When the newest live run came in.
    pub last_run_at: Option<Timestamp>,
}

/// That the runs of an integration end badly: see [`crate::run::RunState::is_bad_end`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// Since when: no run has succeeded after it.
    pub since: Timestamp,
    /// The run that ended then.
    pub first: RunId,
}

/// The version that triggers start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveVersion {
    /// Identity.
    pub id: VersionId,
    /// 1, 2, 3 … per integration.
    pub number: u32,
    /// Key of its trigger in the catalog.
    pub trigger: String,
    /// When it went live.
    pub published_at: Timestamp,
}

/// One published version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionSummary {
    /// Identity.
    pub id: VersionId,
    /// 1, 2, 3 … per integration.
    pub number: u32,
    /// Title of the draft it was.
    pub title: String,
    /// What the publisher wrote about it.
    pub note: String,
    /// Who published it.
    pub published_by: String,
    /// When.
    pub published_at: Timestamp,
    /// The content it pins.
    pub hash: DocumentHash,
    /// How many steps it has.
    pub steps: u32,
    /// The review that its draft went through, when there was one.
    pub review: Option<ReviewId>,
    /// Who answered for publishing it although the review policy held it back, and why.
    pub override_reason: Option<Override>,
    /// The number of the version whose content it put back, when it was made by rolling back.
    pub rolled_back_from: Option<u32>,
}

/// The page of one integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrationDetail {
    /// Its line.
    pub summary: IntegrationSummary,
    /// All versions, newest first.
    pub versions: Vec<VersionSummary>,
    /// The path under which the webhook of the live version is called, when it has one.
    pub webhook_path: Option<String>,
    /// The next times at which the live version's schedule fires, when it has one.
    pub next_fires: Vec<Timestamp>,
    /// How its polling goes, when the live version polls.
    pub polling: Option<Polling>,
    /// What holds its runs back, and how many there are now.
    pub throttle: Throttle,
}

/// A version with its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Its line.
    pub summary: VersionSummary,
    /// The integration it belongs to.
    pub integration: IntegrationId,
    /// The integration's name.
    pub integration_name: String,
    /// Its content.
    pub document: Document,
}
