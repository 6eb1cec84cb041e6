//! The words and the rules of Sluice, the same code in the browser and on the server.
//!
//! Holds the [`Document`] and its edits, the catalog of actions and triggers, templates,
//! validation, roles and policy, and the shapes that cross the wire. It knows no user
//! interface, database, clock, randomness or async: ids and times are passed in.

pub mod account;
pub mod alert;
pub mod call;
pub mod canonical;
pub mod catalog;
pub mod change;
pub mod clipboard;
pub mod code;
pub mod connection;
pub mod connector;
pub mod delivery;
pub mod document;
pub mod draft;
pub mod edit;
pub mod extract;
pub mod id;
pub mod integration;
pub mod layout;
pub mod letter;
pub mod limit;
pub mod live;
pub mod merge;
pub mod network;
pub mod payload;
pub mod policy;
pub mod poll;
pub mod presence;
pub mod probe;
pub mod reach;
pub mod retention;
pub mod review;
pub mod run;
#[cfg(test)]
mod sample;
pub mod schedule;
pub mod schema;
pub mod search;
pub mod secret;
pub mod signing;
pub mod slug;
pub mod starter;
pub mod template;
pub mod throttle;
pub mod timestamp;
pub mod tree;
pub mod validate;

pub use document::Document;
pub use id::{
    AccountId, AlertId, CommentId, ConnectionId, DecisionId, DocumentHash, DraftId, EventId,
    IntegrationId, InvitationId, LaneId, NotificationId, OrganizationId, ReviewId, RunId,
    SessionId, SigningSecretId, StepId, ThreadId, VersionId,
};
pub use timestamp::Timestamp;
