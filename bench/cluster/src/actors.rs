//! The actors on the side that serves, and what is sent to them.

use odeon_bench::exchange::number;
use ractor::{Actor, ActorProcessingErr, ActorRef, BytesConvertable, RpcReplyPort};
use ractor_cluster::RactorClusterMessage;

/// Bytes that travel as they are: what ractor does for a vector of any numbers copies each by itself.
pub(crate) struct Letter(pub(crate) Vec<u8>);

impl BytesConvertable for Letter {
    fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// What an echo is sent.
#[derive(RactorClusterMessage)]
pub(crate) enum ToEcho {
    /// Sends the letter back.
    #[rpc]
    Letter(Letter, RpcReplyPort<Letter>),
}

/// What a sink is sent.
#[derive(RactorClusterMessage)]
pub(crate) enum ToSink {
    /// Letters are counted from now on, the first of which has the number 0.
    #[rpc]
    Begin(RpcReplyPort<u64>),
    /// One of them.
    Letter(Letter),
    /// Asks how many came in their order, after the last one.
    #[rpc]
    InOrder(RpcReplyPort<u64>),
}

type Handled = Result<(), ActorProcessingErr>;

/// Sends every letter back.
pub(crate) struct Echo;

impl Actor for Echo {
    type Msg = ToEcho;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<ToEcho>, (): ()) -> Handled {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<ToEcho>, ToEcho::Letter(letter, reply): ToEcho, (): &mut ()) -> Handled {
        reply.send(letter)?;
        Ok(())
    }
}

/// Checks that letters come in order.
pub(crate) struct Sink;

#[derive(Default)]
pub(crate) struct Arrived {
    letters: u64,
    in_order: u64,
}

impl Actor for Sink {
    type Msg = ToSink;
    type State = Arrived;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<ToSink>, (): ()) -> Result<Arrived, ActorProcessingErr> {
        Ok(Arrived::default())
    }

    async fn handle(&self, _: ActorRef<ToSink>, message: ToSink, arrived: &mut Arrived) -> Handled {
        match message {
            ToSink::Begin(reply) => {
                *arrived = Arrived::default();
                reply.send(0)?;
            }
            ToSink::Letter(Letter(letter)) => {
                arrived.in_order += u64::from(number(&letter) == Some(arrived.letters));
                arrived.letters += 1;
            }
            ToSink::InOrder(reply) => reply.send(arrived.in_order)?,
        }
        Ok(())
    }
}
