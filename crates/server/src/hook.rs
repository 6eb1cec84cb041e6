//! Webhooks: an event comes in, is made durable, and only then acknowledged.

pub(crate) mod elsewhere;
mod signature;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use domain::RunId;
use domain::run::RunState;
use engine::port::{Answer, Clock, SystemClock};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use store::{HookRoute, Incoming, Refusal};
use uuid::Uuid;

use self::signature::Forged;
use crate::answer_desk::Reply;
use crate::computer::Beforehand;
use crate::web::Web;
use crate::{answer, event, listen};

/// How long a caller waits for a Respond step.
const WAIT: Duration = Duration::from_secs(30);
/// Bytes of a body up to which its run may be computed before its event is kept.
const SMALL: usize = 64 * 1024;
/// How long callers wait on once we are asked to end: until no run of this process can answer any
/// more, and as long before connections are closed as it takes to tell them.
const ENDING: Duration = Duration::from_millis(6_500);
const _: () = assert!(ENDING.as_millis() < listen::GRACE.as_millis());
/// What callers are told then.
const MOVED: &str = "The event was accepted, but this process of Sluice ends before its run answered. The run goes on in another process: do not send the event again.";

/// Answers a call of a webhook.
pub(crate) async fn call(
    State(web): State<Arc<Web>>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let caller = web.caller(&request);
    let route = match web.store.hook_route(&token).await {
        Ok(Some(route)) if route.enabled => route,
        Ok(_) => return unknown(&web, caller),
        Err(error) => return failed(&web, error),
    };
    if route.method != "any" && route.method != request.method().as_str() {
        return answer::wrong_method(&route.method);
    }
    let call = match event::receive(request).await {
        Ok(call) => call,
        Err(refusal) => return refusal,
    };
    let now = SystemClock.now();
    let checked = signature::check(
        route.signature,
        &route.keys,
        call.headers(),
        &call.body,
        now,
    );
    if let Err(forged) = checked {
        return refuse_forged(&web, caller, &route, forged);
    }
    let payload = match call.payload() {
        Ok(payload) => Arc::new(payload),
        Err(refusal) => return event::no_json(&refusal),
    };
    let is_small = call.body.len() <= SMALL;
    // In a task of its own: a caller that hangs up must not take an event with it that is just
    // being kept, and handed to our worker.
    let accepted = tokio::spawn(accept(web.clone(), route.clone(), payload, is_small)).await;
    let started = match accepted {
        Ok(Ok(started)) => started,
        Ok(Err(store::Error::Refused(Refusal::Disabled))) => return unknown(&web, caller),
        Ok(Err(error)) => return failed(&web, error),
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => return again(),
        },
    };
    web.outage.note_kept();
    if route.responds {
        respond(&web, &route, started).await
    } else {
        answer::json(StatusCode::ACCEPTED, &json!({ "run": started.run }))
    }
}

/// What an event started.
struct Started {
    run: RunId,
    /// An earlier delivery of the same event started it.
    repeats: bool,
    /// What the caller gets, when that is known already.
    reply: Option<Reply>,
}

/// Makes an event durable. Its run is computed before that, if it only computes; else the worker of
/// this process gets it when that is done, if there is one that has room.
async fn accept(
    web: Arc<Web>,
    route: Arc<HookRoute>,
    payload: Arc<Value>,
    is_small: bool,
) -> Result<Started, store::Error> {
    let place = web
        .worker
        .as_ref()
        .and_then(|worker| Some((worker, worker.reserve()?)));
    // What is computed takes a place of the worker, where there is one.
    let has_room = match web.worker {
        Some(_) => place.is_some(),
        None => !web.stop.is_given(),
    };
    // An event that may be refused is not worked for.
    let beforehand = if is_small && has_room && web.store.keeps_pace() {
        let claim = || {
            let run = RunId(Uuid::now_v7());
            route.claimed(run, SystemClock.now(), payload.clone())
        };
        web.computer.compute(&route, claim).await
    } else {
        None
    };
    let incoming = Incoming {
        delivery: route.delivery.read(&payload),
        route,
        payload,
        hand_to: place.as_ref().map(|(worker, _)| worker.id()),
    };
    let (accepted, told) = match beforehand {
        Some(Beforehand {
            computed,
            reply,
            untold,
        }) => {
            let accepted = web.store.accept_computed(incoming, computed).await?;
            (accepted, Some((reply, untold)))
        }
        None => (web.store.accept(incoming).await?, None),
    };
    let (reply, untold) = told.filter(|_| accepted.is_computed).unwrap_or_default();
    if let Some(untold) = untold {
        untold.tell();
    }
    if let (Some((worker, slot)), Some(claimed)) = (place, accepted.claimed) {
        worker.run(claimed, slot);
    }
    Ok(Started {
        run: accepted.run,
        repeats: accepted.repeats,
        reply,
    })
}

/// Answers a call that its sender did not sign, or not as the integration asks for.
fn refuse_forged(web: &Web, caller: IpAddr, route: &HookRoute, forged: Forged) -> Response {
    tracing::warn!(integration = %route.integration, why = ?forged, "a call was not signed as it must be");
    let message = "The signature is missing, too old, or was made with another secret.";
    attempted(web, caller, || {
        answer::refusal(StatusCode::UNAUTHORIZED, "hook/signature", message)
    })
}

/// Answers for a webhook that does not exist, or is disabled: nobody learns which.
pub(crate) fn unknown(web: &Web, caller: IpAddr) -> Response {
    attempted(web, caller, answer::not_found)
}

/// Gives an answer to a call that starts nothing, as long as its sender does not try too often.
fn attempted(web: &Web, caller: IpAddr, give: impl FnOnce() -> Response) -> Response {
    match web.attempt_hook(caller) {
        Ok(()) => give(),
        Err(seconds) => {
            let message = "There were too many calls that started nothing.";
            answer::later(
                StatusCode::TOO_MANY_REQUESTS,
                "hook/too-many",
                message,
                seconds,
            )
        }
    }
}

/// Answers for what could not be done. Nothing was accepted then.
pub(crate) fn failed(web: &Web, error: store::Error) -> Response {
    match error {
        store::Error::Refused(Refusal::Overloaded) => answer::later(
            StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Overloaded.code(),
            &Refusal::Overloaded.to_string(),
            1,
        ),
        store::Error::Refused(refusal) => answer::refusal(
            StatusCode::UNPROCESSABLE_ENTITY,
            refusal.code(),
            &refusal.to_string(),
        ),
        store::Error::NotFound => answer::not_found(),
        store::Error::Unavailable(cause) => {
            web.outage.note_refused(&cause);
            again()
        }
    }
}

fn again() -> Response {
    let message = "The event could not be kept. Send it again in a moment.";
    answer::later(
        StatusCode::SERVICE_UNAVAILABLE,
        "event/not-kept",
        message,
        5,
    )
}

/// Waits for the run's Respond step and passes its answer on. A delivery that repeats another one
/// gets the same answer, from the database: at the desk, that one may be waiting.
async fn respond(web: &Web, route: &HookRoute, started: Started) -> Response {
    let run = started.run;
    let waited = async {
        if started.reply.is_some() {
            return started.reply;
        }
        if started.repeats {
            return elsewhere::reply(web, route.organization, run, Duration::ZERO).await;
        }
        let mut waiting = web.answers.wait(run);
        tokio::select! {
            Some(reply) = waiting.reply() => Some(reply),
            reply = elsewhere::reply(web, route.organization, run, elsewhere::SOON) => reply,
        }
    };
    let ending = async {
        web.stop.given().await;
        tokio::time::sleep_until(web.stop.after(ENDING)).await;
    };
    let reply = tokio::select! {
        // What is known is told, however late it is.
        biased;
        reply = waited => reply,
        () = ending => return going_on(StatusCode::SERVICE_UNAVAILABLE, "run/moved", MOVED, run),
        () = tokio::time::sleep(WAIT) => {
            let message = format!("The run did not answer within {} seconds. It goes on.", WAIT.as_secs());
            return going_on(StatusCode::GATEWAY_TIMEOUT, "run/slow", &message, run);
        }
    };
    match reply {
        // The event was accepted once; nothing is gained by sending it again.
        None => answer::json(StatusCode::OK, &json!({ "run": run })),
        Some(Reply::Answer(given)) => pass_on(given),
        Some(Reply::Ended(RunState::Succeeded)) => answer::json(
            StatusCode::OK,
            &json!({ "run": run, "state": RunState::Succeeded }),
        ),
        Some(Reply::Ended(state)) => answer::json(
            StatusCode::INTERNAL_SERVER_ERROR,
            &json!({
                "code": "run/no-answer",
                "error": "The run ended before it answered.",
                "run": run,
                "state": state,
            }),
        ),
    }
}

/// Answers for a run that goes on without its caller. Says nothing of when to try again: without a
/// name of its own, the same event would start another run.
fn going_on(status: StatusCode, code: &str, message: &str, run: RunId) -> Response {
    let body = json!({ "code": code, "error": message, "run": run });
    answer::json(status, &body)
}

fn pass_on(given: Answer) -> Response {
    let mut response = Response::new(Body::from(given.body));
    *response.status_mut() = StatusCode::from_u16(given.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    for (name, value) in given.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    // What an integration answers is shown at our own address: it must not act as our page.
    let policy = HeaderValue::from_static("sandbox; default-src 'none'; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.remove(header::SET_COOKIE);
    response
}
