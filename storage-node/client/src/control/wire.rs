//! Calls and outcomes as they travel: a version byte, then postcard. Variants are
//! only ever added at the end; a message of a later version is refused.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use storage_node_api::collect::{CollectOrder, CollectReport};
use storage_node_api::dump::{DumpOrder, DumpPart};
use storage_node_api::health::HealthReport;
use storage_node_api::map::ClusterMap;
use storage_node_api::members::{MembersReport, TransferError};
use storage_node_api::metadata::{Batch, ExecuteError, Executed, QueryError, Rows, Statement};
use storage_node_api::node::{NodeError, NodeFailure, NodeStatus};
use storage_node_api::order::{Answer, Committed, ProposeError, Query, ReadError, Request};
use storage_node_api::rebuild::{
    RebuildError, RebuildOrder, RebuildReport, ReplicaError, ReplicaOrder, ReplicaPart,
};
use storage_node_api::scrub::{ScrubOrder, ScrubReport};
use storage_node_api::{GroupId, NodeId, ReadPoint};

const VERSION: u8 = 1;

/// What is asked of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Call {
    Propose {
        group: GroupId,
        request: Box<Request>,
    },
    Read {
        group: GroupId,
        point: ReadPoint,
        query: Query,
    },
    Query {
        point: ReadPoint,
        statement: Statement,
    },
    Execute(Batch),
    Map,
    Status,
    Scrub(ScrubOrder),
    MachineVersion,
    Collect(CollectOrder),
    Members,
    Transfer {
        group: GroupId,
        to: NodeId,
    },
    Dump(DumpOrder),
    Health,
    Rebuild(RebuildOrder),
    Replica(ReplicaOrder),
}

impl Call {
    /// Whether it writes, so that its answer is short.
    pub(crate) fn is_write(&self) -> bool {
        matches!(self, Self::Propose { .. } | Self::Execute(_))
    }
}

/// What the node answers, by the kind of call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Propose(Result<Committed, Failure<ProposeError>>),
    Read(Result<Answer, Failure<ReadError>>),
    Query(Result<Rows, Failure<QueryError>>),
    Execute(Result<Executed, Failure<ExecuteError>>),
    Map(Result<ClusterMap, NodeError>),
    Status(Result<NodeStatus, NodeError>),
    Scrub(Result<ScrubReport, NodeError>),
    MachineVersion(Result<u32, NodeError>),
    Collect(Result<CollectReport, NodeError>),
    Members(Result<MembersReport, NodeError>),
    Transfer(Result<(), Failure<TransferError>>),
    Dump(Result<DumpPart, Failure<QueryError>>),
    Health(Result<HealthReport, NodeError>),
    Rebuild(Result<RebuildReport, Failure<RebuildError>>),
    Replica(Result<ReplicaPart, Failure<ReplicaError>>),
}

/// A [`NodeFailure`] as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Failure<E> {
    NotLeader { leader: Option<NodeId> },
    Node(NodeError),
    Failed(E),
}

/// Bytes that are not a message of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// Of a later release.
    #[error("the message has version {0}, this release knows {VERSION}")]
    Version(u8),
    /// Cut off, too long, or something else.
    #[error("the message cannot be read")]
    Malformed,
}

impl<E: std::error::Error + 'static> From<NodeFailure<E>> for Failure<E> {
    fn from(failure: NodeFailure<E>) -> Self {
        match failure {
            NodeFailure::NotLeader { leader } => Self::NotLeader { leader },
            NodeFailure::Node(error) => Self::Node(error),
            NodeFailure::Failed(error) => Self::Failed(error),
        }
    }
}

impl<E: std::error::Error + 'static> From<Failure<E>> for NodeFailure<E> {
    fn from(failure: Failure<E>) -> Self {
        match failure {
            Failure::NotLeader { leader } => Self::NotLeader { leader },
            Failure::Node(error) => Self::Node(error),
            Failure::Failed(error) => Self::Failed(error),
        }
    }
}

/// The message's bytes.
pub(crate) fn encode<T: Serialize>(message: &T) -> Result<Bytes, WireError> {
    let bytes = postcard::to_extend(message, vec![VERSION]);
    bytes.map(Bytes::from).map_err(|_| WireError::Malformed)
}

/// The message in these bytes, all of them.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let (version, message) = bytes.split_first().ok_or(WireError::Malformed)?;
    if *version != VERSION {
        return Err(WireError::Version(*version));
    }
    match postcard::take_from_bytes(message) {
        Ok((message, [])) => Ok(message),
        _ => Err(WireError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert_eq, proptest};
    use storage_node_api::collect::CollectOrder;
    use storage_node_api::dump::DumpOrder;
    use storage_node_api::order::{ProposeError, Query};
    use storage_node_api::rebuild::{RebuildOrder, ReplicaOrder};
    use storage_node_api::scrub::ScrubOrder;
    use storage_node_api::{GroupId, NodeId, ReadPoint};

    use super::{Call, Failure, Outcome, WireError, decode, encode};

    fn call() -> Call {
        Call::Read {
            group: GroupId(300),
            point: ReadPoint::Stale,
            query: Query::StateHash,
        }
    }

    /// Releases that run side by side speak this: a change needs a new version.
    #[test]
    fn messages_are_written_as_they_always_were() {
        let bytes = encode(&call()).unwrap();
        assert_eq!(bytes[..], [1, 1, 0xac, 2, 2, 6]);
        let leader = Some(NodeId(7));
        let outcome = Outcome::Propose(Err(Failure::NotLeader { leader }));
        let bytes = encode(&outcome).unwrap();
        assert_eq!(bytes[..], [1, 0, 1, 0, 1, 7]);
        assert_eq!(decode(&bytes), Ok(outcome));
        let group = GroupId(2);
        let failed = Outcome::Propose(Err(Failure::Failed(ProposeError::NoLeader { group })));
        assert_eq!(encode(&failed).unwrap()[..], [1, 0, 1, 2, 0, 2]);
        assert_eq!(encode(&Call::Map).unwrap()[..], [1, 4]);
        assert_eq!(encode(&Call::Status).unwrap()[..], [1, 5]);
        assert_eq!(encode(&Call::MachineVersion).unwrap()[..], [1, 7]);
        assert_eq!(encode(&Call::Members).unwrap()[..], [1, 9]);
        let transfer = Call::Transfer {
            group: GroupId(16),
            to: NodeId(3),
        };
        assert_eq!(encode(&transfer).unwrap()[..], [1, 10, 16, 3]);
        let next = Call::Dump(DumpOrder::Next(5));
        assert_eq!(encode(&next).unwrap()[..], [1, 11, 1, 5]);
        assert_eq!(encode(&Call::Health).unwrap()[..], [1, 12]);
        let rebuild = Call::Rebuild(RebuildOrder::Start(GroupId(16)));
        assert_eq!(encode(&rebuild).unwrap()[..], [1, 13, 1, 16]);
        let replica = Call::Replica(ReplicaOrder::Open(GroupId(16)));
        assert_eq!(encode(&replica).unwrap()[..], [1, 14, 0, 16]);
        let start = Call::Scrub(ScrubOrder::Start { fast: true });
        assert_eq!(encode(&start).unwrap()[..], [1, 6, 1, 1]);
        let hurry = Call::Collect(CollectOrder::Hurry);
        assert_eq!(encode(&hurry).unwrap()[..], [1, 8, 1]);
    }

    #[test]
    fn other_versions_and_lengths_are_refused() {
        let mut bytes = encode(&call()).unwrap().to_vec();
        bytes.push(0);
        assert_eq!(decode::<Call>(&bytes), Err(WireError::Malformed));
        assert_eq!(decode::<Call>(&bytes[..4]), Err(WireError::Malformed));
        assert_eq!(decode::<Call>(&[]), Err(WireError::Malformed));
        bytes[0] = 2;
        assert_eq!(decode::<Call>(&bytes), Err(WireError::Version(2)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = bytes;
            bytes.insert(0, 1);
            if let Ok(call) = decode::<Call>(&bytes) {
                // What can be read can be written.
                let written = encode(&call).unwrap();
                prop_assert_eq!(decode::<Call>(&written), Ok(call));
            }
            let _ = decode::<Outcome>(&bytes);
        }
    }
}
