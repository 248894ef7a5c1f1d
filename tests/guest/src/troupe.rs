//! A troupe inside an image, and who has it work.

use odeon::{
    Address, AnyMessage, ChildActorExited, Context, Message, PoisonMessage, Troupe, TroupeMember, TroupeStatus,
    TroupeStatusRequest, Value, actor,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// A number that is to be squared.
#[derive(Debug, Clone, Serialize, Deserialize, Message)]
pub struct Job {
    number: i64,
    /// Whether the worker asks what it is to do before it does it.
    asks: bool,
}

/// A worker asks what it is to do.
#[derive(Serialize, Deserialize, Message)]
pub struct Asks {
    number: i64,
}

/// What a worker is to do, with its work not done yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Message)]
pub enum Word {
    /// To do its work.
    Work,
    /// To exit.
    Exit,
    /// To panic, which ends its instance.
    Panic,
}

/// A number has been squared.
#[derive(Serialize, Deserialize, Message)]
pub struct Done {
    number: i64,
    square: i64,
}

/// Squares numbers.
#[derive(Default)]
pub struct Squarer {
    /// Who wants what, while it waits for a word.
    waits: Option<(Address, Job)>,
}

#[actor]
impl Squarer {
    #[handler]
    fn job(&mut self, job: &Job, cx: &mut Context) {
        match job.asks {
            true => {
                self.waits = Some((cx.sender(), job.clone()));
                cx.reply(Asks { number: job.number });
            }
            false => cx.reply(done(job)),
        }
    }

    #[handler]
    fn word(&mut self, word: &Word, cx: &mut Context) {
        match word {
            Word::Work => self.waits.take().into_iter().for_each(|(by, job)| cx.send(by, done(&job))),
            Word::Exit => cx.exit(),
            Word::Panic => panic!("told to panic"),
        }
    }
}

impl TroupeMember for Squarer {
    const MAX: u32 = 3;
    // None is dismissed while a test looks.
    const IDLE: u32 = 3;

    fn in_progress(&self) -> bool {
        self.waits.is_some()
    }
}

fn done(job: &Job) -> Done {
    Done { number: job.number, square: job.number * job.number }
}

/// What somebody asked for.
struct Order {
    by: Address,
    /// What its workers are told, one after the other; the last word is to work.
    words: VecDeque<Word>,
    /// How often a worker has asked.
    asked: u32,
}

/// Has a troupe of its image square numbers.
#[derive(Default)]
pub struct Foreman {
    troupe: Option<Address>,
    orders: BTreeMap<i64, Order>,
    /// Workers that are told nothing before somebody says `go`.
    held: Option<Vec<Address>>,
    wants_status: Option<Address>,
}

impl Foreman {
    fn troupe(&mut self, cx: &Context) -> Address {
        *self.troupe.get_or_insert_with(|| cx.create_actor::<Troupe<Squarer>>().start())
    }

    fn order(&mut self, number: i64, words: VecDeque<Word>, cx: &Context) {
        let job = Job { number, asks: !words.is_empty() };
        self.orders.insert(number, Order { by: cx.sender(), words, asked: 0 });
        cx.send(self.troupe(cx), job);
    }

    fn answer(&mut self, number: i64, cx: &Context, text: impl FnOnce(&Order) -> String) {
        if let Some(order) = self.orders.remove(&number) {
            cx.send(order.by, text(&order));
        }
    }
}

#[actor]
impl Foreman {
    /// A number that is squared at once.
    #[handler]
    fn number(&mut self, number: &i64, cx: &mut Context) {
        self.order(*number, VecDeque::new(), cx);
    }

    /// `hold`, `held`, `go`, `status`, or a number and what its workers are told one after the other: `12 exit panic`.
    #[handler]
    fn told(&mut self, what: &String, cx: &mut Context) {
        let mut words = what.split_whitespace();
        match words.next().unwrap_or_default() {
            "hold" => {
                self.held = Some(Vec::new());
                cx.reply(what.clone());
            }
            "go" => {
                let held = self.held.take().unwrap_or_default();
                cx.reply(held.len() as i64);
                held.into_iter().for_each(|worker| cx.send(worker, Word::Work));
            }
            "held" => cx.reply(self.held.as_ref().map_or(0, Vec::len) as i64),
            "status" => {
                self.wants_status = Some(cx.sender());
                cx.send(self.troupe(cx), TroupeStatusRequest);
            }
            number => {
                let Ok(number) = number.parse() else { return cx.reply(format!("no number: {what}")) };
                let words = words.map(|word| match word {
                    "exit" => Word::Exit,
                    "panic" => Word::Panic,
                    _ => Word::Work,
                });
                self.order(number, words.collect(), cx);
            }
        }
    }

    #[handler]
    fn asks(&mut self, asks: &Asks, cx: &mut Context) {
        let Some(order) = self.orders.get_mut(&asks.number) else { return };
        order.asked += 1;
        match &mut self.held {
            Some(held) => held.push(cx.sender()),
            None => cx.reply(order.words.pop_front().unwrap_or(Word::Work)),
        }
    }

    #[handler]
    fn done(&mut self, done: &Done, cx: &mut Context) {
        let by = cx.sender();
        self.answer(done.number, cx, |order| format!("{} after {} by {by}", done.square, order.asked));
    }

    /// Work that comes back; a word that a worker fails on is none.
    #[handler]
    fn poison(&mut self, poison: &PoisonMessage, cx: &mut Context) {
        let message = AnyMessage::from_encoded(poison.message.clone());
        if let Some(job) = message.get::<Job>() {
            self.answer(job.number, cx, |order| format!("back after {}: {}", order.asked, poison.details));
        }
    }

    #[handler]
    fn status(&mut self, status: &TroupeStatus, cx: &mut Context) {
        let TroupeStatus { workers, busy, waiting, handled, failed, .. } = status;
        let numbers = [workers, busy, waiting, handled, failed].map(|n| Value::from(*n as i64));
        self.wants_status.take().into_iter().for_each(|by| cx.send(by, Value::List(numbers.to_vec())));
    }

    #[handler]
    fn gone(&mut self, exited: &ChildActorExited, _: &mut Context) {
        self.troupe.take_if(|troupe| *troupe == exited.child);
    }
}
