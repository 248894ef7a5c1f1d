//! Actors that may send so many messages in a second and no more.
#![allow(clippy::unwrap_used)]

use odeon::system::{ActorSystem, Base, RateLimits};
use odeon::{Address, Context, Message, actor};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);

#[derive(Serialize, Deserialize, Message)]
struct Send {
    to: Address,
    messages: u64,
    /// At most so many in one message.
    at_once: u64,
}

#[derive(Default)]
struct Producer;

#[actor]
impl Producer {
    #[handler]
    fn send(&mut self, Send { to, messages, at_once }: &Send, cx: &mut Context) {
        let now = (*messages).min(*at_once);
        (0..now).for_each(|_| cx.send(*to, 1i64));
        if *messages > now {
            cx.send(cx.my_address(), Send { to: *to, messages: messages - now, at_once: *at_once });
        }
    }
}

fn system(base: Base, actor: u32, all: u32) -> ActorSystem {
    let limits = RateLimits { actor: NonZeroU32::new(actor), system: NonZeroU32::new(all) };
    ActorSystem::builder(base).workers(2).rate_limits(limits).start()
}

/// Gives after what time so many messages have arrived, each once.
fn takes(system: &ActorSystem, producers: u64, messages: u64, at_once: u64) -> Duration {
    let began = Instant::now();
    for _ in 0..producers {
        let producer = system.create_actor::<Producer>().unwrap();
        system.tell(producer, Send { to: system.address(), messages, at_once });
    }
    for _ in 0..producers * messages {
        assert_eq!(system.listen(LONG).unwrap().message.get::<i64>(), Some(&1));
    }
    began.elapsed()
}

#[test]
fn an_actor_rests_when_it_is_ahead_of_its_rate_and_nothing_is_lost() {
    for base in [Base::Simple, Base::Threads] {
        // A second's worth at once, and half of that more.
        let took = takes(&system(base, 1_000, 0), 1, 1_500, 10);
        assert!(took >= Duration::from_millis(450), "{base:?}: {took:?}");
        assert!(took < Duration::from_secs(5), "{base:?}: {took:?}");
    }
}

#[test]
fn all_actors_together_have_a_rate_and_one_message_may_send_any_number() {
    let system = system(Base::Threads, 0, 2_000);
    let began = Instant::now();
    takes(&system, 4, 750, 1_000);
    // They are ahead by a thousand, and so is whoever sends next.
    takes(&system, 1, 3, 1);
    assert!(began.elapsed() >= Duration::from_millis(450), "{:?}", began.elapsed());
    let (limits, rests) = system.system().rates();
    assert_eq!((limits.actor, limits.system.map(NonZeroU32::get)), (None, Some(2_000)));
    assert!(rests >= 2, "{rests}");
    let began = Instant::now();
    assert!(system.shutdown(), "those who rest exit as well");
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[test]
fn whoever_sends_to_one_that_rests_is_put_aside_and_goes_on_with_it() {
    let system = system(Base::Threads, 20_000, 0);
    // Both send to each other, so that each is the target of one that is ahead of its rate.
    let (a, b) = (system.create_actor::<Relay>().unwrap(), system.create_actor::<Relay>().unwrap());
    for (from, to) in [(a, b), (b, a)] {
        system.tell(from, Send { to, messages: 30_000, at_once: 6_000 });
    }
    let mut sum = 0;
    while sum < 60_000 {
        sum += *system.listen(LONG).unwrap().message.get::<i64>().unwrap();
    }
    assert_eq!(sum, 60_000);
}

/// A producer that counts what others send it, and tells of every tenth of a thousand.
#[derive(Default)]
struct Relay(i64, Option<Address>);

#[actor]
impl Relay {
    #[handler]
    fn send(&mut self, Send { to, messages, at_once }: &Send, cx: &mut Context) {
        self.1.get_or_insert(cx.sender());
        let now = (*messages).min(*at_once);
        (0..now).for_each(|_| cx.send(*to, 1i64));
        if *messages > now {
            cx.send(cx.my_address(), Send { to: *to, messages: messages - now, at_once: *at_once });
        }
    }

    #[handler]
    fn count(&mut self, _: &i64, cx: &mut Context) {
        self.0 += 1;
        if self.0 % 100 == 0
            && let Some(tell) = self.1
        {
            cx.send(tell, 100i64);
        }
    }
}
