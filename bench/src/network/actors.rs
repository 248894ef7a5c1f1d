//! The actors on the two nodes.

use crate::exchange::{WARM_UP, letter, number, round_trips};
use odeon::{Address, Context, Failure, Message, Registry, actor};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Letters that a source sends before it lets others have their turn.
const BURST: u64 = 512;

/// All of them.
pub fn registry() -> Registry {
    Registry::new().with::<Pinger>().with::<Carrier>().with::<Echo>().with::<Source>().with::<Sink>()
}

#[derive(Serialize, Deserialize, Message)]
struct Letter(#[serde(with = "odeon::bytes")] Vec<u8>);

impl Letter {
    fn new(number: u64) -> Self {
        Self(letter(number).to_vec())
    }

    /// With so many bytes.
    fn large(number: u64, bytes: u64) -> Self {
        let mut letter = vec![0x5a; bytes as usize];
        letter[..8].copy_from_slice(&number.to_be_bytes());
        Self(letter)
    }

    fn number(&self) -> Result<u64, Failure> {
        number(&self.0).ok_or_else(|| Failure::new(format!("a letter of {} bytes", self.0.len())))
    }
}

/// Sends every letter back.
#[derive(Default)]
struct Echo;

#[actor]
impl Echo {
    #[handler]
    fn letter(&mut self, letter: &Letter, cx: &mut Context) {
        cx.reply(Letter(letter.0.clone()));
    }
}

/// Makes a pinger exchange so many letters with an echo, one after the other.
#[derive(Serialize, Deserialize, Message)]
struct Ping {
    to: Address,
    rounds: u64,
}

/// Nanoseconds of a round, as the pinger saw it.
#[derive(Serialize, Deserialize, Message)]
struct Rounds {
    median: f64,
    p99: f64,
}

#[derive(Default)]
struct Pinger {
    /// Whom it exchanges letters with, and who wants to know.
    between: Option<(Address, Address)>,
    sent: Option<Instant>,
    took: Vec<u64>,
    rounds: u64,
}

impl Pinger {
    fn send(&mut self, number: u64, cx: &mut Context) {
        if let Some((to, _)) = self.between {
            self.sent = Some(Instant::now());
            cx.send(to, Letter::new(number));
        }
    }
}

#[actor]
impl Pinger {
    #[handler]
    fn came_back(&mut self, letter: &Letter, cx: &mut Context) -> Result<(), Failure> {
        let (Some(sent), Some((_, tell))) = (self.sent.take(), self.between) else {
            return Err(Failure::new("a letter that was not waited for"));
        };
        self.took.push(sent.elapsed().as_nanos() as u64);
        let number = letter.number()?;
        if number + 1 < self.rounds {
            self.send(number + 1, cx);
            return Ok(());
        }
        let counted = self.took.split_off((self.rounds / WARM_UP) as usize);
        let [median, p99] = round_trips(counted)[..] else { return Err(Failure::new("two numbers were expected")) };
        cx.send(tell, Rounds { median, p99 });
        Ok(())
    }

    #[handler]
    fn ping(&mut self, ping: &Ping, cx: &mut Context) {
        self.between = Some((ping.to, cx.sender()));
        self.rounds = ping.rounds + ping.rounds / WARM_UP;
        self.took = Vec::with_capacity(self.rounds as usize);
        self.send(0, cx);
    }
}

/// Makes a carrier exchange a large letter with an echo, so many times after the first.
#[derive(Serialize, Deserialize, Message)]
struct Carry {
    to: Address,
    bytes: u64,
    rounds: u64,
}

#[derive(Default)]
struct Carrier {
    carry: Option<(Carry, Address)>,
    sent: Option<Instant>,
    took: Vec<u64>,
}

impl Carrier {
    fn send(&mut self, cx: &mut Context) {
        if let Some((Carry { to, bytes, .. }, _)) = &self.carry {
            let letter = Letter::large(self.took.len() as u64, *bytes);
            self.sent = Some(Instant::now());
            cx.send(*to, letter);
        }
    }
}

#[actor]
impl Carrier {
    #[handler]
    fn came_back(&mut self, letter: &Letter, cx: &mut Context) -> Result<(), Failure> {
        let (Some(sent), Some((carry, tell))) = (self.sent.take(), &self.carry) else {
            return Err(Failure::new("a letter that was not waited for"));
        };
        let took = sent.elapsed().as_nanos() as u64;
        if letter.0 != Letter::large(self.took.len() as u64, carry.bytes).0 {
            return Err(Failure::new("something else came back"));
        }
        self.took.push(took);
        if self.took.len() as u64 <= carry.rounds {
            self.send(cx);
            return Ok(());
        }
        let [median, p99] = round_trips(self.took.split_off(1))[..] else {
            return Err(Failure::new("two numbers were expected"));
        };
        cx.send(*tell, Rounds { median, p99 });
        Ok(())
    }

    #[handler]
    fn carry(&mut self, Carry { to, bytes, rounds }: &Carry, cx: &mut Context) {
        self.took.clear();
        self.carry = Some((Carry { to: *to, bytes: *bytes, rounds: *rounds }, cx.sender()));
        self.send(cx);
    }
}

/// Makes a source send so many letters to a sink.
#[derive(Serialize, Deserialize, Message)]
struct Flow {
    to: Address,
    letters: u64,
}

#[derive(Serialize, Deserialize, Message)]
struct GoOn {
    next: u64,
}

/// Tells a sink how many letters to expect.
#[derive(Serialize, Deserialize, Message)]
struct Expect {
    letters: u64,
}

/// What a sink got.
#[derive(Serialize, Deserialize, Message)]
struct Arrived {
    letters: u64,
    out_of_order: u64,
}

/// What a source says of its flow.
#[derive(Serialize, Deserialize, Message)]
struct Flowed {
    per_second: f64,
    letters: u64,
    out_of_order: u64,
}

#[derive(Default)]
struct Source {
    to: Option<Address>,
    tell: Option<Address>,
    letters: u64,
    started: Option<Instant>,
}

#[actor]
impl Source {
    #[handler]
    fn go_on(&mut self, GoOn { next }: &GoOn, cx: &mut Context) {
        let Some(to) = self.to else { return };
        let until = (next + BURST).min(self.letters);
        for number in *next..until {
            cx.send(to, Letter::new(number));
        }
        if until < self.letters {
            cx.send(cx.my_address(), GoOn { next: until });
        }
    }

    #[handler]
    fn flow(&mut self, flow: &Flow, cx: &mut Context) {
        self.to = Some(flow.to);
        self.tell = Some(cx.sender());
        self.letters = flow.letters;
        cx.send(flow.to, Expect { letters: flow.letters });
    }

    /// The sink is ready.
    #[handler]
    fn begin(&mut self, (): &(), cx: &mut Context) {
        self.started = Some(Instant::now());
        cx.send(cx.my_address(), GoOn { next: 0 });
    }

    #[handler]
    fn arrived(&mut self, Arrived { letters, out_of_order }: &Arrived, cx: &mut Context) {
        if let (Some(tell), Some(started)) = (self.tell, self.started) {
            let per_second = *letters as f64 / started.elapsed().as_secs_f64();
            cx.send(tell, Flowed { per_second, letters: *letters, out_of_order: *out_of_order });
        }
    }
}

#[derive(Default)]
struct Sink {
    expected: u64,
    letters: u64,
    out_of_order: u64,
}

#[actor]
impl Sink {
    #[handler]
    fn letter(&mut self, letter: &Letter, cx: &mut Context) -> Result<(), Failure> {
        self.out_of_order += u64::from(letter.number()? != self.letters);
        self.letters += 1;
        if self.letters == self.expected {
            cx.reply(Arrived { letters: self.letters, out_of_order: self.out_of_order });
        }
        Ok(())
    }

    #[handler]
    fn expect(&mut self, expect: &Expect, cx: &mut Context) {
        *self = Self { expected: expect.letters, ..Self::default() };
        cx.reply(());
    }
}
