//! The simulator over fixed seeds, and over the mistakes that its checkers have to notice.
//!
//! `ODEON_SIM_SEED=n` runs that seed alone; `ODEON_SIM_SEEDS=n` runs so many; `ODEON_SIM_MEMBERS=n` is the size of the
//! large runs.
#![allow(clippy::unwrap_used)]

use odeon_tests::sim::{Broken, Failure, Options, Report, run};

const FIRST_SEED: u64 = 1;
const SEEDS: u64 = 80;
/// Of the large runs.
const MEMBERS: u32 = 2_000;
const LARGE_SEEDS: u64 = 4;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is not a number")))
}

/// What happened in many runs together.
#[derive(Default)]
struct Wild {
    seeds: u64,
    /// Of these, runs in which too little happened.
    tame: u64,
    crashes: u64,
    moves: u64,
    stalls: u64,
    partitions: u64,
    news: u64,
    confirmed_by_all: u64,
    authorities: u64,
    authorities_gone: u64,
}

impl Wild {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.tame += u64::from(tame(report).is_some());
        self.crashes += report.leader_crashes;
        self.moves += report.leader_moves;
        self.stalls += report.leader_stalls;
        self.partitions += report.partitions;
        self.news += report.news;
        self.confirmed_by_all += report.confirmed_by_all;
        self.authorities += report.authorities;
        self.authorities_gone += report.authorities_gone;
    }
}

fn explore(seeds: impl Iterator<Item = u64>) -> Wild {
    let mut wild = Wild::default();
    for seed in seeds {
        match run(seed, &Options::default()) {
            Ok(report) => {
                println!("seed {seed}: {report:?}");
                assert_eq!(report.alive_at_end, 200, "everybody is in and back at the end: {report:?}");
                wild.add(&report);
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    wild
}

#[test]
fn every_invariant_holds_for_every_seed() {
    if let Some(one) = number("ODEON_SIM_SEED") {
        explore(one..one + 1);
        return;
    }
    let seeds = FIRST_SEED..FIRST_SEED + number("ODEON_SIM_SEEDS").unwrap_or(SEEDS);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let wild: Vec<Wild> = std::thread::scope(|scope| {
        let part = |n| seeds.clone().skip(n).step_by(threads);
        let running: Vec<_> = (0..threads).map(|n| scope.spawn(move || explore(part(n)))).collect();
        running.into_iter().map(|one| one.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    let sum = |what: fn(&Wild) -> u64| wild.iter().map(what).sum::<u64>();
    // A few in a run: one of them may do without.
    let (seeds, tame) = (sum(|w| w.seeds), sum(|w| w.tame));
    assert!(tame * 50 <= seeds, "{tame} of {seeds} runs prove little");
    let (crashes, moves) = (sum(|w| w.crashes), sum(|w| w.moves));
    assert!(crashes > 0 && moves > 0, "the leader crashed {crashes} times and moved {moves} times");
    let (stalls, partitions) = (sum(|w| w.stalls), sum(|w| w.partitions));
    assert!(stalls > 0 && partitions > 0, "the leader stalled {stalls} times, {partitions} partitions");
    let confirmed = sum(|w| w.confirmed_by_all);
    assert!(confirmed >= seeds, "operators heard {confirmed} times that all have confirmed a revocation");
    let (authorities, gone) = (sum(|w| w.authorities), sum(|w| w.authorities_gone));
    assert!(authorities >= seeds && gone > 0, "actors became the authority {authorities} times, and {gone} exited");
}

#[test]
fn thousands_of_members_outlive_their_leaders() {
    let members = number("ODEON_SIM_MEMBERS").map_or(MEMBERS, |n| u32::try_from(n).unwrap());
    let options = Options { members, faults_ms: 8_000, ..Options::default() };
    let mut wild = Wild::default();
    let one = number("ODEON_SIM_SEED");
    for seed in one.map_or(FIRST_SEED..FIRST_SEED + LARGE_SEEDS, |one| one..one + 1) {
        let report = run(seed, &options).unwrap_or_else(|failure| panic!("{failure}"));
        println!("seed {seed}: {report:?}");
        assert_eq!(report.alive_at_end, u64::from(members), "everybody is in and back at the end: {report:?}");
        assert!(report.member_crashes > 0, "too quiet: {report:?}");
        wild.add(&report);
    }
    // So few seeds do not always have both; the many small runs have to.
    assert!(one.is_some() || wild.crashes + wild.moves > 0, "no leader crashed or moved");
    assert!(one.is_some() || wild.news > 10, "those who watch were told {} times", wild.news);
}

/// What did not happen in a run that was to be wild.
fn tame(report: &Report) -> Option<&'static str> {
    let happened = [
        ("creations", report.created > 50),
        ("refusals", report.incompatible > 0),
        ("crashes of members", report.member_crashes > 10),
        ("restarts of members", report.member_restarts > 10),
        ("cut links", report.links_cut > 10),
        ("lost messages", report.lost > 100),
        ("delayed messages", report.delayed > 100),
        ("declarations of death", report.declared_gone > 0),
        ("news for those who watch", report.news > 300),
        ("revocations", report.revoked > 0),
    ];
    happened.into_iter().find(|(_, it_did)| !it_did).map(|(what, _)| what)
}

#[test]
fn one_seed_gives_one_history() {
    let options = Options { members: 40, faults_ms: 8_000, digest: true, ..Options::default() };
    let first = run(7, &options).unwrap_or_else(|failure| panic!("{failure}"));
    let second = run(7, &options).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(first.digest.is_some());
    assert_eq!(first, second);
    assert_ne!(first.digest, run(8, &options).unwrap_or_else(|failure| panic!("{failure}")).digest);
}

/// The checkers that notice a mistake within a few seeds.
fn noticed(broken: Broken) -> Vec<&'static str> {
    let options = Options { members: 60, broken, ..Options::default() };
    (1..=4).filter_map(|seed| run(seed, &options).err()).map(|failure| failure.checker).collect()
}

#[track_caller]
fn notices(broken: Broken, expected: &[&str]) {
    let noticed = noticed(broken);
    assert!(!noticed.is_empty(), "nobody noticed {broken:?}");
    assert!(noticed.iter().all(|checker| expected.contains(checker)), "{broken:?} looked like {noticed:?}");
}

#[test]
fn answering_before_a_record_is_durable_is_noticed() {
    let durable = ["answers are durable", "gone is true and told once", "news is told once and true"];
    notices(Broken::AnswerBeforeCommit, &durable);
}

#[test]
fn forgetting_what_is_hosted_is_noticed() {
    notices(Broken::ForgetHosted, &["created at most once", "one actor per global name"]);
}

#[test]
fn telling_twice_that_a_node_is_gone_is_noticed() {
    notices(Broken::GoneTwice, &["gone is true and told once"]);
}

#[test]
fn declaring_a_living_node_gone_is_noticed() {
    notices(Broken::LoseRenewals, &["gone is true and told once"]);
}

#[test]
fn hosting_what_a_check_refuses_is_noticed() {
    notices(Broken::AcceptEverything, &["the host accepts its actor"]);
}

#[test]
fn losing_answers_is_noticed() {
    notices(Broken::LoseAnswers, &["progress once the faults stop"]);
}

#[test]
fn telling_twice_what_an_actor_watches_is_noticed() {
    notices(Broken::TellNewsTwice, &["news is told once and true"]);
}

#[test]
fn losing_what_an_actor_watches_is_noticed() {
    notices(Broken::LoseNews, &["news is told once and true"]);
}

#[test]
fn confirming_a_revocation_that_a_member_has_not_heard_of_is_noticed() {
    let options = Options { members: 60, broken: Broken::ConfirmUnheard, ..Options::default() };
    let failures: Vec<_> = (1..=80).filter_map(|seed| run(seed, &options).err()).collect();
    // Whoever watches is not told either.
    let checkers = ["nothing of a revoked image", "news is told once and true"];
    assert!(failures.iter().all(|failure| checkers.contains(&failure.checker)), "{failures:?}");
    let created = |failure: &Failure| failure.what.contains("is created on") && failure.what.contains("has confirmed");
    assert!(failures.iter().any(created), "what is created after the confirmation is not seen: {failures:?}");
}

#[test]
fn losing_that_the_authority_is_gone_is_noticed() {
    let options = Options { members: 60, broken: Broken::LoseAuthorityExits, ..Options::default() };
    let failures: Vec<_> = (1..=12).filter_map(|seed| run(seed, &options).err()).collect();
    let checker = "the authority is permitted and lives";
    assert!(!failures.is_empty() && failures.iter().all(|failure| failure.checker == checker), "{failures:?}");
}

#[test]
fn keeping_the_bytes_of_a_revoked_image_is_noticed() {
    notices(Broken::KeepRevoked, &["nothing of a revoked image"]);
}
