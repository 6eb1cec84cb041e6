//! The stream that tells an open page what changed: ids only, of its own organization only, and of
//! messages only those to its reader.
//!
//! It ends within a second when the session does, so that nobody who was removed goes on
//! listening. The page reads again what it shows, with its own rights.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use domain::account::Me;
use futures::Stream;
use http::{HeaderMap, StatusCode, header};
use store::{Changed, SessionToken, Store};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, interval};

use crate::answer;
use crate::signal::Stop;
use crate::web::Web;

/// How often an open stream asks whether its session still holds.
const ASK: Duration = Duration::from_millis(800);
/// For how long one answer to that serves all pages of the session.
const FRESH: Duration = Duration::from_millis(150);
/// How often something is sent when nothing happens, so that proxies keep the stream.
const ALIVE: Duration = Duration::from_secs(15);

/// Answers `GET /live`.
pub(crate) async fn stream(State(web): State<Arc<Web>>, request: Request) -> Response {
    if !is_own_page(request.headers(), web.public_url.as_deref()) {
        let message = "Only Sluice's own pages may listen.";
        return answer::refusal(StatusCode::FORBIDDEN, "live/origin", message);
    }
    let (parts, _) = request.into_parts();
    let token = app::caller::session_token(&parts, web.cookies);
    // Before the session is looked at, so that nothing in between is missed.
    let changes = web.store.listen();
    let me = match &token {
        Some(token) => web.store.who(token).await,
        None => Ok(None),
    };
    let (token, me) = match (token, me) {
        (Some(token), Ok(Some(me))) => (token, me),
        (_, Ok(_)) => {
            let message = "You are signed out. Sign in again.";
            return answer::refusal(StatusCode::UNAUTHORIZED, "signed-out", message);
        }
        (_, Err(error)) => {
            tracing::warn!(%error, "a page could not begin to listen");
            let message = "The database cannot be reached just now.";
            return answer::later(StatusCode::SERVICE_UNAVAILABLE, "database", message, 5);
        }
    };
    let listening = Listening {
        me,
        token,
        changes,
        ask: interval(ASK),
        stop: web.stop.clone(),
        web,
    };
    let mut response = Sse::new(events(listening))
        .keep_alive(KeepAlive::new().interval(ALIVE))
        .into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        http::HeaderValue::from_static("no-store"),
    );
    headers.insert("x-accel-buffering", http::HeaderValue::from_static("no"));
    response
}

struct Listening {
    me: Me,
    token: SessionToken,
    changes: Receiver<Changed>,
    ask: Interval,
    stop: Stop,
    web: Arc<Web>,
}

fn events(listening: Listening) -> impl Stream<Item = Result<Event, Infallible>> {
    // At once, so that the page knows that it listens.
    let begun = futures::stream::iter([Ok(Event::default().event("ready").data("{}"))]);
    let rest = futures::stream::unfold(listening, |mut listening| async move {
        let event = listening.next().await?;
        Some((Ok(event), listening))
    });
    futures::StreamExt::chain(begun, rest)
}

impl Listening {
    /// Waits for the next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let stop = self.stop.clone();
            tokio::select! {
                changed = self.changes.recv() => match changed {
                    Ok(changed) if concerns(&changed, &self.me) => {
                        let data = serde_json::to_string(&changed.what).expect("ids are JSON");
                        return Some(Event::default().data(data));
                    }
                    Ok(_) => {}
                    // Some were missed: the page connects again, and then reads again all it shows.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
                },
                _ = self.ask.tick() => match self.web.sessions.holds(&self.token, &self.me).await {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(error) => {
                        tracing::warn!(%error, "whether a session holds is not known; ending its stream");
                        return None;
                    }
                },
                () = stop.given() => return None,
            }
        }
    }
}

/// Returns whether someone may hear of a change: of what is in the organization, and of messages
/// only who gets them.
fn concerns(changed: &Changed, me: &Me) -> bool {
    let is_theirs = match changed.what {
        domain::live::Changed::Notified(account) => account == me.account,
        _ => true,
    };
    is_theirs && changed.organization == me.organization
}

/// Whether sessions hold, asked of the database at most a few times a second for each.
#[derive(Debug)]
pub struct Sessions {
    store: Store,
    known: Mutex<HashMap<String, (Instant, bool)>>,
}

impl Sessions {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            known: Mutex::default(),
        }
    }

    /// Returns whether the session is still that person's, in that organization.
    async fn holds(&self, token: &SessionToken, me: &Me) -> Result<bool, store::Error> {
        let key = domain::canonical::sha256(token.0.as_bytes());
        let now = Instant::now();
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, (at, _)| now.saturating_duration_since(*at) < FRESH);
            if let Some((_, holds)) = known.get(&key) {
                return Ok(*holds);
            }
        }
        let who = self.store.who(token).await?;
        let holds =
            who.is_some_and(|who| who.account == me.account && who.organization == me.organization);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, (now, holds));
        Ok(holds)
    }
}

/// Returns whether a request comes from one of our own pages, as far as the browser tells. What
/// is no browser tells nothing, and has no cookie that it did not ask for.
fn is_own_page(headers: &HeaderMap, public_url: Option<&str>) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &http::HeaderValue| value.to_str().ok())
    };
    if let Some(site) = text(http::HeaderName::from_static("sec-fetch-site")) {
        return matches!(site, "same-origin" | "none");
    }
    match text(header::ORIGIN) {
        None => true,
        Some(origin) if Some(origin) == public_url => true,
        Some(origin) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text(header::HOST)
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::is_own_page;

    #[test]
    fn a_page_of_another_site_may_not_listen() {
        let headers = |pairs: &[(&'static str, &str)]| -> HeaderMap {
            pairs
                .iter()
                .map(|(name, value)| {
                    (
                        (*name).parse().expect("a name"),
                        value.parse().expect("a value"),
                    )
                })
                .collect()
        };
        let ours = [
            headers(&[
                ("sec-fetch-site", "same-origin"),
                ("origin", "https://proxy.example"),
            ]),
            headers(&[
                ("origin", "http://127.0.0.1:8080"),
                ("host", "127.0.0.1:8080"),
            ]),
            headers(&[("origin", "https://sluice.example"), ("host", "inner")]),
            headers(&[]),
        ];
        let others = [
            headers(&[("sec-fetch-site", "cross-site")]),
            headers(&[("sec-fetch-site", "same-site")]),
            headers(&[
                ("origin", "http://evil.example"),
                ("host", "127.0.0.1:8080"),
            ]),
            headers(&[("origin", "null"), ("host", "127.0.0.1:8080")]),
        ];
        assert!(
            ours.iter()
                .all(|it| is_own_page(it, Some("https://sluice.example")))
        );
        assert!(
            !others
                .iter()
                .any(|it| is_own_page(it, Some("https://sluice.example")))
        );
    }
}
