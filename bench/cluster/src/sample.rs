//! What is measured, from the side that connects.

use crate::actors::{Letter, ToEcho, ToSink};
use crate::node::{ECHO, SINK, connect, find};
use anyhow::{Context, Result, bail, ensure};
use odeon_bench::exchange::{LARGE_ROUNDS, WARM_UP, letter, number, round_trips};
use odeon_bench::spread::quantile;
use ractor::{ActorRef, call};
use std::net::SocketAddr;
use std::time::Instant;

/// Letters that are sent before others have their turn: as many as the actor of Odeon sends at once.
const BURST: u64 = 512;

/// One sample of a measure, from the server at this address.
pub(crate) async fn take(measure: &str, size: u64, address: SocketAddr) -> Result<Vec<f64>> {
    connect(address).await?;
    match measure {
        "round-trip" => rounds(find(ECHO)?, size).await,
        "one-way" => one_way(find(SINK)?, size).await,
        "large" => large(find(ECHO)?, size).await,
        _ => bail!("no measure {measure:?}"),
    }
}

/// Median and 99th percentile of nanoseconds that so many letters take there and back, one after the other.
async fn rounds(echo: ActorRef<ToEcho>, rounds: u64) -> Result<Vec<f64>> {
    let mut took = Vec::with_capacity(rounds as usize);
    let warm_up = rounds / WARM_UP;
    for round in 0..warm_up + rounds {
        let sent = Instant::now();
        let Letter(back) = call!(echo, ToEcho::Letter, Letter(letter(round).to_vec())).context("no answer")?;
        if round >= warm_up {
            took.push(sent.elapsed().as_nanos() as u64);
        }
        ensure!(number(&back) == Some(round), "letter {round} came back as {:?}", number(&back));
    }
    Ok(round_trips(took))
}

/// Letters in a second.
async fn one_way(sink: ActorRef<ToSink>, letters: u64) -> Result<Vec<f64>> {
    call!(sink, ToSink::Begin).context("the sink does not answer")?;
    let started = Instant::now();
    for number in 0..letters {
        sink.cast(ToSink::Letter(Letter(letter(number).to_vec())))?;
        if number % BURST == BURST - 1 {
            tokio::task::yield_now().await;
        }
    }
    let arrived = call!(sink, ToSink::InOrder).context("the sink does not answer")?;
    ensure!(arrived == letters, "{arrived} of {letters} letters arrived in order");
    Ok(vec![letters as f64 / started.elapsed().as_secs_f64()])
}

/// The median of nanoseconds that so many bytes take there and back.
async fn large(echo: ActorRef<ToEcho>, bytes: u64) -> Result<Vec<f64>> {
    let message = vec![0x5a; bytes as usize];
    let mut took = Vec::new();
    for round in 0..=LARGE_ROUNDS {
        let letter = Letter(message.clone());
        let sent = Instant::now();
        let Letter(back) = call!(echo, ToEcho::Letter, letter).context("no answer")?;
        if round > 0 {
            took.push(sent.elapsed().as_nanos() as u64);
        }
        ensure!(back == message, "something else came back");
    }
    Ok(vec![quantile(&mut took, 0.5)])
}
