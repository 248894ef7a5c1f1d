//! An actor of an image against the same actor linked in.

use anyhow::{Context, Result, bail};
use odeon_bench::options::Options;
use odeon_bench::rounds::{Figure, Results};
use odeon_bench::table::{self, Aim, Wanted};
use odeon_bench::unit::Unit;
use odeon_bench::wasm::{self, CONTESTANTS, MEASURES, PARKED};
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
    let mut image = Results::new(["wasm"]);
    for (word, figures) in of_images().into_iter().filter(|(word, _)| options.wants(word)) {
        let mut words = vec![word.to_owned(), place.clone()];
        words.extend(options.quick.then(|| "--quick".to_owned()));
        image.measure(options.rounds, figures, |_| apart::sample(&words))?;
    }
    let mut tables = vec![table::ratios(&results), table::figures(&results), table::figures(&image)];
    if options.only.is_empty() {
        tables.push(table::aims(&aims(&results, &image)));
    }
    page::publish("wasm", &options, &tables)
}

fn answer(words: &[String]) -> Result<()> {
    let numbers = match words {
        [word, folder, options @ ..] if of_images().iter().any(|(of_image, _)| of_image == word) => {
            let (options, folder) = (Options::parse(options.iter().cloned())?, Path::new(folder));
            match word.as_str() {
                "load" => wasm::load(tempfile::tempdir()?.path())?,
                "parked" => wasm::parked(&options, folder)?,
                _ => wasm::rebuild(&options, folder)?,
            }
        }
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

const COMPILE: &str = "compile the code of examples/hello";
const LOAD: &str = "load its compiled code";
const CODE: &str = "its code, bytes";
const REBUILD: &str = "trap and be built anew, mean";

/// What is measured of images alone, each with the word that names it to a sample.
fn of_images() -> [(&'static str, Vec<Figure>); 3] {
    let time = |name: &str| Figure::new(name, Unit::Nanoseconds);
    [
        ("load", vec![time(COMPILE), time(LOAD), Figure::new(CODE, Unit::Bytes)]),
        ("rebuild", vec![time(REBUILD)]),
        (
            "parked",
            vec![
                Figure::new(parked("an idle actor, bytes"), Unit::Bytes),
                Figure::new(parked("after its first message, bytes"), Unit::Bytes),
                Figure::new(parked("mappings"), Unit::Count),
            ],
        ),
    ]
}

fn parked(what: &str) -> String {
    format!("{PARKED} parked: {what}")
}

fn aims(results: &Results, image: &Results) -> Vec<Aim> {
    let figure = "receive and reply, median";
    let found = results.median(figure, "wasm").zip(results.median(figure, "native"));
    let more = found.map(|(wasm, native)| wasm - native);
    let of_image = |figure: &str| image.median(figure, "wasm");
    let create = results.median("create, mean", "wasm");
    let (shared, idle) = (results.median("an idle actor, bytes", "shared"), of_image(&parked("an idle actor, bytes")));
    let at_most = |what: &str, found: Option<f64>, most: f64| {
        let what = what.to_owned();
        Aim { what, found, wanted: Wanted::AtMost(most) }
    };
    vec![
        at_most("receive and reply, median: ns more than native", more, 1000.0),
        at_most("create: us", create.map(|ns| ns / 1e3), 50.0),
        at_most("trap and be built anew: us", of_image(REBUILD).map(|ns| ns / 1e3), 100.0),
        at_most(&parked("KiB of an idle actor"), idle.map(|bytes| bytes / 1024.0), 24.0),
        at_most("an idle actor of a shared instance: bytes", shared, 1024.0),
        at_most("code of examples/hello: kB", of_image(CODE).map(|bytes| bytes / 1e3), 60.0),
        at_most("load: part of compile", of_image(LOAD).zip(of_image(COMPILE)).map(|(l, c)| l / c), 0.1),
    ]
}
