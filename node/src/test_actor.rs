//! The actor that every node has linked in, to try things with.

use odeon::{ActorType, AnyMessage, CapabilityView, Context, Failure, Requirements};

/// Answers what it got; `create` makes another, `warn TEXT` and `info TEXT` log, `fail` panics.
#[derive(Default)]
pub(crate) struct TestActor;

impl odeon::Actor for TestActor {
    fn receive(&mut self, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
        if message.name().starts_with("odeon.") {
            return Ok(());
        }
        let text = match message.get::<String>() {
            Some(text) => text.clone(),
            None => format!("{:?}", message.to_value()?),
        };
        match text.split_once(' ').unwrap_or((&text, "")) {
            ("create", "") => cx.reply(cx.create_actor::<TestActor>().start()),
            ("warn", line) => {
                cx.warn(line);
                cx.reply("logged".to_owned());
            }
            ("info", line) => {
                cx.info(line);
                cx.reply("logged".to_owned());
            }
            ("fail", "") => panic!("asked to fail"),
            _ => cx.reply(format!("TestActor @ {} got: {text}", cx.my_address())),
        }
        Ok(())
    }
}

impl ActorType for TestActor {
    const NAME: &'static str = "odeon.TestActor";
    const REQUIRED: &'static [&'static str] = &[];

    fn create() -> Result<Self, Failure> {
        Ok(Self)
    }

    fn check(_: &dyn CapabilityView, _: &Requirements) -> bool {
        true
    }
}
