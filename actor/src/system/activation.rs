//! One turn of an actor on a worker: messages one at a time, and what follows when one fails.

use super::caught::{caught, dropped};
use super::cell::{Body, Cell};
use super::family::End;
use super::mailbox::{ActorState, Mail};
use crate::host::{Host, Level};
use crate::message::Encoded;
use crate::{
    ActorExitRequest, AnyMessage, ChildActorExited, Context, Failure, ImageAvailable, ImageUnavailable, MemberChanged,
    MemberJoined, MemberLost, Message, PoisonMessage,
};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What the system itself tells: nobody needs to hear that an actor failed on it.
const UNANSWERED: [&str; 7] = [
    PoisonMessage::NAME,
    ChildActorExited::NAME,
    MemberJoined::NAME,
    MemberLost::NAME,
    MemberChanged::NAME,
    ImageAvailable::NAME,
    ImageUnavailable::NAME,
];

impl Cell {
    /// Handles up to `messages_max` messages. Says whether the actor wants another turn.
    pub(super) fn activate(self: &Arc<Self>, messages_max: usize) -> bool {
        let mut body = self.body.lock();
        let body = &mut *body;
        self.mailbox.lock().state = ActorState::Running;
        let mut cx = Context::new(self.clone() as Arc<dyn Host>, self.address);
        for _ in 0..messages_max {
            let taken = body.batch.pop_front();
            let Some(mail) = taken.or_else(|| self.mailbox.lock().take(&mut body.batch)) else { break };
            let end = self.handle(body, &mut cx, &mail);
            dropped(mail);
            let own = || End { reason: "it exited by itself".to_owned(), recursive: true };
            if let Some(end) = end.or_else(|| self.exits.load(Relaxed).then(own)) {
                self.end(body, end);
                return false;
            }
            if self.is_pressed.load(Relaxed) {
                break;
            }
        }
        self.settle(body)
    }

    /// Ends a turn.
    fn settle(self: &Arc<Self>, body: &mut Body) -> bool {
        let pressed = match self.is_pressed.swap(false, Relaxed) {
            true => self.pressed.lock().take(),
            false => None,
        };
        let mut mailbox = self.mailbox.lock();
        mailbox.taken = body.batch.len();
        let released = mailbox.released();
        let again = mailbox.len() > 0;
        if !again {
            mailbox.trim();
            if body.batch.capacity() > 0 {
                body.batch = Default::default();
            }
        }
        mailbox.state = match (&pressed, again) {
            (Some(_), _) => ActorState::PutAside,
            (None, true) => ActorState::Queued,
            (None, false) => ActorState::Idle,
        };
        drop(mailbox);
        released.iter().for_each(Cell::go_on);
        match pressed {
            None => again,
            Some(by) => {
                self.put_aside(by);
                false
            }
        }
    }

    /// Hands one message to the actor, twice if it must.
    fn handle(&self, body: &mut Body, cx: &mut Context, mail: &Mail) -> Option<End> {
        // Only one thread at a time runs the actor, so this needs no atomic addition.
        self.received.store(self.received.load(Relaxed) + 1, Relaxed);
        cx.set_sender(mail.sender);
        let exit = exit_request(&mail.message);
        let first = attempt(body, &mail.message, cx);
        if let Some(exit) = exit {
            if let Err(failure) = &first {
                self.log(Level::Warn, &format!("failed while it was asked to exit: {failure}"));
            }
            return Some(End { reason: "it was asked to exit".to_owned(), recursive: exit.recursive });
        }
        let failure = first.err()?;
        self.log(Level::Info, &format!("failed on {}, is given it once more: {failure}", mail.message.name()));
        if let Some(end) = self.rebuild(body) {
            self.core.dead(self.address, Mail { sender: mail.sender, message: mail.message.clone() });
            return Some(end);
        }
        let failure = attempt(body, &mail.message, cx).err()?;
        self.log(Level::Warn, &format!("failed twice on {}: {failure}", mail.message.name()));
        self.poison(mail, &failure);
        self.rebuild(body)
    }

    /// Replaces the actor by a new one. When there is none the actor ends.
    fn rebuild(&self, body: &mut Body) -> Option<End> {
        dropped(body.actor.take());
        match self.build() {
            Ok(actor) => {
                body.actor = Some(actor);
                None
            }
            Err(failure) => {
                let reason = format!("it failed and could not be built again: {failure}");
                self.log(Level::Error, &reason);
                Some(End { reason, recursive: true })
            }
        }
    }

    /// Tells the sender that its message failed twice. A poison message that fails ends there, as does whatever
    /// else the system itself tells.
    fn poison(&self, mail: &Mail, failure: &Failure) {
        if UNANSWERED.contains(&mail.message.name()) {
            return;
        }
        let mut details = failure.to_string();
        let message = mail.message.encode().unwrap_or_else(|error| {
            details.push_str(&format!(" ({error})"));
            Encoded { name: mail.message.name().to_owned(), bytes: Vec::new() }
        });
        let poison = PoisonMessage { actor: self.address, message, details };
        self.send(mail.sender, AnyMessage::new(poison));
    }
}

fn attempt(body: &mut Body, message: &AnyMessage, cx: &mut Context) -> Result<(), Failure> {
    let Some(actor) = &mut body.actor else { unreachable!("a running actor is there") };
    caught(|| actor.receive(message, cx)).and_then(|handled| handled)
}

/// The name decides first: an untyped value that happens to look like a request is none.
fn exit_request(message: &AnyMessage) -> Option<&ActorExitRequest> {
    if message.name() == ActorExitRequest::NAME { message.get() } else { None }
}
