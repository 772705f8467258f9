//! Nodes that are not listened to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::NodeId;

/// Who was once a member of the cluster and is not any more.
///
/// Ids are given in order and live once, so that all that were ever given are those below the next
/// one; of these the members are named. A removed node that comes back, with whatever it
/// remembers, neither votes nor leads nor asks here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// The least id that was never given to a node.
    pub next: u64,
    /// Those below it that are members.
    pub members: BTreeSet<NodeId>,
}

impl Fence {
    /// Whether a node has been removed.
    pub fn is_removed(&self, node: NodeId) -> bool {
        node.0 < self.next && !self.members.contains(&node)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fence, NodeId};

    #[test]
    fn only_ids_that_were_given_and_are_no_members_are_removed() {
        let fence = Fence {
            next: 4,
            members: [NodeId(1), NodeId(3)].into(),
        };
        let removed = (0..6).filter(|id| fence.is_removed(NodeId(*id)));
        assert_eq!(removed.collect::<Vec<_>>(), [0, 2]);
        assert!(!Fence::default().is_removed(NodeId(0)));
    }
}
