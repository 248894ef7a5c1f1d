//! From the addresses that a node says it has to those that can be dialled.

use super::limits::ADDRESSES_MAX;
use std::net::SocketAddr;

/// What a list of addresses is separated by, in one text. A list of one is that address.
pub(crate) const SEPARATOR: char = ',';

/// Resolves `host:port`, or several of these, in their order. Those that cannot be resolved are left out as long as
/// another can.
pub(crate) async fn resolve(addresses: &str) -> Result<Vec<SocketAddr>, String> {
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for address in addresses.split(SEPARATOR) {
        match tokio::net::lookup_host(address).await {
            Ok(more) => found.extend(more),
            Err(error) => failed.push(format!("cannot resolve {address:?}: {error}")),
        }
    }
    found.truncate(ADDRESSES_MAX);
    match (found.is_empty(), failed.is_empty()) {
        (false, _) => Ok(found),
        (true, false) => Err(failed.join("; ")),
        (true, true) => Err(format!("{addresses:?} resolves to no address")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_list_is_resolved_in_its_order_without_what_cannot_be() {
        let resolved = resolve("10.0.0.1:1,[::1]:2,no port,10.0.0.2:3").await;
        let expected: Vec<SocketAddr> = ["10.0.0.1:1", "[::1]:2", "10.0.0.2:3"].map(|a| a.parse().unwrap()).to_vec();
        assert_eq!(resolved, Ok(expected));
        assert!(resolve("no port").await.unwrap_err().contains("no port"));
        let many = ["10.0.0.1:1"; ADDRESSES_MAX + 1].join(",");
        assert_eq!(resolve(&many).await.unwrap().len(), ADDRESSES_MAX);
    }
}
