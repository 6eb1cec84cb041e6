//! Resolves names for the HTTP client and leaves out every address that may not be reached.

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
            let name = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
            let reachable = filter(&guard, name, found)?;
            Ok(Box::new(reachable.into_iter()) as Addrs)
        })
    }
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
