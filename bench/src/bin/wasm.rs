//! An actor of an image against the same actor linked in.

use anyhow::{Context, Result, bail};
use odeon_bench::options::Options;
use odeon_bench::rounds::{Figure, Results};
use odeon_bench::table::{self, Aim, Wanted};
use odeon_bench::unit::Unit;
use odeon_bench::wasm::{self, CONTESTANTS, MEASURES};
use odeon_bench::{apart, page};
use std::path::Path;

fn main() -> Result<()> {
    if let Some(words) = apart::asked_for() {
        return answer(&words);
    }
    let options = Options::parse(std::env::args().skip(1))?;
    let folder = tempfile::tempdir()?;
    let place = folder.path().display().to_string();
    // The samples find the code compiled.
    wasm::load(folder.path())?;

    let mut results = Results::new(CONTESTANTS);
    for (name, measure) in MEASURES.iter().filter(|(name, _)| options.wants(name)) {
        results.measure(options.rounds, measure.figures(), |contestant| {
            let mut words = vec![(*name).to_owned(), CONTESTANTS[contestant].to_owned(), place.clone()];
            words.extend(options.quick.then(|| "--quick".to_owned()));
            apart::sample(&words)
        })?;
    }
    let mut image = Results::new(["image of examples/hello"]);
    if options.wants("load") {
        let figures = ["compile its code", "load its compiled code"].map(|name| Figure::new(name, Unit::Nanoseconds));
        image.measure(options.rounds, figures.into(), |_| apart::sample(&["load".to_owned()]))?;
    }
    let mut tables = vec![table::ratios(&results), table::figures(&results), table::figures(&image)];
    if options.only.is_empty() {
        tables.push(table::aims(&aims(&results)));
    }
    page::publish("wasm", &options, &tables)
}

fn answer(words: &[String]) -> Result<()> {
    let numbers = match words {
        [load] if load == "load" => wasm::load(tempfile::tempdir()?.path())?.to_vec(),
        [name, contestant, folder, options @ ..] => {
            let measure = MEASURES.iter().find(|(measure, _)| measure == name);
            let (_, measure) = measure.with_context(|| format!("no measure {name:?}"))?;
            let options = Options::parse(options.iter().cloned())?;
            wasm::sample(contestant, *measure, &options, Path::new(folder))?
        }
        _ => bail!("a sample needs a measure, a contestant and a folder, found {words:?}"),
    };
    apart::answer(&numbers);
    Ok(())
}

fn aims(results: &Results) -> Vec<Aim> {
    let figure = "receive and reply, median";
    let found = results.median(figure, "wasm").zip(results.median(figure, "native"));
    let found = found.map(|(wasm, native)| wasm - native);
    let more = Aim { what: format!("{figure}: ns more than native"), found, wanted: Wanted::AtMost(1000.0) };
    let at_most = |figure: &str, unit: &str, in_unit: f64, most: f64| Aim {
        what: format!("{figure}: {unit}"),
        found: results.median(figure, "wasm").map(|found| found / in_unit),
        wanted: Wanted::AtMost(most),
    };
    vec![
        more,
        at_most("create, mean", "us", 1000.0, 50.0),
        at_most("panic and rebuild, mean", "us", 1000.0, 100.0),
        at_most("an idle actor, bytes", "KiB", 1024.0, 24.0),
    ]
}
