use crate::table::hold;
use odeon::{
    Context, Definition, Failure, Lifetime, PoisonMessage, Transient, TransientActor, Troupe, TroupeMember,
    TroupeWorker, actor,
};
use std::time::Duration;

const TIME: Duration = Duration::from_millis(80);

macro_rules! echo {
    ($name:ident, $lifetime:expr) => {
        #[derive(Default)]
        struct $name;

        #[actor]
        impl $name {
            #[handler]
            fn number(&mut self, number: &i64, cx: &mut Context) -> Result<(), Failure> {
                match number {
                    -1 => Err(Failure::new("as it was told")),
                    number => {
                        cx.reply(*number);
                        Ok(())
                    }
                }
            }
        }

        impl TransientActor for $name {
            const LIFETIME: Lifetime = $lifetime;
        }
    };
}

echo!(Fly, Lifetime::AfterFirst(TIME));
echo!(Guest, Lifetime::Idle(TIME));
impl TroupeMember for Guest {}

#[test]
fn a_transient_actor_lives_on_until_its_first_message_and_then_for_its_time() {
    hold("transient::a_transient_actor_lives_on_until_its_first_message_and_then_for_its_time", |rig| {
        let fly = rig.root(Definition::of::<Transient<Fly>>());
        rig.pass(TIME + TIME / 2);
        assert!(rig.status(fly).is_some(), "its time has not begun");
        let clock = rig.clock();
        let start = clock();
        rig.tell(fly, 1i64);
        rig.wait::<i64>(1);
        rig.pass(TIME / 4);
        rig.tell(fly, -1i64);
        rig.until("it is gone, whatever it is told", || rig.status(fly).is_none());
        assert!(clock() - start >= TIME);
    });
}

#[test]
fn an_idle_actor_lives_for_as_long_as_somebody_speaks_to_it() {
    hold("transient::an_idle_actor_lives_for_as_long_as_somebody_speaks_to_it", |rig| {
        let guest = rig.root(Definition::of::<Transient<Guest>>());
        let clock = rig.clock();
        let start = clock();
        let mut last = start;
        for number in 0..20i64 {
            rig.tell(guest, number);
            last = clock();
            rig.wait::<i64>(number as usize + 1);
            rig.pass(TIME / 8);
        }
        assert!(clock() - start >= 2 * TIME);
        // A failure is built anew inside and changes nothing of its time.
        rig.tell(guest, -1i64);
        rig.wait::<PoisonMessage>(1);
        rig.until("it is gone", || rig.status(guest).is_none());
        assert!(clock() - last >= TIME, "it was gone {:?} after its last message", clock() - last);
    });
}

#[test]
fn a_troupe_may_be_transient() {
    hold("transient::a_troupe_may_be_transient", |rig| {
        rig.offer(Definition::of::<TroupeWorker<Guest>>());
        let troupe = rig.root(Definition::of::<Transient<Troupe<Guest>>>());
        rig.tell(troupe, 3i64);
        assert_eq!(rig.wait::<i64>(1), [3]);
        assert_eq!(rig.count(), 2);
        rig.until("all are gone", || rig.count() == 0);
    });
}
