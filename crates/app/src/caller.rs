//! Server side only: who calls a server function, and how its answer's head is set.

use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use domain::AccountId;
use domain::account::Me;
use leptos::prelude::{expect_context, use_context};
use leptos_axum::ResponseOptions;
use store::{SessionToken, Store};

use crate::fault::Fault;

/// How session cookies are set; given to the server functions through context.
#[derive(Clone, Copy, Debug)]
pub struct CookiePolicy {
    /// Whether browsers reach us over https only.
    pub secure: bool,
}

impl CookiePolicy {
    /// Returns the name of the session cookie.
    pub const fn name(self) -> &'static str {
        if self.secure {
            "__Host-sluice_session"
        } else {
            "sluice_session"
        }
    }
}

/// The scheme and host that people use, when the server was told; given to the server functions
/// through context.
#[derive(Clone, Debug)]
pub struct PublicUrl(pub Option<String>);

/// Returns the address at which a path of this Sluice is reached: the public one, else the one that
/// the caller's page is open at.
pub(crate) fn address(path: &str) -> String {
    let PublicUrl(public) = expect_context::<PublicUrl>();
    let of_page = || {
        let parts = use_context::<Parts>()?;
        let header = |name| parts.headers.get(name)?.to_str().ok().map(str::to_owned);
        // Browsers send it with each call, and one of another site was refused before.
        let origin = header(header::ORIGIN).filter(|origin| origin != "null");
        origin.or_else(|| Some(format!("http://{}", header(header::HOST)?)))
    };
    public.or_else(of_page).unwrap_or_default() + path
}

/// Returns the store that the server put into the context.
pub(crate) fn store() -> Store {
    expect_context::<Store>()
}

/// Returns the session token of a request, if it carries one.
pub fn session_token(parts: &Parts, policy: CookiePolicy) -> Option<SessionToken> {
    let cookies = parts
        .headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == policy.name())
        .map(|(_, token)| SessionToken(token.to_owned()))
}

/// Returns the caller's session token.
pub(crate) fn token() -> Option<SessionToken> {
    session_token(&use_context::<Parts>()?, expect_context::<CookiePolicy>())
}

/// Returns who calls.
///
/// # Errors
/// [`Fault::SignedOut`] when nobody is signed in.
pub(crate) async fn me() -> Result<Me, Fault> {
    me_as(None).await
}

/// Returns who calls, when it is still the account that an open page belongs to. Tabs of a browser
/// share one session, so someone else may have signed in since in another tab.
///
/// # Errors
/// [`Fault::SignedOut`] when that account is not signed in.
pub(crate) async fn me_as(page: Option<AccountId>) -> Result<Me, Fault> {
    let me = match token() {
        Some(token) => store().who(&token).await.map_err(fault)?,
        None => None,
    };
    me.filter(|me| page.is_none_or(|page| page == me.account))
        .ok_or_else(|| {
            set_status(StatusCode::UNAUTHORIZED);
            Fault::SignedOut
        })
}

/// Sets the session cookie, or removes it.
pub(crate) fn set_session(token: Option<&SessionToken>) {
    let policy = expect_context::<CookiePolicy>();
    let secure = if policy.secure { "; Secure" } else { "" };
    let (value, age) = token.map_or(("", 0), |token| (token.0.as_str(), 60 * 24 * 3600));
    let cookie = format!(
        "{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}",
        policy.name()
    );
    if let (Some(options), Ok(mut cookie)) = (
        use_context::<ResponseOptions>(),
        HeaderValue::from_str(&cookie),
    ) {
        cookie.set_sensitive(true);
        options.append_header(header::SET_COOKIE, cookie);
    }
}

fn set_status(status: StatusCode) {
    if let Some(options) = use_context::<ResponseOptions>() {
        options.set_status(status);
    }
}

/// Turns a store's error into the fault that the browser gets, and sets the answer's status.
/// What failed inside is logged here, once, and named by an incident only.
pub(crate) fn fault(error: store::Error) -> Fault {
    match error {
        store::Error::NotFound => {
            set_status(StatusCode::NOT_FOUND);
            Fault::NotFound
        }
        store::Error::Refused(refusal) => {
            set_status(
                StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY),
            );
            Fault::Refused {
                code: refusal.code().to_owned(),
                message: refusal.to_string(),
            }
        }
        store::Error::Unavailable(cause) => {
            let incident = uuid::Uuid::now_v7().simple().to_string();
            tracing::error!(%incident, error = %cause, "a server function failed");
            set_status(StatusCode::SERVICE_UNAVAILABLE);
            Fault::Unexpected { incident }
        }
    }
}
