//! The data of an instance's store: what every instance has, and its WASI, made of what it is granted.

use super::doors::Doors;
use super::names::Lookups;
use super::output::Printed;
use crate::grants::{Reach, path_of};
use crate::wasm::guest::{Guest, Stream};
use crate::wasm::limits::RANDOM_BYTES_MAX;
use odeon::Failure;
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// Files, connections, streams and what else of WASI an instance may hold at the same time.
const HANDLES_MAX: usize = 128;

/// What an instance is granted, opened for it alone.
pub(super) struct Outside {
    wasi: WasiCtx,
    doors: Arc<Doors>,
    printed: Printed,
}

/// The data of an instance's store.
pub(super) struct Inside {
    pub(super) guest: Guest,
    outside: Outside,
    table: ResourceTable,
    pub(super) lookups: Lookups,
}

impl Outside {
    /// Opens the folders; may wait for a disk.
    pub(super) fn new(reach: Reach) -> Result<Self, Failure> {
        let (doors, printed) = (Arc::new(Doors::new(reach.outbound)), Printed::default());
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(printed.stream(Stream::Output)).stderr(printed.stream(Stream::Error));
        wasi.envs(&reach.variables).max_random_size(RANDOM_BYTES_MAX);
        for folder in reach.folders {
            let access = if folder.write { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(path_of(&folder.place), &folder.name, access)
                .map_err(|error| Failure::new(format!("the folder {} cannot be opened: {error:#}", folder.name)))?;
        }
        let guard = doors.clone();
        wasi.allow_tcp(!doors.is_empty()).allow_ip_name_lookup(!doors.is_empty()).allow_udp(false);
        wasi.socket_addr_check(move |address, purpose| {
            let passes = guard.let_through(address, purpose);
            Box::pin(std::future::ready(passes))
        });
        Ok(Self { wasi: wasi.build(), doors, printed })
    }
}

impl Inside {
    pub(super) fn new(guest: Guest, outside: Outside) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        Self { guest, outside, table, lookups: Lookups::default() }
    }

    /// Ends a call: what was printed is logged, and the host is let go.
    pub(super) fn end(&mut self) {
        for (stream, bytes) in self.outside.printed.take() {
            // The streams are bounded; what a message hands to the node besides may leave less.
            if self.guest.print(stream, &bytes).is_err() {
                break;
            }
        }
        self.guest.end();
    }

    /// Where its connections may go.
    pub(super) fn doors(&self) -> &Doors {
        &self.outside.doors
    }
}

impl AsMut<Guest> for Inside {
    fn as_mut(&mut self) -> &mut Guest {
        &mut self.guest
    }
}

impl WasiView for Inside {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.outside.wasi, table: &mut self.table }
    }
}
