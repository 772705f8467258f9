use async_trait::async_trait;
use raft::{NodeId, PeerError, PeerRequest, PeerResponse, Peers};

use super::{Lost, Network, Sender};
use crate::mutation::Mutation;

/// The node that a broken rule is about.
const LIAR: NodeId = NodeId(2);

/// The way of one node's raft messages.
#[derive(Clone, Debug)]
pub struct SimulatedPeers {
    network: Network,
    from: Sender,
}

impl SimulatedPeers {
    /// The way of this process's messages.
    pub fn new(network: Network, from: Sender) -> Self {
        Self { network, from }
    }
}

#[async_trait]
impl Peers for SimulatedPeers {
    async fn send(
        &self,
        to: NodeId,
        _address: &str,
        request: PeerRequest,
    ) -> Result<PeerResponse, PeerError> {
        let mut bytes = request.encode();
        match self.network.broken() {
            Some(Mutation::CommitWithoutQuorum) if to == LIAR && is_append(&bytes, &request) => {
                return Ok(stored());
            }
            Some(Mutation::ReplicaDiffers) if to == LIAR => differ(&mut bytes),
            _ => {}
        }
        let hash = &blake3::hash(&bytes).to_hex()[..12];
        let what = format!("raft, {} messages {hash}", request.len());
        let from = request.from();
        let id = storage_node_api::NodeId(to.0);
        let delivered = self.network.call(self.from, id, what, move |node| {
            let request = PeerRequest::decode(&bytes);
            async move {
                let response = node.raft().receive(from, request.ok()?).await;
                PeerResponse::decode(&response.encode()).ok()
            }
        });
        match delivered.await {
            Ok(Some(response)) => Ok(response),
            Ok(None) => Err(PeerError::BadResponse {
                to,
                reason: "it does not read back".to_owned(),
            }),
            Err(Lost::Unsent) => Err(PeerError::Unreachable {
                to,
                reason: "nothing passes".to_owned(),
            }),
            Err(Lost::Silent) => Err(PeerError::Timeout {
                to,
                after: super::CALL_TIMEOUT,
            }),
        }
    }
}

/// Whether a request of version 1 is one append with entries: version, sender,
/// receiver, one message, its group, its kind.
fn is_append(bytes: &[u8], request: &PeerRequest) -> bool {
    // A heartbeat is far shorter than any entry of the workload.
    request.len() == 1 && bytes.len() > 60 && bytes.get(5) == Some(&0)
}

/// The response that says of one append that all is stored.
fn stored() -> PeerResponse {
    PeerResponse::decode(&[1, 1, 0]).expect("version 1, one answer, of the first kind")
}

/// Turns one name of the workload's refs into another of the same length.
fn differ(bytes: &mut [u8]) {
    const NAME: &[u8] = b"refs/heads/main";
    let found = bytes.windows(NAME.len()).position(|window| window == NAME);
    if let Some(at) = found {
        bytes[at + NAME.len() - 1] = b'm';
    }
}
