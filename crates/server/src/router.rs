//! Every route of the server, in one table: the router is built from it, and so is the test
//! that asks for each who may use it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, any, get, post};
use http::StatusCode;
use tower_http::csrf::CsrfLayer;

use crate::web::Web;
use crate::{answer, api, catch, guard, health, hook, live, shell};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone; it tells nothing that is not public.
    Anyone,
    /// Whoever has a session.
    SignedIn,
    /// Whoever knows the token in its path.
    Token,
    /// As [`api::functions`] says for each function.
    PerFunction,
}

/// One route.
#[derive(Clone, Copy)]
pub struct Route {
    /// Its path, as axum writes it.
    pub path: &'static str,
    /// The methods it takes.
    pub methods: &'static [&'static str],
    /// Who may use it.
    pub access: Access,
    kind: Kind,
    handler: fn() -> MethodRouter<Arc<Web>>,
}

/// What holds around a route.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Called by our page: other sites' pages are refused, and it ends in time.
    Page,
    /// Called by other systems: no browser rules; the handler keeps its own time.
    Open,
    /// Stays open.
    Stream,
}

const ANY: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];

/// All routes.
pub const ROUTES: [Route; 8] = [
    Route {
        path: "/api/{*function}",
        methods: &["POST"],
        access: Access::PerFunction,
        kind: Kind::Page,
        handler: || post(api::call).fallback(|| async { answer::wrong_method("POST") }),
    },
    Route {
        path: "/live",
        methods: &["GET"],
        access: Access::SignedIn,
        kind: Kind::Stream,
        handler: || get(live::stream).fallback(|| async { answer::wrong_method("GET") }),
    },
    Route {
        path: "/hooks/{token}",
        methods: ANY,
        access: Access::Token,
        kind: Kind::Open,
        handler: || any(hook::call),
    },
    Route {
        path: "/catch/{token}",
        methods: ANY,
        access: Access::Token,
        kind: Kind::Open,
        handler: || any(catch::call),
    },
    Route {
        path: "/health/live",
        methods: &["GET", "HEAD"],
        access: Access::Anyone,
        kind: Kind::Page,
        handler: || get(health::live).fallback(|| async { answer::wrong_method("GET, HEAD") }),
    },
    Route {
        path: "/health/ready",
        methods: &["GET", "HEAD"],
        access: Access::Anyone,
        kind: Kind::Page,
        handler: || get(health::ready).fallback(|| async { answer::wrong_method("GET, HEAD") }),
    },
    Route {
        path: "/pkg/{*file}",
        methods: &["GET", "HEAD"],
        access: Access::Anyone,
        kind: Kind::Page,
        handler: || get(shell::file).fallback(|| async { answer::wrong_method("GET, HEAD") }),
    },
    // Also the fallback for every other path.
    Route {
        path: "/",
        methods: &["GET", "HEAD"],
        access: Access::Anyone,
        kind: Kind::Page,
        handler: || any(shell::page),
    },
];

/// How long a request of our page may take.
const TIME: Duration = Duration::from_secs(60);

/// Builds the router.
///
/// # Panics
/// When the public address cannot be an origin, which the configuration has checked.
pub fn router(web: Arc<Web>) -> Router {
    let of = |kind: Kind| {
        ROUTES
            .iter()
            .filter(|route| route.kind == kind)
            .fold(Router::new(), |router, route| {
                router.route(route.path, (route.handler)())
            })
    };
    let mut csrf = CsrfLayer::new();
    if let Some(url) = &web.public_url {
        csrf = csrf
            .add_trusted_origin(url)
            .expect("the configuration has checked it");
    }
    let csrf = csrf.with_rejection_response(|_| {
        let message = "This came from a page of another site. Use Sluice's own pages.";
        answer::refusal(StatusCode::FORBIDDEN, "cross-site", message)
    });
    let page = of(Kind::Page)
        .fallback(shell::page)
        // A limit of its own is set where a body is read, larger than the one of the framework.
        .layer(DefaultBodyLimit::disable())
        .layer(csrf)
        .layer(from_fn_with_state(TIME, guard::within));
    of(Kind::Open)
        .merge(of(Kind::Stream))
        .merge(page)
        .layer(from_fn(guard::request))
        .with_state(web)
}
