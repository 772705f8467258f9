use std::sync::Arc;

use raft::grpc::{Authorise, Dial, DialError};
use runtime::Runtime;
use storage_node_client::control::channel;
use storage_node_client::identity::{Connector, Identity, IdentityError, Peer, Protocol, Role};
use tonic::Extensions;
use tonic::transport::Channel;

/// Raft's connections to peers, under the cluster's TLS.
#[derive(Debug)]
pub(super) struct TlsDial {
    connector: Connector,
    runtime: Runtime,
}

impl TlsDial {
    pub(super) fn new(identity: &Identity, runtime: Runtime) -> Result<Self, IdentityError> {
        let connector = identity.connector(Protocol::Control, Arc::clone(&runtime.clock))?;
        Ok(Self { connector, runtime })
    }
}

impl Dial for TlsDial {
    fn dial(&self, _to: raft::NodeId, address: &str) -> Result<Channel, DialError> {
        channel(self.connector.clone(), address, &self.runtime).map_err(|error| DialError {
            address: address.to_owned(),
            source: error.into(),
        })
    }
}

/// Any storage node of the cluster may speak in its Raft groups; frontends may
/// not. Which number a node has is the cluster's own knowledge, not the
/// certificate's: it is issued before the number.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodesOnly;

impl Authorise for NodesOnly {
    fn may_speak_for(&self, connection: &Extensions, _node: raft::NodeId) -> bool {
        connection
            .get::<Peer>()
            .is_some_and(|peer| peer.role == Role::Node)
    }
}
