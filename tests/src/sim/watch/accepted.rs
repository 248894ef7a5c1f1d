//! An actor is launched only where the node accepts it at that moment.

use super::{Checker, Seen};

#[derive(Debug)]
pub(super) struct HostAccepts;

impl Checker for HostAccepts {
    fn name(&self) -> &'static str {
        "the host accepts its actor"
    }

    fn observe(&mut self, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::Launching { host, request, accepts: false } => Err(format!("{host} launches {request:?}")),
            _ => Ok(()),
        }
    }
}
