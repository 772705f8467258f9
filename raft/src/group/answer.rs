//! Answers to other replicas.

use openraft::async_runtime::WatchReceiver;
use openraft::errors::RaftError;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest, VoteResponse,
};

use super::{Group, Replica};
use crate::format::{FormatError, v1};
use crate::net::message::{Answer, Append, Ballot, Message};
use crate::state_machine::MachineError;
use crate::types::{Snapshot, SnapshotMeta, Types};

impl Group {
    /// Answers one message. What it asks for is on disk before the answer.
    pub(crate) async fn answer(&self, message: Message) -> Answer {
        let replica = &*self.replica;
        if !matches!(
            message,
            Message::Vote(_) | Message::PreVote(_) | Message::ReadIndex | Message::Sleep { .. }
        ) {
            replica.wake_for_message();
        }
        match message {
            Message::Append(append) => replica.append(append).await,
            Message::Vote(ballot) => {
                if let Some(refused) = replica.answer_asleep(&ballot, true).await {
                    return refused;
                }
                let voted = replica.core.vote(ballot.into()).await;
                voted.map_or(Answer::Stopped, voted_answer)
            }
            Message::PreVote(ballot) => {
                if let Some(refused) = replica.answer_asleep(&ballot, false).await {
                    return refused;
                }
                let voted = replica.core.pre_vote(ballot.into()).await;
                voted.map_or(Answer::Stopped, voted_answer)
            }
            Message::SnapshotBegin {
                transfer,
                vote,
                meta,
            } => replica.begin(transfer, vote, meta).await,
            Message::SnapshotPart {
                transfer,
                number,
                bytes,
            } => match replica.incoming.part(transfer, number, bytes).await {
                Ok(true) => Answer::SnapshotTaken,
                Ok(false) => Answer::SnapshotUnknown,
                Err(error) => replica.failed(&error),
            },
            Message::SnapshotFinish { transfer, parts } => replica.finish(transfer, parts).await,
            Message::ReadIndex => replica.answer_read_index().await,
            Message::Sleep { vote, last, boot } => replica.answer_sleep(vote, last, boot),
            // Nodes are asked, not groups.
            Message::Beat { .. } => Answer::NoReplica,
            Message::Transfer { vote, to, last } => {
                let (vote, last) = (vote.into(), last.map(Into::into));
                let request = TransferLeaderRequest::new(vote, crate::NodeId(to), last);
                // What is not taken is not worth a reason: the leader only waits and sees.
                let taken = replica.core.handle_transfer_leader(request).await;
                taken.map_or(Answer::Stopped, |_| Answer::TransferTaken)
            }
        }
    }
}

impl From<Ballot> for VoteRequest<Types> {
    fn from(ballot: Ballot) -> Self {
        let mut request = Self::new(ballot.vote.into(), ballot.last.map(Into::into));
        request.leadership_transfer = ballot.transfer;
        request
    }
}

fn voted_answer(response: VoteResponse<Types>) -> Answer {
    Answer::Voted {
        vote: (&response.vote).into(),
        granted: response.vote_granted,
        last: response.last_log_id.as_ref().map(v1::LogId::from),
    }
}

impl Replica {
    async fn append(&self, append: Append) -> Answer {
        let entries: Result<Vec<_>, FormatError> =
            append.entries.into_iter().map(TryInto::try_into).collect();
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(group.id = self.id.0, %error, "refused entries of a peer");
                return Answer::Stopped;
            }
        };
        let request = AppendEntriesRequest {
            vote: append.vote.into(),
            prev_log_id: append.previous.map(Into::into),
            entries,
            leader_commit: append.committed.map(Into::into),
        };
        match self.core.append_entries(request).await {
            Ok(AppendEntriesResponse::Success) => Answer::Appended,
            Ok(AppendEntriesResponse::PartialSuccess(last)) => {
                Answer::AppendedUpTo(last.as_ref().map(v1::LogId::from))
            }
            Ok(AppendEntriesResponse::Conflict) => Answer::Conflict,
            Ok(AppendEntriesResponse::HigherVote(vote)) => Answer::HigherVote((&vote).into()),
            Err(RaftError::Fatal(_)) => Answer::Stopped,
        }
    }

    async fn begin(&self, transfer: u128, vote: v1::Vote, meta: v1::Marker) -> Answer {
        let known = self.core.metrics().borrow_watched().vote;
        if known > vote.into() {
            return Answer::HigherVote((&known).into());
        }
        match self.incoming.begin(transfer, vote, meta).await {
            Ok(()) => Answer::SnapshotTaken,
            Err(error) => self.failed(&error),
        }
    }

    async fn finish(&self, transfer: u128, parts: u64) -> Answer {
        let Some(received) = self.incoming.finish(transfer, parts).await else {
            return Answer::SnapshotUnknown;
        };
        let (last_log_id, last_membership) = match received.meta.open() {
            Ok(opened) => opened,
            Err(error) => {
                tracing::warn!(group.id = self.id.0, %error, "refused a snapshot of a peer");
                return Answer::SnapshotUnknown;
            }
        };
        let meta = SnapshotMeta {
            last_log_id,
            last_membership,
        };
        let snapshot = Snapshot {
            meta,
            snapshot: received.data,
        };
        let installed = self
            .core
            .install_full_snapshot(received.vote.into(), snapshot)
            .await;
        match installed {
            Ok(response) => Answer::SnapshotDone((&response.vote).into()),
            Err(_) => Answer::Stopped,
        }
    }

    /// The machine cannot receive: the sender goes on to try, and the operator is told.
    fn failed(&self, error: &MachineError) -> Answer {
        tracing::error!(
            group.id = self.id.0,
            error = error.chain(),
            "receive a snapshot"
        );
        Answer::Stopped
    }
}
