//! Two tellers who take deposits. One of them is in haste: it says that the money is there before the books say so.
//!
//! On the base `simple` that never shows. `examples/find_race.rs` has the base `simulated` look for a run in which it does.

use odeon::simulate::Simulation;
use odeon::system::ActorSystem;
use odeon::{ActorType, Address, Context, Message, Registry, actor};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

/// Asks a teller to take a deposit; the answer is [`Deposited`].
#[derive(Serialize, Deserialize, Message)]
pub struct Deposit {
    /// The books in which it is to be written.
    pub books: Address,
    /// How much.
    pub amount: i64,
}

/// The money is there.
#[derive(Serialize, Deserialize, Message)]
pub struct Deposited;

/// Asks the books to add an amount; the answer is [`Written`].
#[derive(Serialize, Deserialize, Message)]
pub struct Add(pub i64);

/// An amount is in the books.
#[derive(Serialize, Deserialize, Message)]
pub struct Written;

/// Asks the books for all that is in them.
#[derive(Serialize, Deserialize, Message)]
pub struct Balance;

/// Keeps the money.
#[derive(Default)]
pub struct Books {
    balance: i64,
}

#[actor]
impl Books {
    #[handler]
    fn add(&mut self, amount: &Add, cx: &mut Context) {
        self.balance += amount.0;
        cx.reply(Written);
    }

    #[handler]
    fn balance(&mut self, _: &Balance, cx: &mut Context) {
        cx.reply(self.balance);
    }
}

/// Answers before the books do.
#[derive(Default)]
pub struct HastyTeller;

#[actor]
impl HastyTeller {
    #[handler]
    fn deposit(&mut self, deposit: &Deposit, cx: &mut Context) {
        cx.send(deposit.books, Add(deposit.amount));
        cx.reply(Deposited);
    }
}

/// Answers when the books have.
#[derive(Default)]
pub struct CarefulTeller {
    waiting: VecDeque<Address>,
}

#[actor]
impl CarefulTeller {
    #[handler]
    fn deposit(&mut self, deposit: &Deposit, cx: &mut Context) {
        cx.send(deposit.books, Add(deposit.amount));
        self.waiting.push_back(cx.sender());
    }

    #[handler]
    fn written(&mut self, _: &Written, cx: &mut Context) {
        self.waiting.pop_front().into_iter().for_each(|customer| cx.send(customer, Deposited));
    }
}

/// What a customer does: deposits three times, and looks after each whether it is there.
pub fn customer<Teller: ActorType>(system: &ActorSystem) -> Result<(), String> {
    let books = system.create_actor::<Books>().map_err(|error| error.to_string())?;
    let teller = system.create_actor::<Teller>().map_err(|error| error.to_string())?;
    for deposited in [100, 200, 300] {
        system.ask::<Deposited>(teller, Deposit { books, amount: 100 }, PATIENCE).map_err(|error| error.to_string())?;
        let balance = system.ask::<i64>(books, Balance, PATIENCE).map_err(|error| error.to_string())?;
        if balance != deposited {
            return Err(format!("{deposited} were deposited, and the books say {balance}"));
        }
    }
    Ok(())
}

/// One node on which the messages of actors take up to twenty milliseconds.
pub fn simulation() -> Simulation {
    Simulation::new(Registry::new()).delays(Duration::ZERO..=Duration::from_millis(20))
}
