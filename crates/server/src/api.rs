//! The server functions of the page: which there are, who may call them, and the edge that every
//! call passes: size, depth and form of its body, and how often one address may guess.
//!
//! What a role may do is decided in `store` by `domain::policy`; the access written here is what
//! the permission test holds every function to, so that a new one cannot be forgotten.

use std::sync::{Arc, LazyLock};

use app::caller::PublicUrl;
use app::fault::Fault;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::policy::Act;
use domain::{limit, payload};
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use leptos::prelude::provide_context;
use leptos::server_fn::ServerFn;
use leptos::server_fn::axum::register_explicit;

use crate::answer;
use crate::web::Web;

/// Largest body of a call, in bytes: a draft as large as drafts may be, twice.
const BODY: usize = 8 * 1024 * 1024;

/// Deepest nesting of a body: a payload, and what it is wrapped in.
const DEPTH: usize = limit::JSON_DEPTH + 5;

/// Who may call a server function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, also without a session.
    Anyone,
    /// Any member of an organization, about that organization or themselves.
    Member,
    /// Members whose role allows the act.
    May(Act),
}

/// A server function as the router knows it.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// The path it is called at.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// It takes a secret or makes an account: one address may not call it often.
    pub guards: bool,
}

macro_rules! functions {
    ($($guards:ident $module:ident :: $function:ident : $access:expr),+ $(,)?) => {
        /// Makes all server functions known to their dispatcher. The linker may drop what nobody
        /// names, so they are named here.
        fn register() -> Vec<Function> {
            vec![$({
                register_explicit::<app::$module::api::$function>();
                Function {
                    path: <app::$module::api::$function as ServerFn>::PATH,
                    access: $access,
                    guards: stringify!($guards) == "guarded",
                }
            }),+]
        }
    };
}

functions! {
    guarded account::SetUp: Access::Anyone,
    guarded account::SignIn: Access::Anyone,
    open account::SignOut: Access::Anyone,
    open account::WhoAmI: Access::Member,
    guarded account::ReadInvitation: Access::Anyone,
    guarded account::AcceptInvitation: Access::Anyone,
    open alert::WantsAlerts: Access::May(Act::See),
    open alert::SetWantsAlerts: Access::May(Act::See),
    open call::Callable: Access::May(Act::See),
    open call::Callers: Access::May(Act::See),
    open connection::Connections: Access::May(Act::See),
    open connection::ConnectionUses: Access::May(Act::EditDraft),
    open connection::CreateConnection: Access::May(Act::ManageSecrets),
    open connection::ChangeConnection: Access::May(Act::ManageSecrets),
    open connection::DeleteConnection: Access::May(Act::ManageSecrets),
    open connection::TryConnection: Access::May(Act::Test),
    open connection::ConnectConnection: Access::May(Act::ManageSecrets),
    open connection::FinishConsent: Access::May(Act::ManageSecrets),
    open connector::Connectors: Access::May(Act::See),
    open connector::OurConnectors: Access::May(Act::ManageConnectors),
    open connector::ReadConnector: Access::May(Act::See),
    open connector::ConnectorActions: Access::May(Act::EditDraft),
    open connector::Declarations: Access::May(Act::EditDraft),
    open connector::ConnectorUses: Access::May(Act::EditDraft),
    open connector::LackingComponents: Access::May(Act::See),
    open connector::PreviewConnector: Access::May(Act::ManageConnectors),
    open connector::ImportConnector: Access::May(Act::ManageConnectors),
    open connector::DeleteConnector: Access::May(Act::ManageConnectors),
    open draft::ReadDraft: Access::May(Act::See),
    open draft::StartDraft: Access::May(Act::EditDraft),
    open draft::SaveDraft: Access::May(Act::EditDraft),
    open draft::RenameDraft: Access::May(Act::EditDraft),
    open draft::DiscardDraft: Access::May(Act::EditDraft),
    open draft::CaughtEvents: Access::May(Act::SeePayloads),
    open draft::StartTest: Access::May(Act::Test),
    open draft::LatestTest: Access::May(Act::See),
    open draft::Tests: Access::May(Act::See),
    open draft::Pins: Access::May(Act::See),
    open draft::Pin: Access::May(Act::EditDraft),
    open draft::PublishPlan: Access::May(Act::See),
    open draft::Publish: Access::May(Act::Publish),
    open draft::MergeBasis: Access::May(Act::See),
    open draft::BringUpToDate: Access::May(Act::EditDraft),
    open draft::BringIn: Access::May(Act::EditDraft),
    open integration::Integrations: Access::May(Act::See),
    open integration::ReadIntegration: Access::May(Act::See),
    open integration::CreateIntegration: Access::May(Act::CreateIntegration),
    open integration::RenameIntegration: Access::May(Act::EditDraft),
    open integration::SetEnabled: Access::May(Act::Operate),
    open integration::SetAtOnce: Access::May(Act::Operate),
    open integration::SetPaused: Access::May(Act::Operate),
    open integration::SigningSecrets: Access::May(Act::See),
    open integration::KeepSigningSecret: Access::May(Act::ManageSecrets),
    open integration::RemoveSigningSecret: Access::May(Act::ManageSecrets),
    open integration::StartManual: Access::May(Act::Operate),
    open integration::NextFires: Access::Member,
    open member::Members: Access::May(Act::SeeMembers),
    open member::SetRole: Access::May(Act::ManageMembers),
    open member::RemoveMember: Access::May(Act::ManageMembers),
    open member::Invitations: Access::May(Act::ManageMembers),
    open member::Invite: Access::May(Act::ManageMembers),
    open member::WithdrawInvitation: Access::May(Act::ManageMembers),
    open network::ReadNetwork: Access::May(Act::See),
    open network::SetNetwork: Access::May(Act::ManageNetwork),
    open network::ReadOutgoing: Access::May(Act::See),
    open network::SetOutgoing: Access::May(Act::ManageNetwork),
    open network::HostsDown: Access::May(Act::See),
    open poll::RestartPoll: Access::May(Act::Operate),
    open poll::PollOnce: Access::May(Act::Test),
    open presence::Here: Access::May(Act::See),
    open retention::ReadRetention: Access::May(Act::See),
    open retention::SetRetention: Access::May(Act::ManageRetention),
    open review::CreateReview: Access::May(Act::CreateReview),
    open review::ReadReview: Access::May(Act::See),
    open review::DraftReviews: Access::May(Act::See),
    open review::ReviewDocument: Access::May(Act::See),
    open review::DescribeReview: Access::May(Act::CreateReview),
    open review::AskReviewers: Access::May(Act::CreateReview),
    open review::WithdrawReview: Access::May(Act::CreateReview),
    open review::StartThread: Access::May(Act::Comment),
    open review::Reply: Access::May(Act::Comment),
    open review::EditComment: Access::May(Act::Comment),
    open review::DeleteComment: Access::May(Act::Comment),
    open review::ResolveThread: Access::May(Act::Comment),
    open review::SubmitReview: Access::May(Act::Comment),
    open review::ApplySuggestion: Access::May(Act::EditDraft),
    open review::SetViewed: Access::May(Act::See),
    open review::LookedAtReview: Access::May(Act::See),
    open review::Inbox: Access::May(Act::See),
    open review::UnreadNotifications: Access::May(Act::See),
    open review::ReadNotifications: Access::May(Act::See),
    open review::PolicySettings: Access::May(Act::See),
    open review::SetPolicy: Access::May(Act::ManagePolicy),
    open review::SetOwners: Access::May(Act::ManagePolicy),
    open run::Runs: Access::May(Act::See),
    open run::ReadRun: Access::May(Act::See),
    open run::CancelRun: Access::May(Act::Operate),
    open run::ResumeRun: Access::May(Act::Operate),
    open run::ResumeRuns: Access::May(Act::Operate),
    open version::ReadVersion: Access::May(Act::See),
    open version::RollBackDraft: Access::May(Act::EditDraft),
    open version::RollBack: Access::May(Act::Publish),
}

static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(register);

/// Returns all server functions.
pub fn functions() -> &'static [Function] {
    &FUNCTIONS
}

/// Answers a call of a server function.
pub(crate) async fn call(State(web): State<Arc<Web>>, request: Request) -> Response {
    let path = request.uri().path();
    let Some(function) = functions().iter().find(|function| function.path == path) else {
        return answer::not_found();
    };
    if function.guards
        && let Err(seconds) = web.attempt_sign_in(&request)
    {
        let message = format!("There were too many attempts. Try again in {seconds} seconds.");
        let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", &message);
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return response;
    }
    let request = match checked(request).await {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let context = move || {
        provide_context(web.store.clone());
        provide_context(web.cookies);
        provide_context(PublicUrl(web.public_url.clone()));
    };
    let mut response = leptos_axum::handle_server_fns_with_context(context, request)
        .await
        .into_response();
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        // A function itself never answers so; leptos does, when the fields are not the function's.
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Reads the body within the limits; returns the request with it.
async fn checked(request: Request) -> Result<Request, Response> {
    let (mut parts, body) = request.into_parts();
    let kind = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.trim_start().starts_with("application/json")) {
        let message = "Send JSON, with the content type application/json.";
        return Err(refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type",
            message,
        ));
    }
    let bytes = match Limited::new(body, BODY).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!(
                "This is more than {} MB. Send less at once.",
                BODY / 1024 / 1024
            );
            return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "too-large", &message));
        }
        Err(_) => {
            let message = "The request broke off.";
            return Err(refuse(StatusCode::BAD_REQUEST, "broken", message));
        }
    };
    if payload::is_deeper(&bytes, DEPTH) {
        let message = payload::JsonRefusal::TooDeep.to_string();
        return Err(refuse(
            StatusCode::UNPROCESSABLE_ENTITY,
            "too-deep",
            &message,
        ));
    }
    // With these, leptos would answer a call from a plain form by a redirect to wherever it
    // says it comes from. Our page has no such forms.
    parts.headers.remove(header::REFERER);
    parts.headers.remove(header::ACCEPT);
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// Returns a refusal in the form in which server functions refuse, so that the page can show it.
fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let fault = Fault::Refused {
        code: code.to_owned(),
        message: message.to_owned(),
    };
    let fault = serde_json::to_value(fault).expect("a fault is JSON");
    answer::json(status, &fault)
}
