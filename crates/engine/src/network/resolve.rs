//! Resolves names and leaves out every address that may not be reached.

use std::error::Error;
use std::net::SocketAddr;

use super::{Form, Guard, Refusal};

/// Returns the addresses of a name that may be reached, with port 0.
///
/// # Errors
/// A [`Refusal`] when it has addresses but none may be reached; else what the resolver said.
pub(super) async fn reachable(
    guard: &Guard,
    name: &str,
    form: Form,
) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    #[cfg(test)]
    if let Some(names) = guard.names {
        return Ok(filter(guard, name, names(name), form)?);
    }
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
    Ok(filter(guard, name, found, form)?)
}

/// Keeps the addresses that may be reached in a form; refuses when there were some but none may.
pub(super) fn filter(
    guard: &Guard,
    name: &str,
    mut found: Vec<SocketAddr>,
    form: Form,
) -> Result<Vec<SocketAddr>, Refusal> {
    guard.check_name(name, form)?;
    if guard.allows_name(name) || found.is_empty() {
        return Ok(found);
    }
    let would = |address: &SocketAddr| guard.may_reach(address.ip(), Form::Encrypted);
    let only_form = found.iter().any(would);
    found.retain(|address| guard.may_reach(address.ip(), form));
    match found.is_empty() {
        false => Ok(found),
        true if only_form => Err(Refusal::Plain(name.to_owned())),
        true => Err(Refusal::Private(name.to_owned())),
    }
}
