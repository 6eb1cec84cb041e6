//! Resolves names and leaves out every address that may not be reached.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{Guard, Refusal};

/// The system's resolver behind a [`Guard`].
pub(crate) struct GuardedResolver {
    guard: Arc<Guard>,
}

impl GuardedResolver {
    pub(crate) fn new(guard: Arc<Guard>) -> Self {
        Self { guard }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.guard);
        Box::pin(async move {
            let reachable = reachable(&guard, name.as_str()).await?;
            Ok(Box::new(reachable.into_iter()) as Addrs)
        })
    }
}

/// Returns the addresses of a name that may be reached, with port 0.
///
/// # Errors
/// A [`Refusal`] when it has addresses but none may be reached; else what the resolver said.
pub(super) async fn reachable(
    guard: &Guard,
    name: &str,
) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
    Ok(filter(guard, name, found)?)
}

/// Keeps the addresses that may be reached; refuses when there were some but none may.
pub(super) fn filter(
    guard: &Guard,
    name: &str,
    mut found: Vec<SocketAddr>,
) -> Result<Vec<SocketAddr>, Refusal> {
    if !guard.allows_name(name) {
        let any = !found.is_empty();
        found.retain(|address| guard.may_reach(address.ip()));
        if any && found.is_empty() {
            return Err(Refusal::Private(name.to_owned()));
        }
    }
    Ok(found)
}
