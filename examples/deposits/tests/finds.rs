//! The race is found, and what has none is let be.
#![allow(clippy::unwrap_used)]

use odeon::simulate::{explore, rerun};
use odeon::system::{ActorSystem, Base};
use odeon_example_deposits::{CarefulTeller, HastyTeller, customer, simulation};

#[test]
fn the_race_is_found_within_a_few_seeds_shrunk_to_one_message_that_is_late_and_seen_again() {
    customer::<HastyTeller>(&ActorSystem::simple()).unwrap();
    let error = explore(0..300, &simulation(), customer::<HastyTeller>).unwrap_err();
    let found = error.found().unwrap();
    assert_eq!(found.shrunk.decisions.count(), 1, "{error}");
    let again = rerun(found.seed, found.shrunk.decisions.clone(), &simulation(), customer::<HastyTeller>);
    assert_eq!(again, found.shrunk);
    assert!(error.to_string().contains("Add of HastyTeller#1 to Books#1 is under way"), "{error}");
}

#[test]
fn the_careful_teller_is_right_on_every_base_and_seed() {
    for base in [Base::Simple, Base::Threads, Base::Simulated] {
        customer::<CarefulTeller>(&ActorSystem::new(base)).unwrap();
    }
    assert_eq!(explore(0..1_000, &simulation(), customer::<CarefulTeller>).unwrap(), 1_000);
}
