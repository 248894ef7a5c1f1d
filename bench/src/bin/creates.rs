//! Creations on real nodes, against the same messages over bare QUIC.

use anyhow::Result;
use odeon_bench::creates::{self, CONTESTANTS, Fleet, Floor, Measure};
use odeon_bench::options::Options;
use odeon_bench::rounds::Results;
use odeon_bench::table::{self, Aim, Wanted};
use odeon_bench::{apart, network, page};

/// Creations a second that a convention is to acknowledge at least.
const AIM_PER_SECOND: f64 = 4_000.0;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["sample", ref words @ ..] => {
            apart::answer(&creates::sample(words)?);
            Ok(())
        }
        ["serve", ref words @ ..] => creates::serve(words),
        _ => run(&Options::parse(words)?),
    }
}

fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    network::make_identity(folder.path())?;
    let fleet = Fleet::start(!options.quick)?;
    let floor = Floor::start(folder.path())?;
    let mut results = Results::new(CONTESTANTS);
    for measure in creates::measures().filter(|measure| options.wants(&measure.name())) {
        let size = measure.size(options);
        results.measure(options.rounds, measure.figures(), |contestant| match contestant {
            0 => fleet.sample(measure, size),
            _ => apart::sample(&floor.words(measure.hops(), size, measure.at_once)),
        })?;
    }
    let mut tables = vec![table::ratios(&results), table::figures(&results)];
    if options.only.is_empty() {
        tables.push(table::aims(&aims(&results)));
    }
    page::publish("creates", options, &tables)
}

fn aims(results: &Results) -> Vec<Aim> {
    let at_once = creates::measures().filter(|measure: &Measure| measure.at_once > 1);
    let aim = |measure: Measure| {
        let name = measure.name();
        let found = results.median(&format!("{name}: creations/s"), CONTESTANTS[0]);
        Aim { what: format!("{name}: creations/s"), found, wanted: Wanted::AtLeast(AIM_PER_SECOND) }
    };
    at_once.map(aim).collect()
}
