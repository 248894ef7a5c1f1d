//! The actor that decides on images for this node alone: it is created when the node starts, and nothing takes its place.

use super::Hosting;
use hashbrown::HashSet;
use odeon::Address;
use odeon::system::{ActorStatus, Spawn};
use odeon_convention::types::AuthorityActor;
use parking_lot::Mutex;
use tokio::sync::watch;

/// Who it is, once it is there.
#[derive(Default)]
pub(super) struct Own {
    who: Mutex<Option<AuthorityActor>>,
    gone: watch::Sender<bool>,
}

impl Hosting {
    /// Creates it, whatever it requires of a node: the operator has said where. Runs its constructor.
    pub(crate) fn appoint_own(&self, actor: &str) -> Result<(), String> {
        let definition =
            self.definitions.find(None, actor).ok_or_else(|| format!("there is no actor type {actor:?}"))?;
        let spawn = Spawn { definition, parent: None, global_name: None, address: None };
        let address = self.system().spawn(spawn).map_err(|e| e.to_string())?;
        tracing::info!(actor, %address, "this node has a Source Authority of its own");
        *self.own.who.lock() = Some(AuthorityActor { address, node: self.me, actor: actor.to_owned(), image: None });
        if self.system().status(address).is_none() {
            // It was so quick that nobody knew who it was.
            self.own_exited(address);
        }
        Ok(())
    }

    /// The node stops, and with it this actor.
    pub(crate) fn dismiss_own(&self) {
        self.own.who.lock().take();
    }

    /// Who decides here; none once it is gone, or where nobody ever did.
    pub(crate) fn own_authority(&self) -> Option<AuthorityActor> {
        self.own_appointed().filter(|(_, lives)| *lives).map(|(who, _)| who)
    }

    /// Who was created to decide here, and whether it lives.
    pub(crate) fn own_appointed(&self) -> Option<(AuthorityActor, bool)> {
        let lives = !*self.own.gone.borrow();
        self.own.who.lock().clone().map(|who| (who, lives))
    }

    /// Returns once it is gone.
    pub(crate) async fn own_is_gone(&self) {
        // The sender is here as long as this is.
        let _ = self.own.gone.subscribe().wait_for(|gone| *gone).await;
    }

    /// An actor here is gone, whichever.
    pub(super) fn own_exited(&self, address: Address) {
        if let Some(who) = self.own.who.lock().as_ref().filter(|who| who.address == address)
            && !self.own.gone.send_replace(true)
        {
            let then = "until the node's next start it uses what was approved, and no other image";
            tracing::warn!(authority = %who, then, "this node's own Source Authority is gone");
        }
    }

    /// That actor and all that descend from it here: a node that becomes empty needs them until it takes no image any more.
    pub(super) fn own_family(&self, actors: &[ActorStatus]) -> HashSet<Address> {
        let mut family: HashSet<Address> = self.own_authority().map(|who| who.address).into_iter().collect();
        let mut before = 0;
        while family.len() != before {
            before = family.len();
            let children = actors.iter().filter(|actor| actor.parent.is_some_and(|parent| family.contains(&parent)));
            let children: Vec<Address> = children.map(|actor| actor.address).collect();
            family.extend(children);
        }
        family
    }
}
