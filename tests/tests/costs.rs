//! What events cost a leader does not grow with the members, but for a death, which everyone is told of.
//!
//! `ODEON_COSTS_MEMBERS=n` measures that size as well. The rows are those of docs/scale.md.

use odeon_tests::sim::{Costs, Words, costs};
use std::time::Duration;

const SIZES: [u32; 3] = [1_000, 2_000, 5_000];
/// The kinds of input that are timed, in the order of the row.
const TIMED: [&str; 10] = [
    "Admit",
    "Connected",
    "Register",
    "Committed",
    "Renew",
    "Timer",
    "CapabilitiesChanged",
    "Create",
    "Placed",
    "a death",
];

#[test]
fn what_events_cost_does_not_grow_with_the_members() {
    let asked = std::env::var("ODEON_COSTS_MEMBERS").ok();
    let asked = asked.map(|text| text.parse().unwrap_or_else(|_| panic!("{text:?} is no number of members")));
    let measured: Vec<Costs> =
        SIZES.into_iter().chain(asked).map(|members| costs(members).unwrap_or_else(|what| panic!("{what}"))).collect();
    println!("words: to / from the leader, and records");
    println!("| members | a join | a member and minute | a death | a change | a creation |");
    measured.iter().for_each(|costs| println!("{}", words_row(costs)));
    println!("handled within, us");
    println!("| members | {} |", TIMED.join(" | "));
    measured.iter().for_each(|costs| println!("{}", times_row(costs)));
    measured.iter().for_each(check);
}

fn check(costs: &Costs) {
    let members = u64::from(costs.members);
    let cost = |to_leader, from_leader, records| Words { renewals: 0, to_leader, from_leader, records };
    // It registers; it is told who leads and that it is registered. Records: the use of its token, the node, its registration.
    // And those of the leader that begins: its term, itself, the token.
    assert_eq!(unrenewed(costs.joins), cost(members, 2 * members, 3 * members + 3), "{members} joins");
    assert_eq!(unrenewed(costs.minute), cost(0, 0, 0), "a minute of {members}");
    // Every three seconds, or up to an eighth earlier; clocks drift.
    let renewals = costs.minute.renewals as f64 / members as f64;
    assert!((20.9..21.5).contains(&renewals), "{renewals} renewals of each of {members} in a minute");
    for (n, death) in costs.deaths.iter().enumerate() {
        let living = members - 1 - n as u64;
        // And whoever is silent is asked first.
        assert_eq!(unrenewed(*death), cost(0, living + 1, 1), "death {n} among {members}");
    }
    for change in &costs.changes {
        assert_eq!(unrenewed(*change), cost(1, 0, 1), "a change among {members}");
    }
    for create in &costs.creates {
        assert_eq!(unrenewed(*create), cost(2, 2, 0), "a creation among {members}");
    }
    // A member renews all the time: here is where a walk over all members would hurt most, and show.
    let renew = costs.took["Renew"];
    assert!(renew < Duration::from_millis(1), "a renewal among {members} took {renew:?}");
    assert!(TIMED.iter().all(|kind| costs.took.contains_key(kind)), "{:?}", costs.took);
}

/// Without what passes all the time.
fn unrenewed(words: Words) -> Words {
    Words { renewals: 0, ..words }
}

fn words_row(costs: &Costs) -> String {
    let members = f64::from(costs.members);
    let one = |words: &[Words]| words.first().map_or(String::new(), |w| written(*w, 1.0));
    format!(
        "| {} | {} | {:.2} / {:.2} / {:.2} | {} | {} | {} |",
        costs.members,
        written(costs.joins, members),
        costs.minute.renewals as f64 / members,
        costs.minute.from_leader as f64 / members,
        costs.minute.records as f64 / members,
        one(&costs.deaths),
        one(&costs.changes),
        one(&costs.creates),
    )
}

/// To the leader, from it, and records, for each of so many.
fn written(words: Words, of: f64) -> String {
    let each = |n: u64| (n as f64 / of).round();
    format!("{} / {} / {}", each(words.to_leader), each(words.from_leader), each(words.records))
}

fn times_row(costs: &Costs) -> String {
    let us = |kind: &&str| costs.took.get(*kind).map_or("-".to_owned(), |t| format!("{:.1}", t.as_secs_f64() * 1e6));
    format!("| {} | {} |", costs.members, TIMED.iter().map(us).collect::<Vec<_>>().join(" | "))
}
