//! Linearizable reads.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use openraft::ReadPolicy;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{LinearizableReadError, RaftError};

use super::{Group, Replica};
use crate::error::{Leader, ReadError};
use crate::hibernate::Wake;
use crate::id::NodeId;
use crate::net::Lane;
use crate::net::message::{Answer, Message};

/// Wait before a leader that refused, or that is not known, is asked for again.
const RETRY_AFTER: Duration = Duration::from_millis(30);

/// What one attempt to get a read point gave.
enum Attempt {
    Point(u64),
    /// Someone else is said to lead.
    Elsewhere(Leader),
    /// Nobody can tell at the moment.
    Nobody,
    Stopped(String),
}

impl Group {
    /// Waits until a read of the local machine's state is linearizable, and returns an index up
    /// to which that state is applied: the read sees every write that was acknowledged anywhere
    /// before this call. It costs one round from the leader to a quorum, and on a follower one
    /// more to the leader. Reads have no effect, so this tries again until it is out of time.
    pub async fn read_index(&self) -> Result<u64, ReadError> {
        let replica = &*self.replica;
        let (group, after) = (replica.id, replica.config.read_timeout);
        let reading = pin!(replica.read_index());
        match select(reading, replica.runtime.clock.sleep(after)).await {
            Either::Left((result, _)) => result,
            Either::Right(((), _)) => Err(ReadError::Timeout { group, after }),
        }
    }

    /// Waits until the local machine has applied an index, which some other replica is known to
    /// have applied: a read that sees at least that, without asking anyone.
    pub async fn wait_applied(&self, index: u64) -> Result<(), ReadError> {
        let replica = &*self.replica;
        let (group, after) = (replica.id, replica.config.read_timeout);
        let applying = pin!(replica.applied_at_least(index));
        match select(applying, replica.runtime.clock.sleep(after)).await {
            Either::Left((result, _)) => result.map(drop),
            Either::Right(((), _)) => Err(ReadError::Timeout { group, after }),
        }
    }
}

impl Replica {
    async fn read_index(&self) -> Result<u64, ReadError> {
        let mut hint = None;
        let point = loop {
            let attempt = match hint.take().or_else(|| self.known_leader()) {
                Some(leader) => {
                    let (asking, left) =
                        (pin!(self.ask_leader(&leader)), pin!(self.left(leader.node)));
                    match select(asking, left).await {
                        Either::Left((attempt, _)) => attempt,
                        Either::Right(((), _)) => Attempt::Nobody,
                    }
                }
                None => self.read_point().await,
            };
            match attempt {
                Attempt::Point(point) => break point,
                Attempt::Elsewhere(leader) => hint = Some(leader),
                Attempt::Nobody => {}
                Attempt::Stopped(reason) => {
                    return Err(ReadError::Stopped {
                        group: self.id,
                        reason,
                    });
                }
            }
            if hint.is_none() {
                self.runtime.clock.sleep(RETRY_AFTER).await;
            }
        };
        self.applied_at_least(point).await
    }

    /// The leader, if it is another node.
    fn known_leader(&self) -> Option<Leader> {
        let metrics = self.core.metrics();
        let metrics = metrics.borrow_watched();
        let node = metrics.current_leader.filter(|node| *node != self.node)?;
        let peer = metrics.membership_config.get_node(&node)?.clone();
        Some(Leader { node, peer })
    }

    /// Waits until this replica learns that the leader which it asks may be none
    /// any more: a silent one would be waited for as long as an exchange may take.
    async fn left(&self, asked: NodeId) {
        let mut metrics = self.core.metrics();
        let before = metrics.borrow_watched().current_leader;
        while metrics.changed().await.is_ok() {
            let now = metrics.borrow_watched().current_leader;
            if now != before && now != Some(asked) {
                return;
            }
        }
        // The core has ended, which whoever asks it hears.
        std::future::pending().await
    }

    /// Asks this replica's own core, which knows only as the leader.
    async fn read_point(&self) -> Attempt {
        let unconfirmed = self.called(Wake::Read);
        let read = self.core.get_read_linearizer(ReadPolicy::ReadIndex).await;
        if unconfirmed {
            self.sleep.confirmed();
        }
        match read {
            Ok(linearizer) => Attempt::Point(linearizer.read_log_id().index()),
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward))) => {
                match self.leader(forward) {
                    Some(leader) => Attempt::Elsewhere(leader),
                    None => Attempt::Nobody,
                }
            }
            Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_))) => Attempt::Nobody,
            Err(RaftError::Fatal(fatal)) => Attempt::Stopped(self.reason(&fatal)),
        }
    }

    async fn ask_leader(&self, leader: &Leader) -> Attempt {
        let address = Arc::from(leader.peer.address.as_str());
        let message = Message::ReadIndex;
        let asked = self
            .outboxes
            .send(leader.node, &address, Lane::Reads, self.id, message)
            .await;
        match asked {
            Ok(Answer::ReadIndex(point)) => Attempt::Point(point),
            Ok(_) | Err(_) => match self.core.is_initialized().await {
                Err(fatal) => Attempt::Stopped(self.reason(&fatal)),
                Ok(_) => Attempt::Nobody,
            },
        }
    }

    /// Answers another replica's question.
    pub(super) async fn answer_read_index(&self) -> Answer {
        match self.read_point().await {
            Attempt::Point(point) => Answer::ReadIndex(point),
            Attempt::Elsewhere(leader) => {
                Answer::NotLeader(Some((leader.node.0, leader.peer.address)))
            }
            Attempt::Nobody => Answer::NotLeader(None),
            Attempt::Stopped(_) => Answer::Stopped,
        }
    }

    async fn applied_at_least(&self, point: u64) -> Result<u64, ReadError> {
        let waited = self
            .core
            .wait(Some(self.config.read_timeout))
            .applied_index_at_least(Some(point), "a linearizable read")
            .await;
        match waited {
            Ok(metrics) => Ok(metrics.last_applied.map_or(point, |id| id.index())),
            Err(openraft::metrics::WaitError::Timeout(after, _)) => Err(ReadError::Timeout {
                group: self.id,
                after,
            }),
            Err(openraft::metrics::WaitError::ShuttingDown) => Err(ReadError::Stopped {
                group: self.id,
                reason: "it is shutting down".to_owned(),
            }),
        }
    }
}
