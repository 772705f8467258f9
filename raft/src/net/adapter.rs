//! The network as openraft asks for it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use openraft::errors::{
    ErrorSource, NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable,
};
use openraft::impls::BoxedErrorSource;
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, StorageError};
use runtime::{Runtime, run_blocking};

use super::message::{Answer, Append, Ballot, Message};
use super::outbox::{Lane, Outboxes, SendFailed};
use super::peers::PeerError;
use crate::format::v1;
use crate::limits::MAX_SNAPSHOT_PART_BYTES;
use crate::state_machine::SnapshotData;
use crate::types::{Snapshot, Types, Vote};
use crate::{Fault, GroupId, NodeId, Peer, SnapshotRead};

/// Makes connections of one group.
pub(crate) struct Connections {
    pub(crate) group: GroupId,
    pub(crate) outboxes: Arc<Outboxes>,
    pub(crate) runtime: Runtime,
}

/// One group's connection to one peer.
pub(crate) struct Connection {
    group: GroupId,
    target: NodeId,
    address: Arc<str>,
    outboxes: Arc<Outboxes>,
    runtime: Runtime,
}

impl RaftNetworkFactory<Types> for Connections {
    type Network = Connection;

    async fn new_client(&mut self, target: NodeId, node: &Peer) -> Connection {
        Connection {
            group: self.group,
            target,
            address: Arc::from(node.address.as_str()),
            outboxes: self.outboxes.clone(),
            runtime: self.runtime.clone(),
        }
    }
}

fn rpc_error(failed: SendFailed) -> RPCError<Types> {
    match failed {
        // A silent peer is treated like a dead one: backing off costs it less than floods of
        // messages that it cannot answer.
        SendFailed::Peer(PeerError::BadResponse { .. }) => {
            RPCError::Network(NetworkError::new(&failed))
        }
        _ => RPCError::Unreachable(Unreachable::new(&failed)),
    }
}

fn streaming_error(failed: SendFailed) -> StreamingError<Types> {
    match rpc_error(failed) {
        RPCError::Network(error) => StreamingError::Network(error),
        RPCError::Unreachable(error) => StreamingError::Unreachable(error),
        RPCError::Timeout(error) => StreamingError::Timeout(error),
        RPCError::RemoteError(never) => match never.source {},
    }
}

/// Something was answered that is no answer to the question, or an unwillingness to answer.
fn refused<E: From<Unreachable<Types>>>(answer: &Answer) -> E {
    Unreachable::from_string(format!("the peer answered {answer:?}")).into()
}

impl Connection {
    async fn ask(&self, lane: Lane, message: Message) -> Result<Answer, SendFailed> {
        self.outboxes
            .send(self.target, &self.address, lane, self.group, message)
            .await
    }

    /// Like [`ask`](Self::ask), with the patience that openraft has.
    async fn ask_within(&self, within: Duration, message: Message) -> Result<Answer, SendFailed> {
        let asking = pin!(self.ask(Lane::Signals, message));
        match select(asking, self.runtime.clock.sleep(within)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => Err(SendFailed::Peer(PeerError::Timeout {
                to: self.target,
                after: within,
            })),
        }
    }

    async fn ballot(
        &self,
        request: VoteRequest<Types>,
        option: RPCOption,
        message: fn(Ballot) -> Message,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let ballot = Ballot {
            vote: (&request.vote).into(),
            last: request.last_log_id.as_ref().map(v1::LogId::from),
            transfer: request.leadership_transfer,
        };
        let answer = self.ask_within(option.soft_ttl(), message(ballot)).await;
        match answer.map_err(rpc_error)? {
            Answer::Voted {
                vote,
                granted,
                last,
            } => Ok(VoteResponse::new(
                Vote::from(vote),
                last.map(Into::into),
                granted,
            )),
            other => Err(refused(&other)),
        }
    }

    /// Asks about a snapshot: the peer's vote ends the transfer, a step taken goes on with it.
    async fn step(&self, message: Message) -> Result<Option<Vote>, StreamingError<Types>> {
        let answer = self.ask(Lane::Snapshots, message).await;
        match answer.map_err(streaming_error)? {
            Answer::SnapshotTaken => Ok(None),
            Answer::SnapshotDone(vote) | Answer::HigherVote(vote) => Ok(Some(vote.into())),
            other => Err(refused(&other)),
        }
    }

    async fn stream(
        &self,
        vote: Vote,
        meta: v1::Marker,
        mut parts: Box<dyn SnapshotRead>,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let transfer = self.runtime.random.id128();
        let begin = Message::SnapshotBegin {
            transfer,
            vote: (&vote).into(),
            meta,
        };
        if let Some(vote) = self.step(begin).await? {
            return Ok(SnapshotResponse::new(vote));
        }
        let mut number = 0;
        loop {
            let (next, rest) = self.read_part(parts).await?;
            parts = rest;
            let message = match next {
                Some(bytes) => Message::SnapshotPart {
                    transfer,
                    number,
                    bytes,
                },
                None => Message::SnapshotFinish {
                    transfer,
                    parts: number,
                },
            };
            let last = matches!(message, Message::SnapshotFinish { .. });
            match self.step(message).await? {
                Some(vote) => return Ok(SnapshotResponse::new(vote)),
                None if last => return Err(refused(&Answer::SnapshotTaken)),
                None => number += 1,
            }
        }
    }

    async fn read_part(
        &self,
        mut parts: Box<dyn SnapshotRead>,
    ) -> Result<(Option<bytes::Bytes>, Box<dyn SnapshotRead>), StreamingError<Types>> {
        let read = run_blocking(&*self.runtime.tasks, "raft-snapshot-read", move || {
            let part = parts.next(MAX_SNAPSHOT_PART_BYTES)?;
            Ok::<_, Fault>((part, parts))
        })
        .await;
        let failed = match read {
            Ok(Ok(part)) => return Ok(part),
            Ok(Err(fault)) => BoxedErrorSource::from_error(&fault),
            Err(failed) => BoxedErrorSource::from_error(&failed),
        };
        Err(StorageError::read_snapshot(None, failed).into())
    }
}

impl RaftNetworkV2<Types> for Connection {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        let lane = if request.entries.is_empty() {
            Lane::Signals
        } else {
            Lane::Entries
        };
        let message = Message::Append(Append {
            vote: (&request.vote).into(),
            previous: request.prev_log_id.as_ref().map(v1::LogId::from),
            entries: request.entries.iter().map(v1::Entry::from).collect(),
            committed: request.leader_commit.as_ref().map(v1::LogId::from),
        });
        match self.ask(lane, message).await.map_err(rpc_error)? {
            Answer::Appended => Ok(AppendEntriesResponse::Success),
            Answer::AppendedUpTo(last) => {
                Ok(AppendEntriesResponse::PartialSuccess(last.map(Into::into)))
            }
            // With nothing before them, entries conflict with nothing.
            Answer::Conflict if request.prev_log_id.is_some() => {
                Ok(AppendEntriesResponse::Conflict)
            }
            Answer::HigherVote(vote) => Ok(AppendEntriesResponse::HigherVote(vote.into())),
            other => Err(refused(&other)),
        }
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.ballot(request, option, Message::Vote).await
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.ballot(request, option, Message::PreVote).await
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        let message = Message::Transfer {
            vote: request.from_leader().into(),
            to: request.to_node_id().0,
            last: request.last_log_id().map(v1::LogId::from),
        };
        let answer = self.ask_within(option.soft_ttl(), message).await;
        match answer.map_err(rpc_error)? {
            Answer::TransferTaken => Ok(Ok(())),
            other => Err(refused(&other)),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let SnapshotData::Outgoing(parts) = snapshot.snapshot else {
            let reason = "a received snapshot is not to be sent".to_owned();
            return Err(Unreachable::from_string(reason).into());
        };
        let meta = &snapshot.meta;
        let marker = v1::Marker::new(meta.last_log_id.as_ref(), &meta.last_membership);
        let streaming = pin!(self.stream(vote, marker, parts));
        match select(streaming, pin!(cancel)).await {
            Either::Left((result, _)) => result,
            Either::Right((closed, _)) => Err(closed.into()),
        }
    }
}
