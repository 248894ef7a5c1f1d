//! Large messages between two actors, whatever the types and nodes between them are.

use odeon::{Address, Context, Message, PoisonMessage, actor};
use serde::{Deserialize, Serialize};

/// Has a [`Courier`] send so many bytes to another one, a small message after them, and say what came back.
#[derive(Debug, Clone, Serialize, Deserialize, Message)]
pub struct Deliver {
    /// The other courier.
    pub to: Address,
    /// How many.
    pub bytes: u64,
}

#[derive(Serialize, Deserialize, Message)]
struct Parcel(#[serde(with = "odeon::bytes")] Vec<u8>);

/// How many parcels did you have before this?
#[derive(Serialize, Deserialize, Message)]
struct Before(Option<u64>);

impl Parcel {
    fn of(bytes: u64) -> Self {
        Self((0..bytes).map(|n| (n % 251) as u8).collect())
    }
}

/// Sends parcels, and sends back those of others.
#[derive(Default)]
pub struct Courier {
    order: Option<(Deliver, Address)>,
    came: u64,
    before: Option<u64>,
}

#[actor]
impl Courier {
    #[handler]
    fn deliver(&mut self, deliver: &Deliver, cx: &mut Context) {
        cx.send(deliver.to, Parcel::of(deliver.bytes));
        cx.send(deliver.to, Before(None));
        self.order = Some((deliver.clone(), cx.sender()));
    }

    #[handler]
    fn parcel(&mut self, parcel: &Parcel, cx: &mut Context) {
        match self.order.take() {
            None => {
                self.came += 1;
                cx.reply(Parcel(parcel.0.clone()));
            }
            Some((deliver, tell)) => {
                let same = parcel.0 == Parcel::of(deliver.bytes).0;
                cx.send(tell, format!("{} bytes came back, the same: {same}", parcel.0.len()));
            }
        }
    }

    #[handler]
    fn before(&mut self, before: &Before, cx: &mut Context) {
        match before.0 {
            None => cx.reply(Before(Some(self.came))),
            came => self.before = came,
        }
    }

    #[handler]
    fn asked(&mut self, _: &String, cx: &mut Context) {
        cx.reply(format!("{:?} before the small message", self.before));
    }

    #[handler]
    fn poison(&mut self, poison: &PoisonMessage, cx: &mut Context) {
        if let Some((_, tell)) = self.order.take() {
            cx.send(tell, format!("not sent: {}", poison.details));
        }
    }
}
