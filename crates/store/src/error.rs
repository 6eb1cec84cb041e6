//! Why a verb did not do what it was asked.

use std::borrow::Cow;

use domain::run::RunState;
use domain::{
    account, connection, connector, draft, limit, network, policy, poll, retention, review,
    signing, throttle,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Result, Savepoint};

/// Why a verb failed. Nothing was changed then.
#[derive(Debug, Error)]
pub enum Error {
    /// The rules say no; show the sentence.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such thing in this organization.
    #[error("There is nothing at this address, or it belongs to another organization.")]
    NotFound,
    /// The database did not answer, or not as it should. Log it; do not show it.
    #[error("the database failed")]
    Unavailable(#[from] sqlx::Error),
}

impl Error {
    /// Makes a violated constraint a refusal; other failures stay what they are.
    pub(crate) fn on(error: sqlx::Error, constraint: &str, refusal: Refusal) -> Self {
        let violated = error
            .as_database_error()
            .and_then(|database| database.constraint());
        if violated == Some(constraint) {
            refusal.into()
        } else {
            error.into()
        }
    }
}

macro_rules! wrapped {
    ($($refusal:ty),+) => {$(
        impl From<$refusal> for Error {
            fn from(refusal: $refusal) -> Self {
                Self::Refused(refusal.into())
            }
        }
    )+};
}
wrapped!(
    policy::Denied,
    account::Refusal,
    connection::Refusal,
    connector::Refusal,
    draft::Refusal,
    retention::Refusal,
    review::Refusal,
    signing::Refusal,
    throttle::Refusal
);

/// What the rules say no to, with the sentence to show. Crosses the wire as it is.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The role does not allow it.
    #[error(transparent)]
    Denied(#[from] policy::Denied),
    /// A text about a person or organization cannot be taken.
    #[error(transparent)]
    Account(#[from] account::Refusal),
    /// A connection is not kept, changed, removed or sent.
    #[error(transparent)]
    Connection(#[from] connection::Refusal),
    /// A connector is not imported.
    #[error(transparent)]
    Connector(#[from] connector::Refusal),
    /// The draft does not allow it.
    #[error(transparent)]
    Draft(#[from] draft::Refusal),
    /// Polling does not begin anew, or is not tried.
    #[error(transparent)]
    Poll(#[from] poll::Refusal),
    /// Runs are not kept for so long.
    #[error(transparent)]
    Retention(#[from] retention::Refusal),
    /// The review does not allow it.
    #[error(transparent)]
    Review(#[from] review::Refusal),
    /// A signing secret is not kept.
    #[error(transparent)]
    Signing(#[from] signing::Refusal),
    /// Runs are not throttled like this.
    #[error(transparent)]
    Throttle(#[from] throttle::Refusal),
    /// The session ended: it expired, or its person is no member any more.
    #[error("You are not signed in any more. Sign in again.")]
    SessionEnded,
    /// The first organization exists already.
    #[error("This Sluice is set up already. Sign in, or ask an Admin for an invitation.")]
    AlreadySetUp,
    /// Another account has this e-mail address.
    #[error(
        "There is an account with this e-mail address already. Give its password to join with it, or use another address."
    )]
    EmailTaken,
    /// No account has this e-mail address and password.
    #[error("The e-mail address or the password is wrong. Check both.")]
    WrongCredentials,
    /// The account is a member of no organization.
    #[error("You are not a member of any organization. Ask an Admin for an invitation.")]
    NoOrganization,
    /// Too many wrong passwords for one e-mail address.
    #[error("There were too many attempts to sign in. Try again in {} minutes.", minutes(*.retry_after_seconds))]
    TooManyAttempts {
        /// From then on the next attempt is looked at.
        retry_after_seconds: u32,
    },
    /// The invitation was taken, withdrawn, or is too old.
    #[error("This invitation is of no use any more. Ask an Admin for a new one.")]
    InvitationGone,
    /// Whoever takes the invitation is a member already.
    #[error("You are a member of this organization already. Sign in.")]
    AlreadyMember,
    /// The organization would be without an Admin.
    #[error("This is the only Admin. Make another member Admin first.")]
    LastAdmin,
    /// Only an integration with a manual trigger is started by hand.
    #[error(
        "This integration is not started by hand: its trigger is another. Test a draft instead."
    )]
    NotManual,
    /// The integration has no live version.
    #[error("Nothing of this integration is live yet. Publish a draft first.")]
    NotPublished,
    /// The integration is switched off.
    #[error("This integration is disabled. Enable it first.")]
    Disabled,
    /// A text names no network range or host.
    #[error("{0}")]
    NetworkRange(String),
    /// A limit of requests is out of bounds.
    #[error(transparent)]
    Outgoing(network::Refusal),
    /// A payload is larger than [`limit::PAYLOAD_BYTES`].
    #[error("The payload has {bytes} bytes. At most {max} are taken. Send less.", max = limit::PAYLOAD_BYTES)]
    PayloadTooLarge {
        /// Bytes of JSON.
        bytes: usize,
    },
    /// A payload is nested deeper than [`limit::JSON_DEPTH`].
    #[error("The payload is nested deeper than {max} levels. Make it flatter.", max = limit::JSON_DEPTH)]
    PayloadTooDeep,
    /// The version that is to be put back is live.
    #[error("Version {0} is live already. Choose another version.")]
    LiveAlready(u32),
    /// A note is longer than [`limit::TEXT`].
    #[error("The note is longer than {max} characters. Shorten it.", max = limit::TEXT)]
    NoteTooLong,
    /// The run ended before.
    #[error("This run is over: {}.", .0.title().to_lowercase())]
    RunOver(RunState),
    /// The run is a test, is not over, or succeeded.
    #[error("This run cannot be resumed: only a live run that is over and did not succeed can be.")]
    CannotResume,
    /// The run cannot be resumed, as nobody knows what it did.
    #[error(
        "What is stored of this run cannot be read, so it cannot be resumed. Look into the server's log."
    )]
    Unreadable,
    /// More comes in than is written; the sender is to try again.
    #[error("More events come in than can be kept just now. Send this one again in a moment.")]
    Overloaded,
}

fn minutes(seconds: u32) -> u32 {
    seconds.div_ceil(60)
}

impl Refusal {
    /// Returns a code that stays the same when the sentence changes.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Denied(_) => "policy/denied",
            Refusal::Account(refusal) => match refusal {
                account::Refusal::NameMissing => "account/name-missing",
                account::Refusal::NameTooLong => "account/name-too-long",
                account::Refusal::NotAnEmail => "account/not-an-email",
                account::Refusal::PasswordTooShort => "account/password-too-short",
                account::Refusal::PasswordTooLong => "account/password-too-long",
            },
            Refusal::Draft(refusal) => match refusal {
                draft::Refusal::Closed(_) => "draft/closed",
                draft::Refusal::LiveMoved { .. } => "draft/live-moved",
                draft::Refusal::Moved { .. } => "draft/moved",
                draft::Refusal::SourceMoved { .. } => "draft/source-moved",
                draft::Refusal::NotBroughtIn => "draft/not-brought-in",
                draft::Refusal::Unresolved(_) => "draft/unresolved",
                draft::Refusal::NotPinnable => "draft/not-pinnable",
                draft::Refusal::Edit(_) => "draft/edit",
                draft::Refusal::TooLarge { .. } => "draft/too-large",
            },
            Refusal::Connection(refusal) => refusal.code(),
            Refusal::Connector(refusal) => refusal.code(),
            Refusal::Poll(refusal) => match refusal {
                poll::Refusal::OtherTrigger => "poll/other-trigger",
                poll::Refusal::CursorNotTaken => "poll/cursor",
                _ => "poll/answer",
            },
            Refusal::Retention(retention::Refusal::Days) => "organization/retention-days",
            Refusal::Review(refusal) => refusal.code(),
            Refusal::Signing(refusal) => match refusal {
                signing::Refusal::Malformed => "signing/malformed",
                signing::Refusal::TooMany => "signing/too-many",
                signing::Refusal::NoMasterKey => "signing/no-master-key",
            },
            Refusal::Throttle(throttle::Refusal::AtOnce) => "throttle/at-once",
            Refusal::SessionEnded => "account/session-ended",
            Refusal::AlreadySetUp => "account/already-set-up",
            Refusal::EmailTaken => "account/email-taken",
            Refusal::WrongCredentials => "account/wrong-credentials",
            Refusal::NoOrganization => "account/no-organization",
            Refusal::TooManyAttempts { .. } => "account/too-many-attempts",
            Refusal::InvitationGone => "invitation/gone",
            Refusal::AlreadyMember => "member/already",
            Refusal::LastAdmin => "member/last-admin",
            Refusal::NotManual => "integration/not-manual",
            Refusal::NotPublished => "integration/not-published",
            Refusal::Disabled => "integration/disabled",
            Refusal::NetworkRange(_) => "organization/network-range",
            Refusal::Outgoing(network::Refusal::AtOnce) => "network/at-once",
            Refusal::Outgoing(network::Refusal::PerSecond) => "network/per-second",
            Refusal::PayloadTooLarge { .. } => "run/payload-too-large",
            Refusal::PayloadTooDeep => "run/payload-too-deep",
            Refusal::LiveAlready(_) => "version/live-already",
            Refusal::NoteTooLong => "version/note-too-long",
            Refusal::RunOver(_) => "run/over",
            Refusal::CannotResume => "run/cannot-resume",
            Refusal::Unreadable => "run/unreadable",
            Refusal::Overloaded => "intake/overloaded",
        }
    }

    /// Returns the HTTP status that says the same.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::SessionEnded | Refusal::WrongCredentials => 401,
            Refusal::Denied(_) | Refusal::NoOrganization => 403,
            Refusal::Review(refusal) => of_review(refusal),
            Refusal::Connection(refusal) => refusal.status(),
            Refusal::Connector(refusal) => refusal.status(),
            Refusal::Draft(
                draft::Refusal::Closed(_)
                | draft::Refusal::LiveMoved { .. }
                | draft::Refusal::Moved { .. }
                | draft::Refusal::SourceMoved { .. },
            )
            | Refusal::Signing(signing::Refusal::TooMany)
            | Refusal::AlreadySetUp
            | Refusal::EmailTaken
            | Refusal::AlreadyMember
            | Refusal::LastAdmin
            | Refusal::NotManual
            | Refusal::Poll(poll::Refusal::OtherTrigger)
            | Refusal::NotPublished
            | Refusal::Disabled
            | Refusal::LiveAlready(_)
            | Refusal::RunOver(_)
            | Refusal::CannotResume
            | Refusal::Unreadable => 409,
            Refusal::InvitationGone => 410,
            Refusal::PayloadTooLarge { .. } => 413,
            Refusal::Account(_)
            | Refusal::Draft(_)
            | Refusal::Signing(signing::Refusal::Malformed)
            | Refusal::Throttle(_)
            | Refusal::Poll(_)
            | Refusal::Retention(_)
            | Refusal::NetworkRange(_)
            | Refusal::Outgoing(_)
            | Refusal::PayloadTooDeep
            | Refusal::NoteTooLong => 422,
            Refusal::TooManyAttempts { .. } => 429,
            Refusal::Signing(signing::Refusal::NoMasterKey) | Refusal::Overloaded => 503,
        }
    }
}

fn of_review(refusal: &review::Refusal) -> u16 {
    match refusal {
        review::Refusal::OwnWork(_)
        | review::Refusal::ReaderDecides
        | review::Refusal::NotYourComment
        | review::Refusal::NotYourThread
        | review::Refusal::NotYourReview
        | review::Refusal::MayNotOverride { .. } => 403,
        review::Refusal::AlreadyOpen { .. }
        | review::Refusal::Over(_)
        | review::Refusal::Moved { .. }
        | review::Refusal::Unmet(_) => 409,
        _ => 422,
    }
}

/// Classes of SQLSTATE that refuse what is written, however often it is: what a value may be, what a
/// constraint allows, and what Postgres can hold at all.
const CONTENT: [&str; 3] = ["22", "23", "54"];
/// What is stored of it is damaged. (Of an index that is, XX002, whoever runs the database makes a new
/// one.)
const DAMAGED: &str = "XX001";
/// Classes and codes beyond these that are about one statement, on a connection that is good for
/// the next: it was in the way of another, took too much, was locked out, or took too long.
const OF_STATEMENT: [&str; 4] = ["40", "53", "55", "57014"];

/// Returns whether the database refuses what is written, so that trying again is of no use. All else
/// passes, or is mended by whoever runs the database: a server that takes no writes, a login that
/// is refused, a table of another version.
pub(crate) fn is_content(error: &sqlx::Error) -> bool {
    sqlstate(error)
        .is_some_and(|code| CONTENT.iter().any(|class| code.starts_with(class)) || code == DAMAGED)
}

/// Ends a savepoint in which something was read of which others, that are read after it, are
/// independent: damaged, it is an error of its own, and the transaction goes on without it.
pub(crate) async fn unless_damaged<T>(
    savepoint: Savepoint<'_>,
    read: Result<T>,
) -> Result<Result<T, sqlx::Error>> {
    match read {
        Err(Error::Unavailable(error)) if is_damage(&error) => {
            savepoint.rollback().await?;
            Ok(Err(error))
        }
        read => {
            let read = read?;
            savepoint.commit().await?;
            Ok(Ok(read))
        }
    }
}

/// Returns whether a verb failed as something that it read is damaged.
pub(crate) fn is_damaged(error: &Error) -> bool {
    matches!(error, Error::Unavailable(error) if is_damage(error))
}

/// Returns whether something cannot be read, however often it is tried.
fn is_damage(error: &sqlx::Error) -> bool {
    let is_read_wrong = |code: Cow<'_, str>| code == DAMAGED || code.starts_with("22");
    matches!(error, sqlx::Error::Decode(_)) || sqlstate(error).is_some_and(is_read_wrong)
}

/// Returns whether Postgres failed in itself: it has a code of its own for whatever else there is.
pub(crate) fn is_internal(error: &sqlx::Error) -> bool {
    sqlstate(error).is_some_and(|code| code.starts_with("XX"))
}

/// Returns whether a statement was in the way of others, and ended for them.
pub(crate) fn is_in_the_way(error: &sqlx::Error) -> bool {
    sqlstate(error).is_some_and(|code| code.starts_with("40"))
}

/// Returns whether an error says nothing of the connection.
pub(crate) fn is_of_statement(error: &sqlx::Error) -> bool {
    is_content(error)
        || sqlstate(error)
            .is_some_and(|code| OF_STATEMENT.iter().any(|class| code.starts_with(class)))
}

/// Returns the code with which the database refused, by class and cause as SQL names them; `None`
/// where it did not answer.
pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}
