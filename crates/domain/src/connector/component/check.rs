//! Whether what a connector says of its component can be taken.

use serde_json::Value;

use super::{HOSTS, NAME, REQUESTS};
use crate::connection;
use crate::connector::fault::Faults;
use crate::connector::{BodyType, Component, Connector, Declared, Example, Method, Operation};

/// Checks what a connector says of its component; the hash may still be missing.
pub(in crate::connector) fn check_component(faults: &mut Faults, connector: &Connector) {
    let runs = connector.actions.iter().any(Operation::has_logic);
    match &connector.component {
        Some(component) => {
            faults.expect(
                runs,
                "component",
                "No action is run by it. Give one a `run`, or leave the component out.",
            );
            let is_hash = component.sha256.is_empty() || is_hash(&component.sha256);
            check_parts(faults, component, is_hash);
        }
        None => faults.expect(
            !runs,
            "component",
            "An action is run by a component, but the connector has none.",
        ),
    }
}

/// Checks what a step carries of a component.
pub(in crate::connector) fn check_carried(faults: &mut Faults, declared: &Declared) {
    let runs = declared.operation().has_logic();
    match declared.component() {
        Some(component) if runs => check_parts(faults, component, is_hash(&component.sha256)),
        None if !runs => {}
        _ => faults.expect(
            false,
            "component",
            "An action has a component if it is run by one, and only then.",
        ),
    }
}

fn check_parts(faults: &mut Faults, component: &Component, is_hash: bool) {
    faults.within("component", |faults| {
        faults.expect(
            is_hash,
            "sha256",
            "Write the SHA-256 of the module as 64 lower-case hexadecimal digits, or leave it out.",
        );
        let hosts = &component.hosts;
        faults.expect(
            hosts.len() <= HOSTS,
            "hosts",
            format!("At most {HOSTS} can be named."),
        );
        for host in hosts.iter().take(HOSTS) {
            let is_origin = connection::origin(host).is_ok_and(|written| written == *host);
            faults.expect(
                is_origin,
                "hosts",
                "Write each as an origin, such as https://api.example.com, without a path.",
            );
        }
    });
}

/// Checks an action that a component runs: it is no request, so nothing of one is said.
pub(in crate::connector) fn check_run(faults: &mut Faults, operation: &Operation) {
    if !operation.has_logic() {
        return;
    }
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let is_name = operation.run.len() <= NAME && operation.run.bytes().all(is_sign);
    faults.expect(
        is_name,
        "run",
        format!("Use 1 to {NAME} letters, digits, `_`, `-` and dots."),
    );
    let is_bare = operation.method == Method::Get
        && operation.path.is_empty()
        && operation.base.is_empty()
        && operation.places.is_empty()
        && operation.headers.is_empty()
        && operation.body == BodyType::None
        && operation.expected_status == "2xx"
        && !operation.idempotent
        && operation.paging.is_none();
    faults.expect(
        is_bare,
        "run",
        "The component makes the requests of this action. Leave out base, method, path, places, headers, body, expected_status, idempotent and paging.",
    );
}

/// Checks that a recorded example is one of its action's kind.
pub(in crate::connector) fn check_example(
    faults: &mut Faults,
    operation: &Operation,
    example: &Example,
) {
    if operation.has_logic() {
        let is_own = example.request.is_none() && example.answer.is_none();
        faults.expect(
            is_own,
            "request",
            "A component asks for `exchanges`, and gives an `output`.",
        );
        faults.expect(
            example.exchanges.len() <= REQUESTS,
            "exchanges",
            format!("A step sends at most {REQUESTS} requests."),
        );
    } else {
        let is_own = example.exchanges.is_empty()
            && example.output == Value::Null
            && example.at.is_empty()
            && example.signs_with.is_none();
        faults.expect(
            is_own && example.request.is_some(),
            "request",
            "An action without logic has one `request`, and maybe an `answer`.",
        );
    }
}

fn is_hash(text: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 64 && text.bytes().all(is_digit)
}
