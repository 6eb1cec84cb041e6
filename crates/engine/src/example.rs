//! Runs the recorded examples of actions that a component does.

use std::future::Future;
use std::sync::Arc;

use domain::connector::{Asked, Connector, Declared, Example, Exchange, Fault, Operation, fits};
use domain::{RunId, Timestamp};
use serde_json::{Map, Value, json};

use crate::port::{Answered, Ending, Job, SigningKey, Worked};

/// What time it is in an example that does not say.
const AT: Timestamp = Timestamp(1_767_225_600_000);

/// Runs the examples of a connector's logic by `run`, and returns what does not hold: it asks for
/// something else than was recorded, or gives something else in the end.
pub async fn broken<F: Future<Output = Worked>>(
    connector: &Connector,
    run: impl Fn(Job) -> F,
) -> Vec<Fault> {
    let mut broken = Vec::new();
    for example in &connector.tests {
        let operation = connector.action(&example.action);
        let Some(operation) = operation.filter(|operation| operation.has_logic()) else {
            continue;
        };
        if let Err(what) = holds(connector, operation, example, &run).await {
            broken.push(Fault::of(format!("tests “{}”", example.name), what));
        }
        if broken.len() >= Fault::MOST {
            break;
        }
    }
    broken
}

async fn holds<F: Future<Output = Worked>>(
    connector: &Connector,
    operation: &Operation,
    example: &Example,
    run: &impl Fn(Job) -> F,
) -> Result<(), String> {
    let declared = Declared::of(connector, operation);
    let now = match example.at.as_str() {
        "" => AT,
        at => {
            let at: jiff::Timestamp = at
                .parse()
                .map_err(|_| format!("`{at}` is no time. Write it like 2026-01-31T12:00:00Z."))?;
            Timestamp(at.as_millisecond())
        }
    };
    let mut job = Job {
        component: declared
            .component()
            .map_or_else(String::new, |component| component.sha256.clone()),
        action: operation.run.clone(),
        input: Value::Object(declared.input(&example.input)?),
        now,
        key: example
            .signs_with
            .as_ref()
            .map(|key| SigningKey::new(&key.id, &key.secret)),
        ..Job::default()
    };
    for (place, exchange) in example.exchanges.iter().enumerate() {
        let place = place + 1;
        let asked = match run(job.clone()).await.end {
            Ending::Asks { asked, .. } => asked,
            Ending::Done(_) => {
                return Err(format!("It is done before its request {place}."));
            }
            Ending::Broke(broke) => return Err(format!("Request {place}: {}", broke.message)),
        };
        compare(exchange, &asked).map_err(|what| format!("Request {place}: {what}"))?;
        if !declared.may_send(&asked) {
            return Err(format!(
                "Request {place} writes, but the action only reads."
            ));
        }
        Arc::make_mut(&mut job.answered).push(Answered {
            digest: asked.digest(),
            at: now,
            answer: json!({
                "status": exchange.answer.status,
                "headers": exchange.answer.headers,
                "body": text(&exchange.answer.body),
            }),
        });
    }
    match run(job).await.end {
        Ending::Done(output) if output != example.output => Err(format!(
            "The output is {output}, but {} is expected.",
            example.output
        )),
        Ending::Done(output) => match fits(&operation.output, &output) {
            None => Ok(()),
            Some((at, message)) => Err(format!(
                "The output is not as it is declared, at `{at}`: {message}."
            )),
        },
        Ending::Asks { asked, .. } => Err(format!(
            "It asks for one request more: {} {}.",
            asked.method, asked.url
        )),
        Ending::Broke(broke) => Err(broke.message),
    }
}

/// Returns a body as a component has it.
fn text(body: &Value) -> String {
    match body {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        json => json.to_string(),
    }
}

fn compare(exchange: &Exchange, asked: &Asked) -> Result<(), String> {
    let expected = &exchange.request;
    let lower = |headers: &mut dyn Iterator<Item = (&str, &str)>| {
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), Value::from(value)));
        Value::Object(headers.collect::<Map<_, _>>())
    };
    let mut is = asked
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let mut was = expected
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let body = asked.body.clone().map_or(Value::Null, Value::from);
    let sent = match &expected.body {
        Value::Null => Value::Null,
        body => text(body).into(),
    };
    for (what, is, was) in [
        (
            "method",
            Value::from(asked.method.as_str()),
            Value::from(expected.method.word()),
        ),
        (
            "address",
            asked.url.as_str().into(),
            expected.url.as_str().into(),
        ),
        ("headers", lower(&mut is), lower(&mut was)),
        ("body", body, sent),
    ] {
        if is != was {
            return Err(format!("The {what} is {is}, but {was} is expected."));
        }
    }
    Ok(())
}

impl Default for Job {
    fn default() -> Self {
        Self {
            run: RunId::new(uuid::Uuid::nil()),
            component: String::new(),
            action: String::new(),
            input: json!({}),
            answered: Arc::default(),
            now: AT,
            key: None,
        }
    }
}
