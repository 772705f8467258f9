//! Groups that nobody asks anything sleep, and hang on the liveness of their leader's node.
//!
//! An awake group costs a heartbeat to each member and a clock on each of them, many times a second. So
//! a leader whose group has been quiet for [`hibernate_after`](crate::Config::hibernate_after), and
//! whose members have all that it has, stops its clock and tells them ([`Message::Sleep`]: the
//! leadership and the last entry). A member that finds the same stops its clock too; if one does not,
//! the group stays awake. Instead, nodes send each other a [`Message::Beat`] each heartbeat
//! interval, one for a pair of nodes and direction, whatever the number of groups.
//!
//! What wakes a group ([`Wake`]): a proposal, a linearizable read, a change of members or a transfer
//! wakes the leader, which has its leadership confirmed by a quorum in one round. That round, like
//! every message of the group but a ballot, wakes the members. A ballot wakes a leader. A member
//! wakes, and stands for election after a random wait, when its leader's node is lost: when for the
//! longest election timeout no beat has come from the process that it hangs on. A leader wakes when the node of
//! a member comes back or was started again.
//!
//! What it keeps true:
//! - **Safety rests on none of it.** A sleeping replica is one whose clock is slow. Votes, commits and
//!   read points are openraft's. A read in a sleeping group is confirmed by a quorum as in any other;
//!   leases are renewed by no beat, so the first write after a sleep waits for that round.
//! - A restarted process does not look alive to those who hung on the one before: each has its own [`Boot`].
//! - A beat counts only if its sender hears the receiver. So with a wire that is cut in one direction, both
//!   ends know; and a leader that goes on without a member is not believed in by that member.
//! - While it hangs on a node that lives, a member refuses ballots as its lease would make it, so that
//!   one that is cut off deposes nobody. The leader that is asked wakes and is heard of again.
//! - A message that is late, lost or doubled costs at worst that a group wakes for nothing, or is awake
//!   in part until the next heartbeat, or the next ballot, which the leader answers by waking.
//!
//! Members whose nodes are lost are slept without, if the others are a quorum. Nothing sleeps, and no beat is
//! sent, before [`Raft::allow_hibernation`](crate::Raft::allow_hibernation): a release that does not
//! know the messages may be running.
//!
//! Not here: what is done to a replica, which is [`Group`](crate::Group)'s part.
//!
//! [`Message::Sleep`]: crate::net::message::Message::Sleep
//! [`Message::Beat`]: crate::net::message::Message::Beat

mod nodes;
mod sleep;
mod watch;

pub(crate) use nodes::{Boot, Nodes};
pub(crate) use sleep::{Due, Rest, Sleep, Wake, WakeLabel};
pub(crate) use watch::Watch;
