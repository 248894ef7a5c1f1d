//! Creations by commands: each is a connection to the socket in the asker's folder, as `odeon create` makes one.

use super::fleet::{Made, NAMES};
use super::{COMMANDS, HOSTS, figures_of};
use crate::network::runtime;
use anyhow::{Context, Result, bail, ensure};
use odeon::{Address, Requirements};
use odeon_convention::types::Placement;
use odeon_node::admin::Route;
use odeon_node::admin::protocol::{CreateArguments, CreatedItem, Reply, Request};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long the actors may take to end.
const END_MAX: Duration = Duration::from_secs(30);
const END_LOOK: Duration = Duration::from_millis(20);

async fn ask(route: &Route, request: &Request) -> Result<Reply> {
    let failed = |failed: odeon_node::admin::protocol::Failed| anyhow::anyhow!("{}: {}", failed.code, failed.message);
    let mut answers = route.ask(request).await.map_err(failed)?;
    answers.next().await.map_err(failed)?.context("no answer")
}

fn route(folder: &Path) -> Route {
    Route::Socket { data: folder.to_owned() }
}

/// Does something so often, so many at once, and gives what each gave.
async fn each<T: Send + 'static, F: Future<Output = Result<T>> + Send + 'static>(
    times: u64,
    at_once: u64,
    one: impl Fn(u64) -> F + Clone + Send + 'static,
) -> Result<Vec<T>> {
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..at_once.min(times) {
        let (next, one) = (next.clone(), one.clone());
        workers.spawn_local(async move {
            let mut all = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= times {
                    return Ok::<_, anyhow::Error>(all);
                }
                all.push(one(number).await?);
            }
        });
    }
    let mut all = Vec::new();
    while let Some(worker) = workers.join_next().await {
        all.extend(worker??);
    }
    Ok(all)
}

/// Creates so many actors, and gives their addresses.
pub(super) fn make(asker: &Path, placement: Placement, actors: u64, at_once: u64) -> Result<(Made, Vec<Address>)> {
    let route = route(asker);
    let request = Request::Create(Box::new(CreateArguments {
        image: None,
        actor: "Hosted".to_owned(),
        requirements: Requirements::none().require(HOSTS),
        placement,
        on: None,
        global_name: None,
        argument: None,
        distinct: None,
    }));
    let one = move |_| {
        let (route, request) = (route.clone(), request.clone());
        async move {
            let asked = Instant::now();
            let Reply::Created(CreatedItem { address, node }) = ask(&route, &request).await? else {
                bail!("a creation has another answer")
            };
            let host = NAMES.iter().position(|name| *name == node).with_context(|| format!("created on {node}"))?;
            Ok((asked.elapsed().as_nanos() as u64, address, host))
        }
    };
    let started = Instant::now();
    let made = tokio::task::LocalSet::new().block_on(&runtime()?, each(actors, at_once, one))?;
    let seconds = started.elapsed().as_secs_f64();
    let on = |host: usize| made.iter().filter(|(_, _, on)| *on == host).count() as u64;
    let on_hosts = [on(0), on(1)];
    let figures = figures_of(seconds, made.iter().map(|(took, ..)| *took).collect());
    Ok((Made { figures, on_hosts }, made.into_iter().map(|(_, address, _)| address).collect()))
}

/// Stops actors and waits until both hosts have none left.
pub(super) fn stop(asker: &Path, leader: &Path, actors: &[Address]) -> Result<()> {
    let (asker, leader) = (route(asker), route(leader));
    let actors: Arc<[Address]> = actors.into();
    let stop = {
        let actors = actors.clone();
        move |number| {
            let (asker, actors) = (asker.clone(), actors.clone());
            async move { ask(&asker, &Request::Stop { address: actors[number as usize] }).await.map(|_| ()) }
        }
    };
    tokio::task::LocalSet::new().block_on(&runtime()?, async {
        each(actors.len() as u64, COMMANDS, stop).await?;
        let begun = Instant::now();
        for name in NAMES {
            while has_actors(&leader, name).await? {
                ensure!(begun.elapsed() < END_MAX, "after {END_MAX:?} actors are left on {name}");
                tokio::time::sleep(END_LOOK).await;
            }
        }
        Ok(())
    })
}

async fn has_actors(leader: &Route, node: &str) -> Result<bool> {
    match ask(leader, &Request::Actors { node: Some(node.to_owned()) }).await? {
        Reply::Actors(actors) => Ok(actors.iter().any(|actor| actor.actor == "Hosted")),
        other => bail!("a list of actors is {other:?}"),
    }
}
