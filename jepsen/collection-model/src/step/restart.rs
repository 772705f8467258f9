//! A node that starts again and does not know what was touched.

use crate::model::Collection;
use crate::rule::Rule;
use crate::state::{CHUNKS, Chunks, State};

impl Collection {
    pub(crate) fn restart(&self, state: &mut State, number: usize) -> Option<()> {
        let node = &mut state.nodes[number];
        if node.gone || node.restarts >= self.bounds.restarts {
            return None;
        }
        let now = if !self.keeps(Rule::RestartTouches) {
            0
        } else if !self.keeps(Rule::RestartAsksTheCluster) {
            node.generation
        } else {
            state.generation
        };
        node.restarts += 1;
        node.touched = [0; CHUNKS];
        for chunk in node.held.iter() {
            node.touched[chunk] = now;
        }
        node.condemned = Chunks::NONE;
        node.list_again();
        Some(())
    }
}
