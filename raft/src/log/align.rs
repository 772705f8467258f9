//! A log brought into line with a state that did not grow out of it.

use std::io;

use super::GroupLog;
use crate::types::{LogId, Vote};

impl GroupLog {
    /// Removes what contradicts a state whose last entry is `applied`, as receiving a snapshot
    /// does. The state holds committed entries only: a log that has another entry in that place
    /// has one of a leader that was deposed, and after it only such, none of which can ever have
    /// counted for a commit. A log that grew into this state is left as it is.
    ///
    /// After a crash in between, opening again finds a shorter log and does the rest.
    pub(crate) async fn align(&self, applied: LogId) -> io::Result<()> {
        let (vote, purged, end) = {
            let recent = self.state.recent();
            (recent.vote, recent.purged, recent.end())
        };
        let leader = *applied.committed_leader_id();
        if vote.is_none_or(|vote| *vote.leader_id() < leader) {
            // Whoever led in that term has won: a vote for it takes nothing back.
            self.save_vote(&Vote::new(leader.term, leader.node_id))
                .await?;
        }
        let index = applied.index();
        if purged.is_some_and(|purged| purged >= applied) || end <= index {
            return Ok(());
        }
        let found = self.read(index..index + 1, usize::MAX).await?;
        if found.first().is_some_and(|entry| entry.log_id == applied) {
            return Ok(());
        }
        self.truncate_after(purged).await?;
        self.purge(applied).await
    }
}
