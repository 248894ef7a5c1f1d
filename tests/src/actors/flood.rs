//! Who sends as fast as it can, and who is slow to take it.

use odeon::{Address, Context, Message, actor};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

/// Makes a [`Crowd`] send, each of its actors so many numbers.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct Flood {
    /// To whom.
    pub to: Address,
    /// How many send.
    pub senders: usize,
    /// Numbers of each.
    pub each: u64,
    /// Stages that each number still passes after the first.
    #[serde(default)]
    pub hops: u32,
}

/// Numbers that are sent in one handler.
const AT_ONCE: u64 = 64;

#[derive(Debug, Clone, Serialize, Deserialize, Message)]
struct Numbers {
    to: Address,
    next: u64,
    until: u64,
    hops: u32,
}

#[derive(Debug, Serialize, Deserialize, Message)]
struct Number {
    number: u64,
    hops: u32,
}

/// Creates who sends.
#[derive(Default)]
pub struct Crowd;

#[actor]
impl Crowd {
    #[handler]
    fn flood(&mut self, flood: &Flood, cx: &mut Context) {
        for _ in 0..flood.senders {
            let sender = cx.create_actor::<Flooder>().start();
            cx.send(sender, Numbers { to: flood.to, next: 0, until: flood.each, hops: flood.hops });
        }
        cx.reply(String::from("they send"));
    }
}

/// Sends without a pause.
#[derive(Default)]
pub struct Flooder;

#[actor]
impl Flooder {
    #[handler]
    fn numbers(&mut self, numbers: &Numbers, cx: &mut Context) {
        let Numbers { to, next, until, hops } = *numbers;
        let after = until.min(next + AT_ONCE);
        (next..after).for_each(|number| cx.send(to, Number { number, hops }));
        if after < until {
            cx.send(cx.my_address(), Numbers { next: after, ..numbers.clone() });
        }
    }
}

/// Says to a [`Stage`] how it is to be.
#[derive(Debug, Serialize, Deserialize, Message)]
pub struct BeStage {
    /// Who is next, if anybody.
    pub next: Option<Address>,
    /// After so many numbers it rests.
    pub rests_every: u64,
    /// For so long.
    pub rest_ms: u64,
}

/// Takes numbers and hands them on.
#[derive(Default)]
pub struct Stage {
    be: Option<BeStage>,
    came: u64,
    out_of_order: u64,
    next_of: HashMap<Address, u64>,
}

#[actor]
impl Stage {
    #[handler]
    fn be(&mut self, be: &BeStage, cx: &mut Context) {
        self.be = Some(BeStage { next: be.next, ..*be });
        cx.reply(true);
    }

    #[handler]
    fn number(&mut self, number: &Number, cx: &mut Context) {
        let next = self.next_of.entry(cx.sender()).or_default();
        self.out_of_order += u64::from(number.number != *next);
        *next = number.number + 1;
        self.came += 1;
        let Some(be) = &self.be else { return };
        if self.came.is_multiple_of(be.rests_every) {
            std::thread::sleep(Duration::from_millis(be.rest_ms));
        }
        if let (Some(to), Some(hops)) = (be.next, number.hops.checked_sub(1)) {
            cx.send(to, Number { number: number.number, hops });
        }
    }

    /// How many came, and how many of them not in the order of their sender.
    #[handler]
    fn report(&mut self, _: &String, cx: &mut Context) {
        cx.reply(format!("{} came, {} out of order", self.came, self.out_of_order));
    }
}
