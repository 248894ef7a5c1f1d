//! Serving one image's process: started while there is something for it to do, given its work, and ended where it breaks
//! a bound. One task for each process; what it does never waits for an actor.

use super::child::Child;
use super::floor::{Floor, cut};
use super::image::Served;
use super::output::Printed;
use odeon::Failure;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Serves a process until nothing is asked of it any more.
pub(super) async fn serve(served: Served) {
    let process = served.0.clone();
    loop {
        if let Some(why) = process.retired() {
            process.fail(&why);
        } else {
            if let Some(at) = process.not_before() {
                tokio::time::sleep_until(at.into()).await;
            }
            let started = Instant::now();
            let printed = Printed { image: process.hash.clone(), actor: Arc::default() };
            match Child::start(&process, printed.clone()).await {
                Ok(child) => {
                    process.accounts.started(child.guard());
                    let mut floor = Floor::new(&served, child, printed);
                    let end = floor.run().await;
                    let why = floor.close(end).await;
                    process.accounts.ended();
                    if let Some(why) = why {
                        tracing::warn!(image = &*process.hash, "the process of {} ended: {why}", process.title);
                        process.died(started.elapsed());
                    }
                }
                Err(why) => {
                    tracing::warn!(image = &*process.hash, "the process of {} is not there: {why}", process.title);
                    process.died(Duration::ZERO);
                    process.fail(&Failure::passing(format!("its process is not there: {}", cut(&why))));
                }
            }
        }
        if served.rest() {
            return;
        }
    }
}
