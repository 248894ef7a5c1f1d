//! Decisions of a leader on who hosts an actor.

use anyhow::{Context, Result, bail};
use odeon_bench::options::Options;
use odeon_bench::placement::{self, CONTESTANTS};
use odeon_bench::rounds::Results;
use odeon_bench::table::{self, Aim, Wanted};
use odeon_bench::{apart, page};

/// The fleet of which it is wanted.
const WANTED_OF: (u64, u64) = (10_000, 40);
/// What is wanted of it, in thousand decisions a second.
const AIMS: [(&str, f64); 3] = [("steady", 100.0), ("changing", 20.0), ("asking anew", 20.0)];

fn main() -> Result<()> {
    if let Some(words) = apart::asked_for() {
        return answer(&words);
    }
    let options = Options::parse(std::env::args().skip(1))?;
    let mut results = Results::new(CONTESTANTS);
    for (name, _) in placement::measures().filter(|(name, _)| options.wants(name)) {
        results.measure(options.rounds, placement::figures(&name), |contestant| {
            let mut words = vec![name.clone(), CONTESTANTS[contestant].to_owned()];
            words.extend(options.quick.then(|| "--quick".to_owned()));
            apart::sample(&words)
        })?;
    }
    let mut tables = vec![table::figures(&results)];
    if options.only.is_empty() {
        tables.push(table::aims(&aims(&results)));
    }
    page::publish("placement", &options, &tables)
}

fn answer(words: &[String]) -> Result<()> {
    let [name, contestant, options @ ..] = words else {
        bail!("a sample needs a measure and a strategy, found {words:?}")
    };
    let measure = placement::measures().find(|(measure, _)| measure == name);
    let (_, measure) = measure.with_context(|| format!("no measure {name:?}"))?;
    apart::answer(&placement::sample(measure, contestant, &Options::parse(options.iter().cloned())?)?);
    Ok(())
}

fn aims(results: &Results) -> Vec<Aim> {
    let (members, maps) = WANTED_OF;
    let mut aims = Vec::new();
    for (between, thousands) in AIMS {
        for strategy in CONTESTANTS {
            let name = placement::named(between, members, maps);
            let found = |figure: &str, unit: f64| Some(results.median(&format!("{name}: {figure}"), strategy)? / unit);
            aims.push(Aim {
                what: format!("{name}, {strategy}: thousand decisions/s"),
                found: found("decisions/s", 1e3),
                wanted: Wanted::AtLeast(thousands),
            });
            aims.push(Aim {
                what: format!("{name}, {strategy}: 99th percentile, ms"),
                found: found("99th percentile", 1e6),
                wanted: Wanted::AtMost(1.0),
            });
        }
    }
    aims
}
