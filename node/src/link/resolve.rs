//! From `host:port` to socket addresses.

use std::net::SocketAddr;

/// Addresses that one name is tried at, at most.
const ADDRESSES_MAX: usize = 8;

pub(crate) async fn resolve(address: &str) -> Result<Vec<SocketAddr>, String> {
    let found = tokio::net::lookup_host(address).await.map_err(|e| format!("cannot resolve {address:?}: {e}"))?;
    let found: Vec<_> = found.take(ADDRESSES_MAX).collect();
    if found.is_empty() { Err(format!("{address:?} resolves to no address")) } else { Ok(found) }
}
