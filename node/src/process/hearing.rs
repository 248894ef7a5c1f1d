//! What a process says, held against what it was asked.

use super::calls::Call;
use super::child::{Said, broken};
use super::flight::{Flight, InTheAir, Key};
use super::floor::{Floor, cut};
use super::work::{Checking, Work, tell};
use odeon::process::limits::LINE_BYTES_MAX;
use odeon::process::{FromChild, ToChild};
use odeon::{Ending, Failure};

impl Floor<'_> {
    /// Takes in one frame. An error says which rule or bound the process breaks.
    pub(super) fn heard(&mut self, said: Said) -> Result<(), String> {
        let (frame, bytes) = said.map_err(|error| broken(&error))?;
        match frame {
            FromChild::Hello { .. } => Err("it said hello twice".to_owned()),
            FromChild::Described { call, actors } => match self.land(Key::Call(call))? {
                Flight::Describe(says) => {
                    tell(&says, Ok(actors));
                    Ok(())
                }
                _ => Err(unasked("described")),
            },
            FromChild::Read { call, key } => match self.air.get_mut(&Key::Call(call)) {
                Some(InTheAir { flight: Flight::Check(check), asks, .. }) if !*asks => {
                    *asks = check.says.try_send(Checking::Reads(key)).is_ok();
                    if *asks { Ok(()) } else { self.child.say(&ToChild::Capability { call, value: None }) }
                }
                _ => Err(unasked("read")),
            },
            FromChild::Checked { call, accepted, error } => match self.land(Key::Call(call))? {
                Flight::Check(check) => {
                    let says = error.map_or(Ok(accepted), |error| Err(Failure::new(cut(&error))));
                    tell(&check.says, Checking::Says(says));
                    Ok(())
                }
                _ => Err(unasked("checked")),
            },
            FromChild::Built { actor, error } => self.built(actor, error.as_deref()),
            FromChild::Done { actor, error } => match self.land(Key::Actor(actor))? {
                Flight::Message { end, calls } => {
                    if error.is_some() {
                        self.served.0.accounts.failed();
                    }
                    let ending = error.map_or(Ending::Handled, |error| Ending::Failed(Failure::new(cut(&error))));
                    calls.next(Call::End(end, ending), &self.answers.0);
                    Ok(())
                }
                _ => Err(unasked("done")),
            },
            FromChild::Log { actor: None, level, text } => {
                let text = &text[..text.floor_char_boundary(LINE_BYTES_MAX)];
                tracing::debug!(image = &*self.served.0.hash, ?level, "{text}");
                Ok(())
            }
            FromChild::Send { actor, .. }
            | FromChild::Create { actor, .. }
            | FromChild::Wakeup { actor, .. }
            | FromChild::CancelWakeup { actor, .. }
            | FromChild::Defer { actor }
            | FromChild::ResumeDeferred { actor }
            | FromChild::Exit { actor }
            | FromChild::Capabilities { actor }
            | FromChild::UpdateCapability { actor, .. }
            | FromChild::Watch { actor, .. }
            | FromChild::RegisterSourceAuthority { actor }
            | FromChild::Log { actor: Some(actor), .. } => {
                let Some(InTheAir { flight: Flight::Message { calls, .. }, asks, .. }) =
                    self.air.get_mut(&Key::Actor(actor))
                else {
                    return Err("it asked for something in the name of an actor that handles no message".to_owned());
                };
                calls.spend(bytes)?;
                *asks |= matches!(frame, FromChild::Create { .. });
                calls.clone().next(Call::Ask(frame), &self.answers.0);
                Ok(())
            }
        }
    }

    fn built(&mut self, actor: u64, error: Option<&str>) -> Result<(), String> {
        let failure = error.map(|error| Failure::new(cut(error)));
        let flight = self.land(Key::Actor(actor))?;
        if failure.is_none() {
            self.built.insert(actor);
        }
        match (flight, failure) {
            (Flight::Build(says), failure) => {
                tell(&says, failure.map_or(Ok(()), Err));
                Ok(())
            }
            (Flight::Before(letter), None) => {
                self.served.0.put_back(Work::Message(letter));
                Ok(())
            }
            (Flight::Before(letter), Some(failure)) => {
                letter.end.end(Ending::Unbuilt(failure));
                Ok(())
            }
            _ => Err(unasked("built")),
        }
    }

    fn land(&mut self, key: Key) -> Result<Flight, String> {
        self.air.remove(&key).map(|in_the_air| in_the_air.flight).ok_or_else(|| unasked("an answer"))
    }
}

fn unasked(what: &str) -> String {
    format!("it broke the protocol: it said {what} without being asked")
}
