//! What an actor asks of its node while it handles a message, done in its order.
//!
//! Nearly everything is done at once, in the thread that reads. A creation may take as long as a constructor does, and what
//! follows it waits for it on a thread of its own: the process can be asked to build that very child meanwhile.

use super::limits::ProcessLimits;
use odeon::host::{Host, Level};
use odeon::process::{FromChild, ToChild, limits::LINE_BYTES_MAX};
use odeon::{ActorStatusRequest, AnyMessage, Encoded, Ending, Message, Suspended, Wakeup};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// One thing to do for an actor.
pub(super) enum Call {
    Ask(FromChild),
    End(Suspended, Ending),
}

/// The calls of one message.
pub(super) struct Calls {
    host: Arc<dyn Host>,
    limits: ProcessLimits,
    account: Mutex<Account>,
    /// What waits for a creation; none where nothing does.
    behind: Mutex<Option<VecDeque<Call>>>,
}

struct Account {
    calls_left: u64,
    bytes_left: usize,
}

impl Calls {
    pub(super) fn new(host: Arc<dyn Host>, limits: ProcessLimits) -> Arc<Self> {
        let account = Account { calls_left: limits.host_calls_max, bytes_left: limits.outgoing_bytes_max };
        Arc::new(Self { host, limits, account: Mutex::new(account), behind: Mutex::default() })
    }

    /// Counts a call of so many bytes. An error says which bound it breaks.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), String> {
        let ProcessLimits { host_calls_max, outgoing_bytes_max, .. } = self.limits;
        let mut account = self.account.lock();
        account.calls_left = account
            .calls_left
            .checked_sub(1)
            .ok_or_else(|| format!("called the node more than {host_calls_max} times for one message"))?;
        account.bytes_left = account
            .bytes_left
            .checked_sub(bytes)
            .ok_or_else(|| format!("handed the node more than {outgoing_bytes_max} bytes for one message"))?;
        Ok(())
    }

    /// Does a call, or what it has to wait for first. What it is answered goes to `answers`.
    pub(super) fn next(self: &Arc<Self>, call: Call, answers: &mpsc::Sender<ToChild>) {
        let mut behind = self.behind.lock();
        if let Some(behind) = &mut *behind {
            return behind.push_back(call);
        }
        if !matches!(call, Call::Ask(FromChild::Create { .. })) {
            drop(behind);
            if let Some(answer) = self.perform(call) {
                // An actor that waits for one answer asks for no other.
                let _ = answers.try_send(answer);
            }
            return;
        }
        *behind = Some(VecDeque::from([call]));
        drop(behind);
        let (calls, answers) = (self.clone(), answers.clone());
        tokio::task::spawn_blocking(move || calls.perform_waiting(&answers));
    }

    fn perform_waiting(&self, answers: &mpsc::Sender<ToChild>) {
        loop {
            let mut behind = self.behind.lock();
            let Some(call) = behind.as_mut().and_then(VecDeque::pop_front) else {
                *behind = None;
                return;
            };
            drop(behind);
            if let Some(answer) = self.perform(call) {
                // Where nobody takes it, the process is gone.
                let _ = answers.blocking_send(answer);
            }
        }
    }

    fn perform(&self, call: Call) -> Option<ToChild> {
        let asked = match call {
            Call::Ask(asked) => asked,
            Call::End(suspended, ending) => {
                suspended.end(ending);
                return None;
            }
        };
        let message = |name, bytes| AnyMessage::from_encoded(Encoded { name, bytes });
        match asked {
            FromChild::Send { to, name, .. } if name == ActorStatusRequest::NAME => self.host.request_status(to),
            FromChild::Send { to, name, bytes, .. } => self.host.send(to, message(name, bytes)),
            FromChild::Create { actor, request } => {
                return Some(ToChild::Created { actor, child: self.host.create(request) });
            }
            FromChild::Wakeup { actor, delay_ms, payload } => {
                let payload = payload.map(|Encoded { name, bytes }| message(name, bytes));
                let wakeup = self.host.wakeup_after(Duration::from_millis(delay_ms), payload).number();
                return Some(ToChild::Wakeup { actor, wakeup });
            }
            FromChild::CancelWakeup { wakeup, .. } => self.host.cancel_wakeup(Wakeup::from_number(wakeup)),
            FromChild::Defer { .. } => self.host.defer(),
            FromChild::ResumeDeferred { .. } => self.host.resume_deferred(),
            FromChild::Exit { .. } => self.host.exit(),
            FromChild::Capabilities { actor } => {
                let capabilities = (*self.host.capabilities()).clone();
                return Some(ToChild::Capabilities { actor, capabilities });
            }
            FromChild::UpdateCapability { key, value, .. } => self.host.update_capability(key, value),
            FromChild::Watch { topic, on, .. } => self.host.watch(topic, on),
            FromChild::RegisterSourceAuthority { .. } => self.host.register_source_authority(),
            FromChild::Log { level, text, .. } => self.log(level, &text),
            _ => {}
        }
        None
    }

    fn log(&self, level: Level, text: &str) {
        self.host.log(level, &text[..text.floor_char_boundary(LINE_BYTES_MAX)]);
    }
}
