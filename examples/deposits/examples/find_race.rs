//! Looks for the race of this example: `cargo run --example find_race`. With `ODEON_SEED=N` it runs that seed alone.

use odeon::simulate::explore;
use odeon::system::ActorSystem;
use odeon_example_deposits::{CarefulTeller, HastyTeller, customer, simulation};

fn main() -> Result<(), String> {
    customer::<HastyTeller>(&ActorSystem::simple())?;
    println!("on the base simple nothing is wrong with the hasty teller");

    match explore(0..1_000, &simulation(), customer::<HastyTeller>) {
        Ok(seeds) => return Err(format!("{seeds} seeds found nothing wrong with the hasty teller")),
        Err(found) => print!("{found}"),
    }

    let seeds = explore(0..1_000, &simulation(), customer::<CarefulTeller>).map_err(|error| error.to_string())?;
    println!("{seeds} seeds found nothing wrong with the careful teller");
    Ok(())
}
