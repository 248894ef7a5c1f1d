//! Looking up names, of which only those are looked up that are granted: in place of the engine's own, which knows all
//! names or none.

use super::inside::Inside;
use std::collections::HashMap;
use std::net::IpAddr;
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{
    self, Host, HostResolveAddressStream, IpAddress, Network, ResolveAddressStream,
};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, HostNetwork};
use wasmtime_wasi::p2::{DynPollable, IoError, SocketError, SocketResult};
use wasmtime_wasi::sockets::WasiSocketsView;

/// The lookups of one instance that are under way, by the number of what gives the addresses: under which grants.
pub(super) type Lookups = HashMap<u32, Vec<usize>>;

/// Puts these in place of what the linker has for it.
pub(super) fn link(linker: &mut Linker<Inside>) -> Result<()> {
    linker.allow_shadowing(true);
    ip_name_lookup::add_to_linker::<Inside, HasSelf<Inside>>(linker, |inside| inside)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl Host for Inside {
    fn resolve_addresses(
        &mut self,
        network: Resource<Network>,
        name: String,
    ) -> SocketResult<Resource<ResolveAddressStream>> {
        let under = self.doors().of_name(&name);
        // An address stands for itself; whether one may connect to it is looked at then.
        let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        if under.is_empty() && !is_address {
            return Err(ErrorCode::AccessDenied.into());
        }
        let found = self.sockets().resolve_addresses(network, name)?;
        self.lookups.insert(found.rep(), if is_address { Vec::new() } else { under });
        Ok(found)
    }
}

impl HostResolveAddressStream for Inside {
    fn resolve_next_address(&mut self, found: Resource<ResolveAddressStream>) -> SocketResult<Option<IpAddress>> {
        let number = found.rep();
        let next = self.sockets().resolve_next_address(found)?;
        if let (Some(address), Some(under)) = (next, self.lookups.get(&number)) {
            self.doors().found(address_of(address), under);
        }
        Ok(next)
    }

    fn subscribe(&mut self, found: Resource<ResolveAddressStream>) -> Result<Resource<DynPollable>> {
        self.sockets().subscribe(found)
    }

    fn drop(&mut self, found: Resource<ResolveAddressStream>) -> Result<()> {
        self.lookups.remove(&found.rep());
        HostResolveAddressStream::drop(&mut self.sockets(), found)
    }
}

// What the interface above is made of: as the engine has it.

impl network::Host for Inside {
    fn convert_error_code(&mut self, error: SocketError) -> Result<ErrorCode> {
        self.sockets().convert_error_code(error)
    }

    fn network_error_code(&mut self, error: Resource<IoError>) -> Result<Option<ErrorCode>> {
        self.sockets().network_error_code(error)
    }
}

impl HostNetwork for Inside {
    fn drop(&mut self, network: Resource<Network>) -> Result<()> {
        HostNetwork::drop(&mut self.sockets(), network)
    }
}

fn address_of(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => [a, b, c, d].into(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => [a, b, c, d, e, f, g, h].into(),
    }
}
