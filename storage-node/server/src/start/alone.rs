use async_trait::async_trait;
use raft::{NodeId, PeerError, PeerRequest, PeerResponse, Peers};

/// The Raft network of a node that has no peers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

#[async_trait]
impl Peers for Alone {
    async fn send(
        &self,
        to: NodeId,
        _address: &str,
        _request: PeerRequest,
    ) -> Result<PeerResponse, PeerError> {
        let reason = "this node is the only one".to_owned();
        Err(PeerError::Unreachable { to, reason })
    }
}
