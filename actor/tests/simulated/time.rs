//! Virtual time.

use crate::program::{LONG, create, registry};
use odeon::simulate::{Simulation, replay};
use odeon::{Context, WakeupMessage, actor};
use std::time::{Duration, Instant};

/// Asks for wakeups of so many hours each, and says which it got.
#[derive(Default)]
struct Sleeper(Option<odeon::Address>);

#[actor]
impl Sleeper {
    #[handler]
    fn sleep(&mut self, hours: &i64, cx: &mut Context) {
        self.0 = Some(cx.sender());
        cx.wakeup_after_with(LONG * *hours as u32, *hours);
    }

    #[handler]
    fn awake(&mut self, wakeup: &WakeupMessage, cx: &mut Context) {
        self.0.into_iter().for_each(|asker| cx.send(asker, wakeup.delay_ms as i64));
    }
}

#[test]
fn a_year_of_wakeups_comes_by_due_time_and_takes_no_time() {
    let started = Instant::now();
    for seed in 0..20 {
        let run = replay(seed, &Simulation::new(registry()), |system| {
            let simulated = system.simulation().unwrap();
            let sleeper = create::<Sleeper>(system)?;
            for hours in [8_760i64, 24, 1] {
                system.tell(sleeper, hours);
            }
            assert!(system.listen(LONG / 2).is_none(), "nobody wakes early");
            assert!(simulated.now() >= LONG / 2 && simulated.now() < LONG);
            for hours in [1, 24, 8_760u32] {
                let heard = system.listen(LONG * 9_000).unwrap();
                assert_eq!(heard.message.get::<i64>(), Some(&(LONG.as_millis() as i64 * i64::from(hours))));
                assert!(simulated.now() >= LONG * hours);
            }
            assert!(system.listen(Duration::MAX).is_none(), "nothing is left");
            assert!(simulated.now() < LONG * 8_800, "for ever has not passed");
            Ok(())
        });
        assert_eq!(run.failure, None);
    }
    assert!(started.elapsed() < Duration::from_secs(60));
}
