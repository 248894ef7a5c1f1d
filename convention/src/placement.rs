//! Which of the accepting nodes hosts an actor: a pure function from what is known of them to one of them.

use crate::types::Placement;
use odeon::NodeRef;

/// A node that accepts an actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub node: NodeRef,
    /// Actors that live there, with those that are on their way.
    pub actors: u32,
    /// The weights of the preferences that hold there.
    pub score: u32,
    /// Whether its link is up; another one is chosen only when none of these is left.
    pub reachable: bool,
    /// Whether it has the actor's image already.
    pub holds: bool,
}

impl Candidate {
    /// What decides where the strategy does not: who need not fetch the image, and then the lower id.
    fn rank(&self) -> (bool, NodeRef) {
        (!self.holds, self.node)
    }
}

/// The node that hosts the actor. `asker` is the creator's node; `draw` gives a number below its argument.
///
/// What the creator prefers comes before the strategy. Ties go to a node that has the image, and then to the lower node id,
/// so that the same view gives the same answer.
pub fn decide(
    candidates: &[Candidate],
    strategy: Placement,
    asker: NodeRef,
    mut draw: impl FnMut(usize) -> usize,
) -> Option<NodeRef> {
    let best = candidates.iter().map(|c| (c.reachable, c.score)).max()?;
    let best: Vec<&Candidate> = candidates.iter().filter(|c| (c.reachable, c.score) == best).collect();
    let fewest = |among: &[&Candidate]| among.iter().min_by_key(|c| (c.actors, c.rank())).map(|c| c.node);
    match strategy {
        Placement::Local => best.iter().find(|c| c.node == asker).map(|c| c.node).or_else(|| fewest(&best)),
        Placement::Spread => fewest(&best),
        Placement::Pack => best.iter().min_by_key(|c| (std::cmp::Reverse(c.actors), c.rank())).map(|c| c.node),
        Placement::LeastLoaded => {
            let (first, second) = (draw(best.len()), draw(best.len()));
            fewest(&[best.get(first).copied()?, best.get(second).copied()?])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Incarnation, NodeId};

    fn node(n: u8) -> NodeRef {
        NodeRef { id: NodeId([n; 16]), incarnation: Incarnation(1) }
    }

    fn candidate(n: u8, actors: u32) -> Candidate {
        Candidate { node: node(n), actors, score: 0, reachable: true, holds: false }
    }

    fn chosen(candidates: &[Candidate], strategy: Placement) -> Option<NodeRef> {
        decide(candidates, strategy, node(3), |_| 0)
    }

    #[test]
    fn each_strategy_chooses_by_its_rule() {
        let three = [candidate(1, 5), candidate(2, 2), candidate(3, 9), candidate(4, 2)];
        assert_eq!(chosen(&three, Placement::Local), Some(node(3)));
        assert_eq!(chosen(&three[..2], Placement::Local), Some(node(2)));
        assert_eq!(chosen(&three, Placement::Spread), Some(node(2)));
        assert_eq!(chosen(&three, Placement::Pack), Some(node(3)));
        let mut draws = [2, 0].into_iter();
        let two = decide(&three, Placement::LeastLoaded, node(9), |_| draws.next().unwrap());
        assert_eq!(two, Some(node(1)));
        assert_eq!(chosen(&[], Placement::Spread), None);
    }

    #[test]
    fn a_preference_comes_before_the_strategy_and_a_link_before_a_preference() {
        let mut two = [candidate(1, 5), candidate(3, 0)];
        two[0].score = 1;
        assert_eq!(chosen(&two, Placement::Local), Some(node(1)));
        two[0].reachable = false;
        assert_eq!(chosen(&two, Placement::Local), Some(node(3)));
    }

    #[test]
    fn who_has_the_image_is_taken_of_those_that_are_equal_otherwise() {
        let mut three = [candidate(1, 2), candidate(2, 2), candidate(4, 3)];
        three[1].holds = true;
        three[2].holds = true;
        assert_eq!(chosen(&three, Placement::Spread), Some(node(2)));
        assert_eq!(chosen(&three, Placement::Pack), Some(node(4)));
        let mut draws = [0, 1].into_iter();
        let two = decide(&three, Placement::LeastLoaded, node(9), |_| draws.next().unwrap());
        assert_eq!(two, Some(node(2)));
        three[1].actors = 3;
        assert_eq!(chosen(&three, Placement::Spread), Some(node(1)), "load comes first");
    }

    #[test]
    fn placing_one_after_the_other_stays_within_one_of_even() {
        let mut nodes: Vec<Candidate> = (0..7).map(|n| candidate(n, 0)).collect();
        for _ in 0..100 {
            let node = decide(&nodes, Placement::Spread, node(99), |_| 0).unwrap();
            nodes.iter_mut().find(|c| c.node == node).unwrap().actors += 1;
        }
        let counts = nodes.iter().map(|c| c.actors);
        assert!(counts.clone().max().unwrap() - counts.min().unwrap() <= 1);
    }
}
