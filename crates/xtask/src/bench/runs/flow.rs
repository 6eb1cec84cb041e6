//! The flows under load, and how they are published: through the server's own functions.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::postgres::Database;
use crate::command::{Context, Failure, Outcome};

/// A flow under load.
pub(super) struct Flow {
    /// What it is called.
    pub(super) name: &'static str,
    /// What it does, for the reader of `--peer`.
    pub(super) about: &'static str,
    /// What its webhook is called with.
    pub(super) body: &'static str,
    /// Whether the webhook answers when the flow has come to its end.
    pub(super) answers_at_end: bool,
    document: &'static str,
}

/// Webhook, set values, branch, loop of 10 with set values in each round.
pub(super) const ORDER: Flow = Flow {
    name: "order",
    about: "answers when accepted; set values, branch, loop of 10 with set values",
    body: include_str!("order.json"),
    answers_at_end: false,
    document: include_str!("order_flow.json"),
};

/// As [`ORDER`], with one more lane that is never taken: a request in it makes the flow one that does
/// not only compute, so that each run is claimed by a worker.
pub(super) const CLAIMED: Flow = Flow {
    name: "claimed",
    about: "as order, with one more lane that is never taken and holds a request",
    body: include_str!("order.json"),
    answers_at_end: false,
    document: include_str!("claimed_flow.json"),
};

/// Webhook, set values, branch, respond.
pub(super) const ANSWER: Flow = Flow {
    name: "answer",
    about: "set values, branch, answers through its last step",
    body: include_str!("order.json"),
    answers_at_end: true,
    document: include_str!("answer_flow.json"),
};

/// A flow that is live.
pub(super) struct Published {
    /// The integration's id.
    pub(super) integration: String,
    /// The path of its webhook; `@` and a file for several in turn.
    pub(super) path: String,
    /// What it is called with.
    pub(super) body: &'static str,
}

/// Sets the server up and publishes what is called when accepted, and what answers; returns who did,
/// too.
pub(super) fn publish(server: SocketAddr, database: &Database) -> Outcome<(Page, [Published; 2])> {
    let mut page = Page {
        server,
        cookie: String::new(),
    };
    page.call(
        "set_up",
        r#"{"organization":"Bench","name":"Bench","email":"bench@bench.example","password":"only-on-loopback-here"}"#,
    )?;
    let published = [
        page.publish_flow(database, &ORDER)?,
        page.publish_flow(database, &ANSWER)?,
    ];
    Ok((page, published))
}

/// A signed-in caller of server functions.
pub(super) struct Page {
    server: SocketAddr,
    cookie: String,
}

impl Page {
    /// Publishes one of the flows.
    pub(super) fn publish_flow(&mut self, database: &Database, flow: &Flow) -> Outcome<Published> {
        self.publish(database, flow.name, flow.document, flow.body)
    }

    /// Publishes a new integration.
    pub(super) fn publish(
        &mut self,
        database: &Database,
        name: &str,
        document: &str,
        body: &'static str,
    ) -> Outcome<Published> {
        let draft = self.call(
            "create_integration",
            &format!(r#"{{"name":"{name}","document":{document}}}"#),
        )?;
        self.call(
            "publish",
            &format!(r#"{{"id":{draft},"revision":1,"note":"For the bench","reason":"Nobody else is here"}}"#),
        )?;
        let row = database.query(&format!(
            "select integration_id, webhook_token from integration where name = '{name}'"
        ))?;
        let (integration, token) = row
            .split_once('|')
            .ok_or_else(|| Failure::new(format!("The flow {name} is not there.")))?;
        Ok(Published {
            integration: integration.to_owned(),
            path: format!("/hooks/{token}"),
            body,
        })
    }

    /// Calls a server function with JSON; returns the JSON of its answer.
    pub(super) fn call(&mut self, function: &str, body: &str) -> Outcome<String> {
        self.post(&format!("/api/{function}"), body)
    }

    /// Posts JSON to a path; returns the JSON of its answer.
    pub(super) fn post(&mut self, path: &str, body: &str) -> Outcome<String> {
        let doing = || format!("calling {path}");
        let body = body.trim();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncookie: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.server,
            self.cookie,
            body.len()
        );
        let mut answer = String::new();
        TcpStream::connect(self.server)
            .and_then(|mut stream| {
                stream.write_all(request.as_bytes())?;
                stream.read_to_string(&mut answer)
            })
            .context(doing)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        if !head.starts_with("HTTP/1.1 2") {
            return Err(Failure::new(format!("{path} was refused: {answer}")));
        }
        let cookie = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        if let Some((_, cookie)) = cookie {
            cookie
                .split(';')
                .next()
                .unwrap_or_default()
                .clone_into(&mut self.cookie);
        }
        Ok(body.to_owned())
    }
}
