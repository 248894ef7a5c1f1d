//! An actor that watches is told of each join, loss, change and image once and in turn, and knows the truth at the end.

use super::{Checker, Seen};
use odeon::{Address, NodeId, NodeRef, Topic};
use odeon_capabilities::CapabilityMap;
use odeon_convention::record::Record;
use odeon_convention::types::SourceHash;
use odeon_convention::watching::{ImageEntry, MemberEntry, News};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct NewsIsToldOnce {
    registered: BTreeMap<NodeRef, CapabilityMap>,
    gone: BTreeSet<NodeRef>,
    views: BTreeMap<Address, View>,
}

/// What one actor was told since it began to watch.
#[derive(Debug, Default)]
struct View {
    topics: BTreeSet<Topic>,
    there: BTreeMap<NodeId, NodeRef>,
    lost: BTreeSet<NodeRef>,
    /// While it watches capabilities.
    can: BTreeMap<NodeRef, CapabilityMap>,
    /// All that members could do, as was durable at some time since it began to watch and before it was first told that
    /// one of them has changed: what its node knew by then is among that. What is otherwise in the end it has to know.
    could: BTreeMap<NodeRef, Vec<CapabilityMap>>,
    /// Whether it was told that one has changed.
    told: bool,
    images: BTreeSet<SourceHash>,
}

impl View {
    /// What it knew of a topic counts no more.
    fn forget(&mut self, topic: Topic) {
        match topic {
            Topic::Members => {
                self.there.clear();
                self.lost.clear();
            }
            Topic::Capabilities => {
                self.can.clear();
                self.could.clear();
                self.told = false;
            }
            Topic::Images => self.images.clear(),
        }
    }

    fn told(&mut self, news: &News) -> Result<(), String> {
        let topic = match news {
            News::Joined(_) | News::Lost { .. } => Topic::Members,
            News::Changed { .. } => Topic::Capabilities,
            News::Available(_) | News::Unavailable(_) => Topic::Images,
        };
        if !self.topics.contains(&topic) {
            return Err(format!("does not watch {topic:?}"));
        }
        match news {
            News::Joined(member) => self.joined(member),
            News::Lost { node, .. } => self.is_lost(*node),
            News::Changed { member, keys } => self.changed(member, keys),
            News::Available(ImageEntry { hash, .. }) if self.images.insert(*hash) => Ok(()),
            News::Unavailable(ImageEntry { hash, .. }) if self.images.remove(hash) => Ok(()),
            News::Available(_) | News::Unavailable(_) => Err("knows that of the image".to_owned()),
        }
    }

    fn joined(&mut self, member: &MemberEntry) -> Result<(), String> {
        if self.lost.contains(&member.node) {
            return Err("was told that this start is lost".to_owned());
        }
        if let Some(there) = self.there.insert(member.node.id, member.node) {
            return Err(format!("was told that {there} is there, and not that it is lost"));
        }
        if self.topics.contains(&Topic::Capabilities) {
            let before = self.can.insert(member.node, member.capabilities.clone());
            if before.is_some_and(|before| before != member.capabilities) {
                return Err("was told of other capabilities".to_owned());
            }
        }
        Ok(())
    }

    fn is_lost(&mut self, node: NodeRef) -> Result<(), String> {
        self.can.remove(&node);
        self.lost.insert(node);
        match self.there.remove(&node.id) {
            Some(there) if there == node => Ok(()),
            other => Err(format!("knows {other:?} as there")),
        }
    }

    fn changed(&mut self, member: &MemberEntry, keys: &[String]) -> Result<(), String> {
        let Some(before) = self.can.insert(member.node, member.capabilities.clone()) else { return Ok(()) };
        let different: Vec<String> = before.delta_to(&member.capabilities).0.into_keys().collect();
        if different.is_empty() || different != keys {
            return Err(format!("sees {different:?} change"));
        }
        Ok(())
    }

    fn is_true(&self, members: &[(NodeRef, CapabilityMap)], images: &[SourceHash]) -> Result<(), String> {
        let there: BTreeSet<NodeRef> = members.iter().map(|(node, _)| *node).collect();
        let known: BTreeSet<NodeRef> = self.there.values().copied().collect();
        if self.topics.contains(&Topic::Members) && known != there {
            let (missing, wrong) = (there.difference(&known).next(), known.difference(&there).next());
            return Err(format!("was not told of {missing:?}, or that {wrong:?} is lost"));
        }
        let outdated = members.iter().find(|(node, now)| self.can.get(node).is_some_and(|known| known != now));
        if let Some((node, _)) = outdated {
            return Err(format!("was not told what {node} can do now"));
        }
        let was = |node: &NodeRef| self.could.get(node).filter(|_| !self.can.contains_key(node));
        let untold = members.iter().find(|(node, now)| was(node).is_some_and(|before| !before.contains(now)));
        if let Some((node, _)) = untold {
            return Err(format!("was never told that {node} has changed"));
        }
        let usable: BTreeSet<SourceHash> = images.iter().copied().collect();
        if self.topics.contains(&Topic::Images) && self.images != usable {
            return Err(format!("was told of {} images, there are {}", self.images.len(), usable.len()));
        }
        Ok(())
    }
}

impl NewsIsToldOnce {
    /// Nobody is told what a crash of the leader could take back.
    fn is_durable(&self, news: &News) -> Result<(), String> {
        match news {
            News::Joined(member) if !self.registered.contains_key(&member.node) => {
                Err("before that was durable".to_owned())
            }
            News::Lost { node, .. } if !self.gone.contains(node) => Err("before that was durable".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Checker for NewsIsToldOnce {
    fn name(&self) -> &'static str {
        "news is told once and true"
    }

    fn observe(&mut self, seen: &Seen) -> Result<(), String> {
        match seen {
            Seen::Durable { record: Record::NodeRegistered { node, capabilities, .. } } => {
                self.registered.insert(*node, capabilities.clone());
                let waiting = self.views.values_mut().filter(|v| v.topics.contains(&Topic::Capabilities) && !v.told);
                waiting.for_each(|view| view.could.entry(*node).or_default().push(capabilities.clone()));
            }
            Seen::Durable { record: Record::NodeGone { node, .. } } => {
                self.gone.insert(*node);
            }
            Seen::Watches { by, topic, on: true } => {
                let view = self.views.entry(*by).or_default();
                if view.topics.insert(*topic) {
                    view.forget(*topic);
                    if *topic == Topic::Capabilities {
                        let living = self.registered.iter().filter(|(node, _)| !self.gone.contains(*node));
                        view.could = living.map(|(node, can)| (*node, vec![can.clone()])).collect();
                    }
                }
            }
            Seen::Watches { by, topic, on: false } => {
                if let Some(view) = self.views.get_mut(by) {
                    view.topics.remove(topic);
                    view.forget(*topic);
                }
            }
            Seen::ToldNews { to, news } => {
                let view = self.views.get_mut(to).ok_or_else(|| format!("{to} does not watch and is told {news:?}"))?;
                let told = view.told(news);
                view.told |= matches!(news, News::Changed { .. });
                told.and_then(|()| self.is_durable(news)).map_err(|why| format!("{to} {why}, and is told {news:?}"))?;
            }
            Seen::ActorEnded { address, .. } => {
                self.views.remove(address);
            }
            Seen::NodeEnded { node } => self.views.retain(|actor, _| actor.node() != *node),
            Seen::Settled { members, images, .. } => {
                for (actor, view) in &self.views {
                    view.is_true(members, images).map_err(|why| format!("{actor} {why}"))?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
