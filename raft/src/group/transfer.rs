//! Leadership that is handed on.

use super::{Group, Replica};
use crate::error::TransferError;
use crate::hibernate::Wake;
use crate::limits::CAUGHT_UP_ENTRIES;
use crate::{Leader, NodeId};

impl Group {
    /// Hands the leadership to another voter and waits until it has it. Only the leader can.
    ///
    /// Proposals are refused from here on until a leader is there, and nothing acknowledged is
    /// lost. A voter that is behind, or has not answered lately, is refused at once, so that the
    /// group does not wait for it. If it fails in between, the others elect a leader as they do
    /// when one dies. To the leader itself: nothing is done.
    pub async fn transfer(&self, to: NodeId) -> Result<(), TransferError> {
        let replica = &*self.replica;
        let group = replica.id;
        let status = self.status();
        if status.leader != Some(replica.node) {
            let leader = status.leader.and_then(|node| {
                let peer = status.voters.get(&node)?.clone();
                Some(Leader { node, peer })
            });
            return Err(TransferError::NotLeader { group, leader });
        }
        if to == replica.node {
            return Ok(());
        }
        if !status.voters.contains_key(&to) {
            return Err(TransferError::NotAVoter { group, to });
        }
        let progress = self.progress().get(&to).copied();
        let behind = progress.and_then(|progress| progress.behind);
        let is_near = behind.is_some_and(|behind| behind <= CAUGHT_UP_ENTRIES);
        if !is_near || !progress.is_some_and(|progress| self.is_heard(&progress)) {
            return Err(TransferError::Behind { group, to, behind });
        }
        replica.rouse(Wake::Change).await;
        let trigger = replica.core.trigger().transfer_leader(to).await;
        trigger.map_err(|fatal| TransferError::Stopped {
            group,
            reason: replica.reason(&fatal),
        })?;
        replica.led_by(to).await
    }
}

impl Replica {
    async fn led_by(&self, to: NodeId) -> Result<(), TransferError> {
        let (group, after) = (self.id, self.config.propose_timeout);
        let waited = self
            .core
            .wait(Some(after))
            .metrics(
                |metrics| metrics.current_leader == Some(to),
                "another node leads",
            )
            .await;
        match waited {
            Ok(_) => Ok(()),
            Err(openraft::metrics::WaitError::Timeout(..)) => {
                Err(TransferError::Timeout { group, to, after })
            }
            Err(openraft::metrics::WaitError::ShuttingDown) => Err(TransferError::Stopped {
                group,
                reason: "it was closed".to_owned(),
            }),
        }
    }
}
