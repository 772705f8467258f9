//! In which order nodes are asked: the likeliest first, each at most once in a
//! round.

use std::collections::BTreeSet;

use storage_node_api::NodeId;

/// One round through the nodes. Pure.
#[derive(Debug)]
pub(super) struct Search {
    order: Vec<NodeId>,
    hint: Option<NodeId>,
    asked: BTreeSet<NodeId>,
}

impl Search {
    /// A round through `order`, after the one of `first`.
    pub(super) fn new(order: Vec<NodeId>, first: Option<NodeId>) -> Self {
        Self {
            order,
            hint: first,
            asked: BTreeSet::new(),
        }
    }

    /// The same without these nodes.
    pub(super) fn without(mut self, nodes: &BTreeSet<NodeId>) -> Self {
        self.asked.extend(nodes);
        self
    }

    /// The next node to ask, or nothing once all were asked.
    pub(super) fn next(&mut self) -> Option<NodeId> {
        let hinted = self.hint.take();
        let next = hinted
            .into_iter()
            .filter(|node| self.order.contains(node))
            .chain(self.order.iter().copied())
            .find(|node| !self.asked.contains(node))?;
        self.asked.insert(next);
        Some(next)
    }

    /// A node says that this one should be asked. One that was asked already in
    /// this round is not asked again: nodes that name each other while they
    /// elect would be asked without end.
    pub(super) fn hint(&mut self, node: NodeId) {
        self.hint = Some(node);
    }
}

#[cfg(test)]
mod tests {
    use storage_node_api::NodeId;

    use super::Search;

    fn nodes(ids: &[u64]) -> Vec<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn each_node_is_asked_once_with_hints_first() {
        let mut search = Search::new(nodes(&[1, 2, 3]), Some(NodeId(3)));
        assert_eq!(search.next(), Some(NodeId(3)));
        search.hint(NodeId(2));
        assert_eq!(search.next(), Some(NodeId(2)));
        // Two nodes that name each other.
        search.hint(NodeId(3));
        assert_eq!(search.next(), Some(NodeId(1)));
        search.hint(NodeId(2));
        assert_eq!(search.next(), None);
    }

    #[test]
    fn nodes_that_are_left_out_are_not_asked_whoever_names_them() {
        let without = [NodeId(1)].into();
        let mut search = Search::new(nodes(&[1, 2]), Some(NodeId(1))).without(&without);
        assert_eq!(search.next(), Some(NodeId(2)));
        search.hint(NodeId(1));
        assert_eq!(search.next(), None);
    }

    #[test]
    fn a_hint_at_an_unknown_node_is_passed_over() {
        let mut search = Search::new(nodes(&[1]), Some(NodeId(9)));
        assert_eq!(search.next(), Some(NodeId(1)));
        search.hint(NodeId(9));
        assert_eq!(search.next(), None);
    }
}
