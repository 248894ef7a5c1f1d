//! The first example: three actors that greet.
//!
//! The same source is a library of a program (see `examples/hello_goodbye.rs`) and the code of an image.

use odeon::{Address, AnyMessage, Context, Message, actor};
use serde::{Deserialize, Serialize};

/// What is said for World to finish, and who is to hear it.
#[derive(Serialize, Deserialize, Message)]
pub struct Say {
    /// Who hears it.
    pub to: Address,
    /// What comes first.
    pub pre: String,
}

/// Asked "are you there?", has a World finish the greeting.
#[derive(Default)]
pub struct Hello;

#[actor]
impl Hello {
    #[handler]
    fn asked(&mut self, question: &String, cx: &mut Context) {
        if question == "are you there?" {
            let world = cx.create_actor::<World>().start();
            cx.send(world, Say { to: cx.sender(), pre: "Hello,".into() });
        }
    }
}

/// Finishes a greeting.
#[derive(Default)]
pub struct World;

#[actor]
impl World {
    #[handler]
    fn finish(&mut self, say: &Say, cx: &mut Context) {
        cx.send(say.to, format!("{} world!", say.pre));
    }
}

/// Answers whatever it is sent.
#[derive(Default)]
pub struct Goodbye;

#[actor]
impl Goodbye {
    #[fallback]
    fn anything(&mut self, _: &AnyMessage, cx: &mut Context) {
        cx.reply("Goodbye".to_owned());
    }
}

odeon::export!(Hello, World, Goodbye);
