//! One turn of an actor on a worker: messages one at a time, and what follows when one fails.

use super::caught::{caught, dropped};
use super::cell::{Body, Cell};
use super::deferral::after;
use super::family::End;
use super::mailbox::{ActorState, Mail};
use super::pressure::Pressed;
use super::suspension::Open;
use crate::host::{Host, Level};
use crate::{
    ActorExitRequest, AnyMessage, ChildActorExited, Context, Ending, Failure, ImageAvailable, ImageUnavailable,
    MemberChanged, MemberJoined, MemberLost, Message, PoisonMessage,
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

/// Where a message stands after a step.
enum Step {
    /// It is over; perhaps the actor is, too.
    Over(Option<End>),
    /// It goes on elsewhere.
    Open(Open),
}

impl Cell {
    /// Handles up to `messages_max` messages. Says whether the actor wants another turn.
    pub(super) fn activate(self: &Arc<Self>, messages_max: usize) -> bool {
        let mut body = self.body.lock();
        let body = &mut *body;
        self.mailbox.lock().state = ActorState::Running;
        let mut cx = Context::new(self.clone() as Arc<dyn Host>, self.address);
        for _ in 0..messages_max {
            let mut step = match body.open.take() {
                Some(open) => Step::Open(open),
                None => {
                    let taken = body.batch.pop_front();
                    let Some(mail) = taken.or_else(|| self.mailbox.lock().take(&mut body.batch)) else { break };
                    // Only one thread at a time runs the actor, so this needs no atomic addition.
                    self.received.store(self.received.load(Relaxed) + 1, Relaxed);
                    self.handle(body, &mut cx, Open { mail, again: false })
                }
            };
            let end = loop {
                match step {
                    Step::Over(end) => break end,
                    Step::Open(open) => match self.take_ending() {
                        Some(ending) => step = self.attempted(body, &mut cx, open, ending),
                        None => {
                            body.open = Some(open);
                            if self.park() {
                                return false;
                            }
                            // It has ended in this very moment.
                            let Some(open) = body.open.take() else { unreachable!("it was put there") };
                            step = Step::Open(open);
                        }
                    },
                }
            };
            let own = || End { reason: "it exited by itself".to_owned(), recursive: true };
            let after = self.after.load(Relaxed) & (after::EXIT | after::RESUME);
            if let Some(end) = end.or_else(|| (after & after::EXIT != 0).then(own)) {
                self.end(body, end);
                return false;
            }
            if after != 0 {
                self.bring_back(body);
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
            (Some(Pressed::Rate), _) => ActorState::Resting,
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

    /// Hands a message to the actor.
    fn handle(&self, body: &mut Body, cx: &mut Context, open: Open) -> Step {
        cx.set_sender(open.mail.sender);
        let handled = attempt(body, &open.mail.message, cx);
        if self.is_suspended.load(Relaxed) {
            self.is_suspended.store(false, Relaxed);
            return Step::Open(open);
        }
        self.attempted(body, cx, open, handled.map_or_else(Ending::Failed, |()| Ending::Handled))
    }

    /// What follows from how a message ended: nothing, another attempt, or the end of the actor.
    fn attempted(&self, body: &mut Body, cx: &mut Context, open: Open, ending: Ending) -> Step {
        let mail = &open.mail;
        let end = if open.again {
            self.after_the_second(body, mail, ending)
        } else if let Some(exit) = exit_request(&mail.message) {
            if let Ending::Failed(failure) | Ending::Unbuilt(failure) = &ending {
                self.log(Level::Warn, &format!("failed while it was asked to exit: {failure}"));
            }
            Some(End { reason: "it was asked to exit".to_owned(), recursive: exit.recursive })
        } else {
            match ending {
                Ending::Handled => self.handled(mail),
                Ending::Unbuilt(failure) => Some(self.unbuilt(mail, &failure)),
                Ending::Failed(failure) => {
                    self.unnote(after::DEFER);
                    let name = mail.message.name();
                    self.log(Level::Info, &format!("failed on {name}, is given it once more: {failure}"));
                    match self.rebuild_after(body, &failure) {
                        None => return self.handle(body, cx, Open { again: true, ..open }),
                        Some(end) => {
                            self.bury(mail);
                            Some(end)
                        }
                    }
                }
            }
        };
        dropped(open);
        Step::Over(end)
    }

    /// A message is handled, or put off.
    fn handled(&self, mail: &Mail) -> Option<End> {
        if self.notes(after::DEFER) {
            self.put_off(mail);
        }
        None
    }

    fn after_the_second(&self, body: &mut Body, mail: &Mail, ending: Ending) -> Option<End> {
        match ending {
            Ending::Handled => self.handled(mail),
            Ending::Unbuilt(failure) => Some(self.unbuilt(mail, &failure)),
            Ending::Failed(failure) => {
                self.unnote(after::DEFER);
                self.log(Level::Warn, &format!("failed twice on {}: {failure}", mail.message.name()));
                self.poison(mail, &failure);
                self.rebuild_after(body, &failure)
            }
        }
    }

    /// There is no actor any more to give a message to.
    fn unbuilt(&self, mail: &Mail, failure: &Failure) -> End {
        self.bury(mail);
        self.cannot_be_built(failure)
    }

    fn bury(&self, mail: &Mail) {
        self.core.dead(self.address, Mail { sender: mail.sender, message: mail.message.clone() });
    }

    fn cannot_be_built(&self, failure: &Failure) -> End {
        let reason = format!("it failed and could not be built again: {failure}");
        self.log(Level::Error, &reason);
        End { reason, recursive: true }
    }

    /// Replaces the actor after a failure, unless it has seen to that itself.
    fn rebuild_after(&self, body: &mut Body, failure: &Failure) -> Option<End> {
        if failure.is_rebuilt() { None } else { self.rebuild(body) }
    }

    /// Replaces the actor by a new one. When there is none the actor ends.
    fn rebuild(&self, body: &mut Body) -> Option<End> {
        dropped(body.actor.take());
        match self.build() {
            Ok(actor) => {
                body.actor = Some(actor);
                None
            }
            Err(failure) => Some(self.cannot_be_built(&failure)),
        }
    }

    /// Tells the sender that its message failed twice. A poison message that fails ends there, as does whatever
    /// else the system itself tells.
    pub(super) fn poison(&self, mail: &Mail, failure: &Failure) {
        if UNANSWERED.contains(&mail.message.name()) {
            return;
        }
        let poison = PoisonMessage::new(self.address, &mail.message, failure.to_string());
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
