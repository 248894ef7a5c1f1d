//! One turn of an actor on a worker: messages one at a time, and what follows when one fails.

use super::caught::{caught, dropped};
use super::cell::{Body, Cell};
use super::deferral::after;
use super::family::End;
use super::lock::Locked;
use super::mailbox::{ActorState, Mail, Mailbox};
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
        let mut mailbox = self.mailbox.lock();
        mailbox.state = ActorState::Running;
        if body.batch.is_empty() && body.open.is_none() {
            mailbox.take(&mut body.batch);
        }
        drop(mailbox);
        let host = body.host.take().unwrap_or_else(|| self.clone() as Arc<dyn Host>);
        let mut cx = Context::new(host, self.address);
        for _ in 0..messages_max {
            if body.batch.is_empty() && body.open.is_none() {
                let mut mailbox = self.mailbox.lock();
                if !mailbox.take(&mut body.batch) {
                    return self.settle(body, cx, mailbox, None);
                }
            }
            let step = match body.open.take() {
                Some(open) => Step::Open(*open),
                None => self.first(body, &mut cx),
            };
            let end = match step {
                Step::Over(end) => end,
                Step::Open(open) => match self.followed(body, &mut cx, open) {
                    Some(end) => end,
                    None => return false,
                },
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
        let pressed = match self.is_pressed.swap(false, Relaxed) {
            true => self.pressed.lock().clone(),
            false => None,
        };
        self.settle(body, cx, self.mailbox.lock(), pressed)
    }

    /// Ends a turn. `mailbox` is the actor's own.
    fn settle(
        self: &Arc<Self>,
        body: &mut Body,
        cx: Context,
        mut mailbox: Locked<'_, Mailbox>,
        pressed: Option<Pressed>,
    ) -> bool {
        if mailbox.state == ActorState::Exiting {
            // The system was cleared meanwhile. An actor that keeps itself would stay for ever.
            return false;
        }
        body.host = Some(cx.into_host());
        mailbox.note_taken(body.batch.len());
        let released = mailbox.released();
        let again = mailbox.len() > 0;
        if !again {
            mailbox.trim(&mut body.batch);
        }
        mailbox.state = match (&pressed, again) {
            (Some(Pressed::Rate), _) => ActorState::Resting,
            (Some(_), _) => ActorState::PutAside,
            (None, true) => ActorState::Queued,
            (None, false) => ActorState::Idle,
        };
        drop(mailbox);
        self.let_go(released, Cell::go_on_after_this);
        match pressed {
            None => again,
            Some(by) => {
                self.put_aside(by);
                false
            }
        }
    }

    /// Hands the first message of the batch to the actor, where it stays until it is handled.
    fn first(&self, body: &mut Body, cx: &mut Context) -> Step {
        // Only one thread at a time runs the actor, so this needs no atomic addition.
        self.received.store(self.received.load(Relaxed) + 1, Relaxed);
        let Body { actor: Some(actor), batch, .. } = body else { unreachable!("a running actor is there") };
        let mut failed = None;
        let mut is_over = false;
        let ran = caught(|| {
            let Some(mail) = batch.front() else { unreachable!("it was looked for") };
            cx.set_sender(mail.sender);
            if let Err(failure) = actor.receive(&mail.message, cx) {
                failed = Some(failure);
                return;
            }
            is_over =
                !self.is_suspended.load(Relaxed) && !self.notes(after::DEFER) && exit_request(&mail.message).is_none();
            if is_over {
                drop(batch.pop_front());
            }
        });
        // A panic of a handled message that is dropped is of no interest to anyone.
        if is_over {
            return Step::Over(None);
        }
        let Some(mail) = batch.pop_front() else { unreachable!("it is handled") };
        self.handled_so(body, cx, Open { mail, again: false }, ran.and(failed.map_or(Ok(()), Err)))
    }

    /// Hands a message to the actor once more.
    fn again(&self, body: &mut Body, cx: &mut Context, mail: Mail) -> Step {
        let Some(actor) = &mut body.actor else { unreachable!("a running actor is there") };
        cx.set_sender(mail.sender);
        let handled = caught(|| actor.receive(&mail.message, cx)).and_then(|handled| handled);
        self.handled_so(body, cx, Open { mail, again: true }, handled)
    }

    fn handled_so(&self, body: &mut Body, cx: &mut Context, open: Open, handled: Result<(), Failure>) -> Step {
        if self.is_suspended.load(Relaxed) {
            self.is_suspended.store(false, Relaxed);
            return Step::Open(open);
        }
        self.attempted(body, cx, open, handled.map_or_else(Ending::Failed, |()| Ending::Handled))
    }

    /// Follows a message that goes on elsewhere. None where the actor is parked until it has ended.
    fn followed(&self, body: &mut Body, cx: &mut Context, mut open: Open) -> Option<Option<End>> {
        loop {
            match self.take_ending() {
                Some(ending) => match self.attempted(body, cx, open, ending) {
                    Step::Over(end) => return Some(end),
                    Step::Open(again) => open = again,
                },
                None => {
                    body.open = Some(Box::new(open));
                    if self.park() {
                        return None;
                    }
                    // It has ended in this very moment.
                    let Some(ended) = body.open.take() else { unreachable!("it was put there") };
                    open = *ended;
                }
            }
        }
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
                        None => return self.again(body, cx, open.mail),
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

/// The name decides first: an untyped value that happens to look like a request is none.
fn exit_request(message: &AnyMessage) -> Option<&ActorExitRequest> {
    message.of_name()
}

#[cfg(test)]
mod tests;
