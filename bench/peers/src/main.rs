//! Odeon against ractor, kameo, actix and plain tokio channels inside one process.

use anyhow::{Context, Result};
use odeon_bench::options::Options;
use odeon_bench::rounds::Results;
use odeon_bench::{apart, page, table};
use odeon_bench_peers::local::{CONTESTANTS, MEASURES, aims, sample};

fn main() -> Result<()> {
    if let Some(words) = apart::asked_for() {
        let [measure, contestant, options @ ..] = &words[..] else {
            anyhow::bail!("a sample needs a measure and a contestant, found {words:?}");
        };
        let named = MEASURES.iter().find(|(name, _)| name == measure);
        let (_, measure) = named.with_context(|| format!("no measure {measure:?}"))?;
        apart::answer(&sample(contestant, *measure, &Options::parse(options.iter().cloned())?)?);
        return Ok(());
    }
    let options = Options::parse(std::env::args().skip(1))?;
    let mut results = Results::new(CONTESTANTS);
    for (name, measure) in MEASURES.iter().filter(|(name, _)| options.wants(name)) {
        results.measure(options.rounds, measure.figures(), |contestant| {
            let mut words = vec![(*name).to_owned(), CONTESTANTS[contestant].to_owned()];
            words.extend(options.quick.then(|| "--quick".to_owned()));
            apart::sample(&words)
        })?;
    }
    let mut tables = vec![table::ratios(&results), table::figures(&results)];
    if options.only.is_empty() {
        tables.push(table::aims(&aims(&results)));
    }
    page::publish("local", &options, &tables)
}
