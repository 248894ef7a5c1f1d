//! Two nodes against a bare QUIC stream and TCP, between processes on loopback.

use anyhow::{Context, Result, bail};
use odeon_bench::network::{self, Awake, CONTESTANTS, Measure, Nodes, Server};
use odeon_bench::options::Options;
use odeon_bench::rounds::Results;
use odeon_bench::spread::Spread;
use odeon_bench::table::{self, Aim, Wanted};
use odeon_bench::{apart, page};
use std::path::Path;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["sample", peer, measure, size, address, folder] => {
            let size = size.parse().with_context(|| format!("{size:?} is no number"))?;
            apart::answer(&network::sample(peer, measure, size, address, Path::new(folder))?);
            Ok(())
        }
        ["serve", peer, folder] => network::serve(peer, Path::new(folder)),
        ["spin"] => network::spin(),
        ["sample" | "serve", ..] => bail!("found {words:?}, which is no sample and no server"),
        _ => run(&Options::parse(words)?),
    }
}

fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    network::make_identity(folder.path())?;
    let nodes = Nodes::start()?;
    let at = folder.path().display().to_string();
    let servers = CONTESTANTS[1..].iter().map(|peer| Server::start(&[(*peer).to_owned(), at.clone()]));
    let servers = servers.collect::<Result<Vec<_>>>()?;

    let mut results = Results::new(CONTESTANTS);
    for (measure, when) in [
        (Measure::RoundTrip, "quiet"),
        (Measure::RoundTrip, "awake"),
        (Measure::OneWay, "quiet"),
        (Measure::OneWay, "awake"),
        (Measure::Large, "quiet"),
    ] {
        if !options.wants(&format!("{}-{when}", measure.name())) {
            continue;
        }
        let _awake = if when == "awake" { Some(Awake::start()?) } else { None };
        let size = measure.size(options);
        results.measure(options.rounds, measure.figures(when), |contestant| match contestant {
            0 => nodes.sample(measure, size),
            peer => {
                let address = servers[peer - 1].address.clone();
                apart::sample(&[
                    CONTESTANTS[peer].to_owned(),
                    measure.name().to_owned(),
                    size.to_string(),
                    address,
                    at.clone(),
                ])
            }
        })?;
    }
    let mut tables = vec![table::ratios(&results), table::figures(&results)];
    if options.only.is_empty() {
        let (rounds, bytes) = (Measure::RoundTrip.size(options) * 2, Measure::Large.size(options));
        let beside = (0..options.rounds).map(|_| nodes.beside(rounds, bytes)).collect::<Result<Vec<_>>>()?;
        tables.push(table::aims(&aims(&results, beside)));
    }
    page::publish("network", options, &tables)
}

fn aims(results: &Results, beside: Vec<f64>) -> Vec<Aim> {
    let mut aims = Vec::new();
    for when in ["quiet", "awake"] {
        let figure = format!("round trip, {when}, median");
        let found = results.median(&figure, "odeon").zip(results.median(&figure, "quinn"));
        let found = found.map(|(ours, theirs)| ours / theirs);
        aims.push(Aim { what: format!("{figure}: times quinn's"), found, wanted: Wanted::AtMost(1.25) });
    }
    let found = results.median("one way, quiet, messages/s", "odeon").map(|rate| rate / 1e6);
    aims.push(Aim { what: "one way, quiet: million messages/s".into(), found, wanted: Wanted::AtLeast(2.0) });
    let large = "50 MB there and back, quiet, median";
    let found = results.median(large, "odeon").zip(results.median(large, "quinn"));
    let found = found.map(|(ours, theirs)| ours / theirs);
    aims.push(Aim { what: format!("{large}: times quinn's"), found, wanted: Wanted::AtMost(1.5) });
    let quiet = results.median("round trip, quiet, 99th percentile", "odeon");
    let found = quiet.map(|quiet| Spread::of(&beside).map_or(f64::NAN, |s| s.median) / quiet);
    let what = "round trip beside 50 MB messages, 99th percentile: times the quiet one".into();
    aims.push(Aim { what, found, wanted: Wanted::AtMost(3.0) });
    aims
}
