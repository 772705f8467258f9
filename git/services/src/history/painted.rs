use std::collections::HashMap;

use git_id::ObjectId;
use git_pack::{History, ReadError};

use super::ByTime;

/// A walk down from several commits, each with colours that their ancestors take on.
pub(super) struct Painted {
    marks: HashMap<ObjectId, Mark>,
    order: ByTime<ObjectId>,
    /// Commits of this colour need no further walk on their own account.
    settled: u8,
    /// How often commits that are not settled wait.
    unsettled: usize,
}

#[derive(Clone, Copy, Default)]
struct Mark {
    colour: u8,
    /// How often the commit waits.
    waiting: usize,
}

impl Painted {
    pub(super) fn new(settled: u8) -> Self {
        Self {
            marks: HashMap::new(),
            order: ByTime::default(),
            settled,
            unsettled: 0,
        }
    }

    /// Adds colours to a commit, which waits if it did not have them all.
    pub(super) fn paint(
        &mut self,
        history: &mut History<'_>,
        commit: ObjectId,
        colour: u8,
    ) -> Result<(), ReadError> {
        let before = self.marks.get(&commit).copied().unwrap_or_default();
        let after = Mark {
            colour: before.colour | colour,
            waiting: before.waiting + 1,
        };
        if before.colour == after.colour {
            return Ok(());
        }
        self.order.push(history.links(&commit)?.time, commit);
        self.unsettled -= self.weight(before);
        self.unsettled += self.weight(after);
        self.marks.insert(commit, after);
        Ok(())
    }

    /// The newest commit that waits, and its colours.
    pub(super) fn next(&mut self) -> Option<(ObjectId, u8)> {
        let commit = self.order.pop()?;
        let before = self.marks[&commit];
        let after = Mark {
            waiting: before.waiting - 1,
            ..before
        };
        self.unsettled -= self.weight(before);
        self.unsettled += self.weight(after);
        self.marks.insert(commit, after);
        Some((commit, before.colour))
    }

    pub(super) fn is_settled(&self) -> bool {
        self.unsettled == 0
    }

    pub(super) fn colour(&self, commit: &ObjectId) -> u8 {
        self.marks.get(commit).map_or(0, |mark| mark.colour)
    }

    fn weight(&self, mark: Mark) -> usize {
        match mark.colour & self.settled == self.settled {
            true => 0,
            false => mark.waiting,
        }
    }
}
