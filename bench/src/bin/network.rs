//! Two nodes against a bare QUIC stream, TCP and another library's nodes, between processes on loopback.

use anyhow::{Context, Result, bail};
use odeon_bench::network::{self, Awake, CLUSTER, CONTESTANTS, Measure, Nodes, Peer};
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
    let peers = CONTESTANTS[1..].iter().map(|peer| Peer::start(peer, folder.path())).collect::<Result<Vec<_>>>()?;

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
            peer => peers[peer - 1].sample(measure, size),
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
    let ours_by = |figure: &str, peer: &str| {
        let found = results.median(figure, "odeon").zip(results.median(figure, peer));
        found.map(|(ours, theirs)| ours / theirs)
    };
    for when in ["quiet", "awake"] {
        let figure = format!("round trip, {when}, median");
        let found = ours_by(&figure, "quinn");
        aims.push(Aim { what: format!("{figure}: times quinn's"), found, wanted: Wanted::AtMost(1.25) });
    }
    let rate = "one way, quiet, messages/s";
    let found = results.median(rate, "odeon").map(|rate| rate / 1e6);
    aims.push(Aim { what: "one way, quiet: million messages/s".into(), found, wanted: Wanted::AtLeast(2.0) });
    let found = ours_by(rate, CLUSTER);
    aims.push(Aim { what: format!("{rate}: times {CLUSTER}'s"), found, wanted: Wanted::AtLeast(8.0) });
    let large = "50 MB there and back, quiet, median";
    let found = ours_by(large, "quinn");
    aims.push(Aim { what: format!("{large}: times quinn's"), found, wanted: Wanted::AtMost(1.5) });
    let quiet = results.median("round trip, quiet, 99th percentile", "odeon");
    let found = quiet.map(|quiet| Spread::of(&beside).map_or(f64::NAN, |s| s.median) / quiet);
    let what = "round trip beside 50 MB messages, 99th percentile: times the quiet one".into();
    aims.push(Aim { what, found, wanted: Wanted::AtMost(3.0) });
    aims
}
