//! A replica that falls asleep and wakes: see [`crate::hibernate`].

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use openraft::ReadPolicy;
use openraft::async_runtime::WatchReceiver;

use super::{Group, Replica};
use crate::NodeId;
use crate::format::v1;
use crate::hibernate::{Boot, Due, Rest, Wake};
use crate::net::Lane;
use crate::net::message::{Answer, Ballot, Message};
use crate::types::{LogId, Vote};

/// What the members of a group that is to sleep are told.
pub(crate) struct Quiet {
    vote: Vote,
    last: LogId,
    /// Those whose nodes answer.
    members: Vec<(NodeId, Arc<str>)>,
    /// All others, with the session of each.
    sessions: Vec<(NodeId, u64)>,
}

fn leads(rest: &Rest) -> bool {
    !matches!(rest, Rest::Following { .. })
}

impl Group {
    /// What has become due; `may_sleep` is whether quiet is to be followed by sleep.
    pub(crate) fn due(&self, now: Duration, may_sleep: bool) -> Due {
        let replica = &*self.replica;
        let config = &replica.config;
        let after = may_sleep.then_some(config.hibernate_after);
        // No earlier than the others can have found the node to be lost, so that they do not refuse.
        let draw = || {
            let timing = config.timing();
            let (least, most) = (timing.heartbeat, timing.election_max);
            let range = most.saturating_sub(least).as_millis();
            let range = u64::try_from(range).unwrap_or(u64::MAX);
            now + least + Duration::from_millis(replica.runtime.random.below(range))
        };
        replica.sleep.due(&replica.nodes, now, after, draw)
    }

    /// Stops the clock, if this node leads the group and all members that are there have all of
    /// it: then they are to be told ([`sleep`](Self::sleep)).
    pub(crate) fn doze(&self, now: Duration) -> Option<Quiet> {
        let replica = &*self.replica;
        let Some(quiet) = replica.quiet(now) else {
            replica.sleep.put_off(now);
            return None;
        };
        let stop = || replica.core.runtime_config().tick(false);
        let dozes = replica.sleep.doze(quiet.sessions.clone(), stop);
        dozes.then_some(quiet)
    }

    /// Lets the members sleep, and then this replica, unless something has come up.
    pub(crate) async fn sleep(&self, quiet: Quiet) {
        let replica = &*self.replica;
        let message = Message::Sleep {
            vote: (&quiet.vote).into(),
            last: (&quiet.last).into(),
            boot: replica.nodes.own(),
        };
        let telling = quiet.members.iter().map(|(node, address)| {
            let message = message.clone();
            let lane = Lane::Signals;
            replica
                .outboxes
                .send(*node, address, lane, replica.id, message)
        });
        let told = join_all(telling).await;
        let agreed = told.iter().all(|told| matches!(told, Ok(Answer::Asleep)));
        if agreed && replica.sleep.fall_asleep() {
            replica.log.forget_entries();
            return;
        }
        let dozes = |rest: &Rest| matches!(rest, Rest::Drowsy(_));
        if replica.wake(Wake::Refusal, dozes) {
            // The heartbeats of that round wake those that have agreed.
            replica.confirm().await;
        }
    }

    /// A member's node came back, or was started again: it is to hear of its leader.
    pub(crate) async fn stir(&self) {
        if self.replica.wake(Wake::Member, leads) {
            self.replica.confirm().await;
        }
    }

    /// The leader's node is lost: stands for election.
    pub(crate) async fn campaign(&self) {
        let replica = &*self.replica;
        replica.wake(Wake::Lost, |rest| !leads(rest));
        // The clock does the same a little later if this comes to nothing.
        let _ = replica.core.trigger().elect(true).await;
    }

    /// Whether this replica sleeps: nothing is asked of its group.
    pub fn is_asleep(&self) -> bool {
        matches!(
            self.replica.sleep.rest(),
            Rest::Leading(_) | Rest::Following { .. }
        )
    }

    /// The other members of the group.
    pub(crate) fn others(&self) -> Vec<(NodeId, Arc<str>)> {
        let metrics = self.replica.core.metrics();
        let metrics = metrics.borrow_watched();
        let members = metrics.membership_config.nodes();
        let others = members.filter(|(node, _)| **node != self.replica.node);
        others
            .map(|(node, peer)| (*node, Arc::from(peer.address.as_str())))
            .collect()
    }
}

impl Replica {
    /// Something is asked of the group: if this node leads it and sleeps, it wakes, and has its
    /// leadership confirmed, without which it may not write.
    pub(super) async fn rouse(&self, why: Wake) {
        if self.called(why) {
            self.confirm().await;
        }
    }

    /// The same for what confirms the leadership itself. Whether it is to be confirmed.
    pub(super) fn called(&self, why: Wake) -> bool {
        self.sleep.called();
        self.wake(why, leads)
    }

    /// Wakes for a message of the group.
    pub(super) fn wake_for_message(&self) {
        if self.wake(Wake::Message, |_| true) {
            // Whoever sent it is told by openraft who leads.
            self.sleep.confirmed();
        }
    }

    fn wake(&self, why: Wake, concerns: impl FnOnce(&Rest) -> bool) -> bool {
        let start = || self.core.runtime_config().tick(true);
        self.sleep.wake(why, concerns, start)
    }

    /// Asks a quorum whether this node still leads. It takes a round, or as long as a lease.
    async fn confirm(&self) {
        // Where it does not, openraft knows that now.
        let _ = self.core.get_read_linearizer(ReadPolicy::ReadIndex).await;
        self.sleep.confirmed();
    }

    /// What a sleeping replica does about a ballot: it wakes as a leader, and refuses as a member
    /// that hangs on a node which lives. Nothing if openraft is to answer.
    pub(super) async fn answer_asleep(&self, ballot: &Ballot, is_vote: bool) -> Option<Answer> {
        if !self.sleep.rests() {
            return None;
        }
        if self.wake(Wake::Ballot, leads) {
            // Not for long: messages of other groups came with the ballot.
            let patience = self.runtime.clock.sleep(self.config.timing().heartbeat);
            let confirming = std::pin::pin!(self.confirm());
            if let Either::Right(_) = select(confirming, patience).await {
                self.sleep.confirmed();
            }
            return None;
        }
        let now = self.runtime.clock.monotonic();
        if ballot.transfer || !self.sleep.hangs_on(&self.nodes, now) {
            if is_vote {
                self.wake(Wake::Ballot, |_| true);
            }
            return None;
        }
        let metrics = self.core.metrics();
        let metrics = metrics.borrow_watched();
        Some(Answer::Voted {
            vote: (&metrics.vote).into(),
            granted: false,
            last: metrics.last_applied.as_ref().map(v1::LogId::from),
        })
    }

    /// Sleeps as a member, if the leader, the last entry and the node that is to be hung on are those
    /// that are known here.
    pub(super) fn answer_sleep(&self, vote: v1::Vote, last: v1::LogId, boot: Boot) -> Answer {
        let leader = NodeId(vote.leader);
        let now = self.runtime.clock.monotonic();
        let knows_all = {
            let metrics = self.core.metrics();
            let metrics = metrics.borrow_watched();
            vote.committed
                && leader != self.node
                && metrics.running_state.is_ok()
                && v1::Vote::from(&metrics.vote) == vote
                && metrics.last_log_index == Some(last.index)
                && metrics.last_applied.as_ref().map(v1::LogId::from) == Some(last)
        };
        if !knows_all || !self.nodes.is_alive(leader, boot, now) {
            return Answer::Awake;
        }
        let stop = || self.core.runtime_config().tick(false);
        self.sleep.follow(leader, boot, stop);
        self.log.forget_entries();
        Answer::Asleep
    }

    /// Whether all is done that a group can have to do: nothing if not.
    fn quiet(&self, now: Duration) -> Option<Quiet> {
        let metrics = self.core.metrics();
        let metrics = metrics.borrow_watched();
        let last = metrics.last_applied?;
        let membership = metrics.membership_config.membership();
        let leads = metrics.running_state.is_ok()
            && metrics.current_leader == Some(self.node)
            && membership.voter_ids().any(|voter| voter == self.node);
        let is_done = metrics.last_log_index == Some(last.index())
            && metrics.local_committed == Some(last)
            && membership.get_joint_config().len() == 1;
        if !leads || !is_done {
            return None;
        }
        let replication = metrics.replication.as_ref()?;
        let mut quiet = Quiet {
            vote: metrics.vote,
            last,
            members: Vec::new(),
            sessions: Vec::new(),
        };
        let (mut voters, mut voters_there) = (1, 1);
        for (node, peer) in membership.nodes().filter(|(node, _)| **node != self.node) {
            let votes = membership.voter_ids().any(|voter| voter == *node);
            voters += usize::from(votes);
            quiet.sessions.push((*node, self.nodes.session(*node)));
            if !self.nodes.answers(*node, now) {
                continue;
            }
            if replication.get(node).copied().flatten() != Some(last) {
                return None;
            }
            voters_there += usize::from(votes);
            let address = Arc::from(peer.address.as_str());
            quiet.members.push((*node, address));
        }
        (voters_there * 2 > voters).then_some(quiet)
    }
}
