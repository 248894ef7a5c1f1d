//! The names of other nodes that were asked for before: a start of a node has one name as long as it lives.

use hashbrown::HashMap;
use odeon::NodeRef;
use parking_lot::Mutex;

/// Names that are remembered; beyond it they are asked for anew.
const NAMES_MAX: usize = 16_384;

#[derive(Default)]
pub(crate) struct Names(Mutex<HashMap<NodeRef, String>>);

impl Names {
    pub(super) fn of(&self, node: NodeRef) -> Option<String> {
        self.0.lock().get(&node).cloned()
    }

    pub(super) fn learn(&self, node: NodeRef, name: String) {
        let mut names = self.0.lock();
        if names.len() >= NAMES_MAX {
            names.clear();
        }
        names.insert(node, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon::{Incarnation, NodeId};

    fn start(number: u32) -> NodeRef {
        NodeRef { id: NodeId([1; 16]), incarnation: Incarnation(number) }
    }

    #[test]
    fn each_start_has_its_own_name_and_no_more_than_the_limit_are_kept() {
        let names = Names::default();
        names.learn(start(0), "web".to_owned());
        assert_eq!((names.of(start(0)), names.of(start(1))), (Some("web".to_owned()), None));
        for number in 1..=NAMES_MAX as u32 {
            names.learn(start(number), "db".to_owned());
        }
        assert!(names.0.lock().len() <= NAMES_MAX);
        assert_eq!(names.of(start(NAMES_MAX as u32)), Some("db".to_owned()));
    }
}
