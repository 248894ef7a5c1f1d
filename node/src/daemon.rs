//! Assembles a node and runs it until it is told to stop.
//!
//! A node whose convention took it for dead starts again inside the same process, as a new incarnation: its actors
//! were declared gone, so none of them may go on.

mod wiring;

use crate::admin::AdminSocket;
use crate::admin::protocol::Failed;
use crate::backend::{NodeBackend, failed};
use crate::cli::up::UpOptions;
use crate::driver::{Driver, EVENTS_MAX, End, Event, Means};
use crate::hosting::Hosting;
use crate::identity::{self, DataFolder, Identity, IdentityError, Token, Tokens};
use crate::ledger::{Ledger, RedbLedger};
use crate::link::{LinkConfig, Links};
use crate::logs::{self, ActorLog, Outbox};
use crate::shipping;
use crate::store::Store;
use crate::test_actor::TestActor;
use crate::transfer::Images;
use crate::wasm::{WasmLimits, WasmRuntime};
use odeon::system::System;
use odeon::{NodeRef, Registry};
use odeon_convention::leader::{Leader, LeaderConfig, Operation};
use odeon_convention::member::{Member, MemberConfig};
use odeon_convention::record::Record;
use odeon_convention::types::{Load, NativeActor, NodeFacts, Role};
use odeon_convention::codes;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use wiring::Wiring;

/// How long a start waits for the leader's word before it calls itself ready without it.
const JOIN_WAIT: Duration = Duration::from_secs(5);
/// How long actors may take to exit when the node stops.
const EXIT_MAX: Duration = Duration::from_secs(5);
/// Threads for links and commands; actors have their own.
const IO_THREADS: usize = 2;

/// Runs a node until SIGINT, SIGTERM or `odeon shutdown`.
pub fn run(options: UpOptions, registry: Registry) -> Result<(), Failed> {
    let registry = registry.with::<TestActor>();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(IO_THREADS)
        .thread_name("odeon-io")
        .enable_all()
        .build()
        .map_err(|e| failed(codes::INTERNAL, e.to_string()))?;
    let ended = runtime.block_on(async {
        let mut announce = true;
        loop {
            match run_once(&options, &registry, announce).await? {
                End::Left => return Ok(()),
                End::Rejected { code, reason } => return Err(failed(code, reason)),
                End::StartAgain(reason) => {
                    tracing::warn!(reason, "the convention took this node for gone: it starts again");
                    announce = false;
                }
            }
        }
    });
    // A native check that never ends must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}
