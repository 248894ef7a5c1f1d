//! A native actor that asks another one, one question at a time.

use odeon::{Address, Context, Message, actor};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Makes an asker ask.
#[derive(Serialize, Deserialize, Message)]
pub(super) struct Ask {
    pub(super) whom: Address,
    pub(super) rounds: u64,
}

/// Nanoseconds of each round that was answered as it should be.
#[derive(Serialize, Deserialize, Message)]
pub(super) struct Took(pub(super) Vec<u64>);

#[derive(Default)]
pub(super) struct Asker {
    whom: Option<Address>,
    tell: Option<Address>,
    rounds: u64,
    asked: Option<Instant>,
    took: Vec<u64>,
}

impl Asker {
    fn next(&mut self, cx: &mut Context) {
        let Some(whom) = self.whom else { return };
        self.asked = Some(Instant::now());
        cx.send(whom, "are you there?".to_owned());
    }
}

#[actor]
impl Asker {
    #[handler]
    fn answered(&mut self, answer: &String, cx: &mut Context) {
        let Some(asked) = self.asked else { return };
        let right = answer == "Goodbye";
        if right {
            self.took.push(asked.elapsed().as_nanos() as u64);
        }
        match self.tell {
            // A wrong answer ends it early, which the program notices.
            Some(tell) if !right || self.took.len() as u64 == self.rounds => {
                cx.send(tell, Took(std::mem::take(&mut self.took)));
            }
            _ => self.next(cx),
        }
    }

    #[handler]
    fn begin(&mut self, ask: &Ask, cx: &mut Context) {
        self.whom = Some(ask.whom);
        self.tell = Some(cx.sender());
        self.rounds = ask.rounds;
        self.took = Vec::with_capacity(ask.rounds as usize);
        self.next(cx);
    }
}
