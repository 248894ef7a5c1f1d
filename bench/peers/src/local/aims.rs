//! What we want to reach inside one process, as factors of the peers in the same run, and as bytes.

use odeon_bench::rounds::Results;
use odeon_bench::table::{Aim, Wanted};

/// Peers that share their work between two threads, as we do.
const ACTORS: [&str; 3] = ["ractor", "kameo", "actix, 2 arbiters"];
/// And those without the price of that, or of an actor: a single thread, and the bare channel.
const ALL: [&str; 5] = ["tokio mpsc", "ractor", "kameo", "actix, 2 arbiters", "actix, 1 arbiter"];

/// The aims, with what these results say of them.
pub fn aims(results: &Results) -> Vec<Aim> {
    let mut aims = Vec::new();
    let mut than = |figure: &str, whom: &str, peers: &[&str], least: f64| {
        let row = results.rows.iter().find(|(f, _)| f.name == figure);
        let found = row.and_then(|(figure, _)| {
            let ours = results.median(&figure.name, "odeon")?;
            let theirs = peers.iter().filter_map(|peer| results.median(&figure.name, peer));
            theirs.map(|theirs| figure.unit.advantage(ours, theirs)).reduce(f64::min)
        });
        aims.push(Aim { what: format!("{figure}: times {whom}"), found, wanted: Wanted::AtLeast(least) });
    };
    for figure in ["tell, messages/s", "fan-in of 8, messages/s"] {
        than(figure, "ractor", &["ractor"], 3.0);
        than(figure, "actix with 2 arbiters", &["actix, 2 arbiters"], 2.0);
    }
    for (figure, least) in [("ring of 1,000, hops/s", 1.5), ("ping-pong, rounds/s", 1.5), ("ask, median", 1.0)] {
        than(figure, "the best of the actors on 2 threads", &ACTORS, least);
        than(figure, "the best of all", &ALL, least);
    }
    than("spawn until running, actors/s", "actix with 2 arbiters", &["actix, 2 arbiters"], 1.0);
    for (figure, most) in [("an idle actor, bytes", 700.0), ("after its first message, bytes", 1024.0)] {
        let found = results.median(figure, "odeon");
        aims.push(Aim { what: figure.to_owned(), found, wanted: Wanted::AtMost(most) });
    }
    aims
}
