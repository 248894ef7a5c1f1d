//! Inviting a node that waits for it, and what is under way of that.
//!
//! An invitation lives in the memory of the node that leads, for as long as that leads and no longer than its time. It
//! is listed and can be taken back until the node is there; what is handed over then is a token like any other.

use super::leaders::FOLLOWS_LOOK;
use super::{NodeBackend, Outcome, failed, led, not_leading};
use crate::admin::protocol::{Failed, InvitationItem, Reply};
use crate::driver::View;
use crate::identity::InviteCode;
use crate::ledger::Ledger;
use crate::link::invite::{self, InviteError};
use crate::logs::time;
use odeon_convention::codes;
use odeon_convention::types::Role;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a node that is not up yet is waited for, at most.
const INVITE_TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long a node that was invited has to come with its token.
const INVITED_TTL_S: u64 = 600;
/// Invitations that are under way at once.
const INVITATIONS_MAX: usize = 1024;

/// Those that this node dials.
#[derive(Default)]
pub(crate) struct Invitations(Mutex<Open>);

#[derive(Default)]
struct Open {
    last: u64,
    /// In the order in which they began.
    all: BTreeMap<u64, (InvitationItem, oneshot::Sender<()>)>,
}

/// An invitation is listed for as long as this lives.
struct Listed<'a> {
    invitations: &'a Invitations,
    number: u64,
}

impl Invitations {
    fn list(&self) -> Vec<InvitationItem> {
        self.0.lock().all.values().map(|(item, _)| item.clone()).collect()
    }

    /// Adds one; the receiver is told when it is taken back.
    fn begin(&self, item: InvitationItem) -> Result<(Listed<'_>, oneshot::Receiver<()>), Failed> {
        let mut open = self.0.lock();
        if open.all.len() >= INVITATIONS_MAX {
            let message = format!("{INVITATIONS_MAX} invitations are under way already, as many as may be at once");
            return Err(failed(codes::INTERNAL, message));
        }
        open.last += 1;
        let number = open.last;
        let (cancel, cancelled) = oneshot::channel();
        open.all.insert(number, (item, cancel));
        Ok((Listed { invitations: self, number }, cancelled))
    }

    /// Takes back all of an address, and says whether there was one.
    fn cancel(&self, address: &str) -> bool {
        let mut found = false;
        for (_, (_, cancel)) in self.0.lock().all.extract_if(.., |_, (item, _)| item.address == address) {
            // Whoever waits for it looks once more when it is not listed any longer.
            let _ = cancel.send(());
            found = true;
        }
        found
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.invitations.0.lock().all.remove(&self.number);
    }
}

impl NodeBackend {
    /// Dials a node that waits, and hands it a token of one use.
    pub(super) async fn invite(
        &self,
        address: &str,
        code: &str,
        claims: Option<Vec<String>>,
        timeout_ms: u64,
    ) -> Outcome {
        let code = code.parse::<InviteCode>().map_err(|e| failed(e.code(), e.to_string()))?;
        let lost = |e: InviteError| failed(e.code(), e.to_string());
        let time = Duration::from_millis(timeout_ms).min(INVITE_TIME_MAX);
        let (listed, mut cancelled) = self.invitations.begin(item(address, claims.clone(), time))?;
        let dialled = tokio::select! {
            dialled = invite::dial(address, &code, Instant::now() + time) => dialled.map_err(lost),
            _ = &mut cancelled => Err(taken_back(address)),
            () = leads_no_more(self.ledger.as_ref()) => Err(not_leading()),
        };
        drop(listed);
        if cancelled.try_recv().is_ok() {
            return Err(taken_back(address));
        }
        let waiting = dialled?;
        match self.create_token(Role::Member, INVITED_TTL_S, Some(1), claims).await? {
            Reply::Token(token) => waiting.invite(&token).await.map_err(lost)?,
            _ => return Err(failed(codes::INTERNAL, "the leader made no token")),
        }
        Ok(Reply::Done)
    }

    /// What is under way.
    pub(super) fn invitations(&self, view: &View) -> Outcome {
        led(view).map(|_| Reply::Invitations(self.invitations.list()))
    }

    /// Has a node not be dialled any more. Whoever invited it is told.
    pub(super) fn cancel_invitation(&self, view: &View, address: &str) -> Outcome {
        led(view)?;
        match self.invitations.cancel(address) {
            true => Ok(Reply::Done),
            false => Err(failed(codes::NOT_INVITED, format!("no invitation to {address} is under way"))),
        }
    }
}

fn item(address: &str, claims: Option<Vec<String>>, time: Duration) -> InvitationItem {
    let now_ms = time::now_ms();
    // At most a day, so it fits.
    let until_ms = now_ms + time.as_millis() as u64;
    let [since, until] = [now_ms, until_ms].map(|ms| time::format_s(ms / 1000));
    InvitationItem { address: address.to_owned(), since, until, claims }
}

fn taken_back(address: &str) -> Failed {
    failed(codes::INVITE_CANCELLED, format!("the invitation to {address} was cancelled"))
}

/// Returns once this node does not lead: whoever leads next knows nothing of the invitation, and could not list it.
async fn leads_no_more(ledger: Option<&Ledger>) {
    while ledger.is_some_and(Ledger::may_lead) {
        tokio::time::sleep(FOLLOWS_LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin<'a>(invitations: &'a Invitations, address: &str) -> (Listed<'a>, oneshot::Receiver<()>) {
        invitations.begin(item(address, None, Duration::from_secs(60))).ok().unwrap()
    }

    fn addresses(invitations: &Invitations) -> Vec<String> {
        invitations.list().into_iter().map(|item| item.address).collect()
    }

    #[test]
    fn what_is_taken_back_is_told_and_all_of_its_address_and_nothing_else() {
        let invitations = Invitations::default();
        let (b, mut of_b) = begin(&invitations, "b:1");
        let (_again, mut of_b_again) = begin(&invitations, "b:1");
        let (_a, mut of_a) = begin(&invitations, "a:1");
        assert_eq!(addresses(&invitations), ["b:1", "b:1", "a:1"]);
        assert!(!invitations.cancel("b:11"));
        assert!(invitations.cancel("b:1"));
        assert_eq!(addresses(&invitations), ["a:1"]);
        assert!(of_b.try_recv().is_ok() && of_b_again.try_recv().is_ok() && of_a.try_recv().is_err());
        drop(b);
        assert!(!invitations.cancel("b:1"));
    }

    #[test]
    fn what_is_over_is_not_listed_and_cannot_be_taken_back() {
        let invitations = Invitations::default();
        let (listed, mut cancelled) = begin(&invitations, "a:1");
        drop(listed);
        assert_eq!((addresses(&invitations).len(), invitations.cancel("a:1")), (0, false));
        assert!(cancelled.try_recv().is_err());
    }

    #[test]
    fn invitations_are_bounded_and_one_that_is_over_makes_room() {
        let invitations = Invitations::default();
        let mut all: Vec<_> = (0..INVITATIONS_MAX).map(|n| begin(&invitations, &format!("a:{n}"))).collect();
        let refused = invitations.begin(item("b:1", None, Duration::from_secs(60))).err().unwrap();
        assert!(refused.code == codes::INTERNAL && refused.message.starts_with("1024 invitations"), "{refused:?}");
        all.pop();
        begin(&invitations, "b:1");
    }
}
