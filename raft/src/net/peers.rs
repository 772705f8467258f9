//! The seam to the network.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::message::{Answer, Message};
use crate::format::{decode, encode};
use crate::limits::MAX_FLIGHT_MESSAGES;
use crate::{GroupId, NodeId};

pub use crate::format::FormatError as WireError;

/// Carries requests to other nodes. An implementation may fail or lose any of them and may
/// deliver one that it reported as failed, but does not alter them and brings them to nobody
/// but the node meant.
#[async_trait]
pub trait Peers: Send + Sync + fmt::Debug {
    /// Brings `request` to the node and returns its response. It may take as long as it needs:
    /// the caller gives up by dropping the future.
    async fn send(
        &self,
        to: NodeId,
        address: &str,
        request: PeerRequest,
    ) -> Result<PeerResponse, PeerError>;
}

/// A request that got no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The node is not there, or refuses us. Trying again at once is useless.
    #[error("reach {to}: {reason}")]
    Unreachable {
        /// Whom.
        to: NodeId,
        /// Why.
        reason: String,
    },
    /// The node did not respond in time.
    #[error("reach {to}: no response within {after:?}")]
    Timeout {
        /// Whom.
        to: NodeId,
        /// How long was waited.
        after: Duration,
    },
    /// The response was not one to our request.
    #[error("reach {to}: its response makes no sense: {reason}")]
    BadResponse {
        /// Whom.
        to: NodeId,
        /// Why.
        reason: String,
    },
}

/// Messages of any groups from one node to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerRequest {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) messages: Vec<(GroupId, Message)>,
}

/// One answer to each message of a request, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerResponse {
    pub(crate) answers: Vec<Answer>,
}

impl PeerRequest {
    /// Who says to have sent it. The transport checks that.
    pub fn from(&self) -> NodeId {
        self.from
    }

    /// For whom it is.
    pub fn to(&self) -> NodeId {
        self.to
    }

    /// How many messages it holds.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether it holds no message.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Its bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads what [`encode`](Self::encode) made. Anything else is an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let request: Self = decode(bytes)?;
        if request.messages.len() > MAX_FLIGHT_MESSAGES {
            return Err(crate::format::damaged("it holds too many messages"));
        }
        Ok(request)
    }
}

impl PeerResponse {
    /// Its bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads what [`encode`](Self::encode) made. Anything else is an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        decode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::v1::{LogId, Vote};
    use crate::hibernate::Boot;
    use crate::net::message::{Append, Ballot};

    const VOTE: Vote = Vote {
        term: 2,
        leader: 1,
        committed: true,
    };

    fn request(messages: usize) -> PeerRequest {
        let vote = VOTE;
        let append = Message::Append(Append {
            vote,
            previous: None,
            entries: Vec::new(),
            committed: None,
        });
        let ballot = Message::Vote(Ballot {
            vote,
            last: None,
            transfer: false,
        });
        let both = [(GroupId(7), append), (GroupId(8), ballot)];
        PeerRequest {
            from: NodeId(1),
            to: NodeId(2),
            messages: both.into_iter().cycle().take(messages).collect(),
        }
    }

    /// Nodes of different releases exchange these bytes: they are never edited.
    #[test]
    fn the_bytes_of_version_1_are_fixed() {
        let expect = [1, 1, 2, 2, 7, 0, 2, 1, 1, 0, 0, 0, 8, 1, 2, 1, 1, 0, 0];
        assert_eq!(request(2).encode(), expect);
        let response = PeerResponse {
            answers: vec![Answer::Appended, Answer::ReadIndex(300), Answer::NoReplica],
        };
        assert_eq!(response.encode(), [1, 3, 0, 8, 172, 2, 10]);
        assert_eq!(PeerResponse::decode(&response.encode()), Ok(response));
    }

    #[test]
    fn the_bytes_of_sleep_and_beats_are_fixed() {
        let (vote, boot) = (VOTE, Boot(300));
        let last = LogId {
            term: 2,
            leader: 1,
            index: 9,
        };
        let sleep = Message::Sleep { vote, last, boot };
        let beat = Message::Beat { boot, hears: true };
        let request = PeerRequest {
            from: NodeId(1),
            to: NodeId(2),
            messages: vec![(GroupId(7), sleep), (GroupId(0), beat)],
        };
        let expect = [1, 1, 2, 2, 7, 8, 2, 1, 1, 2, 1, 9, 172, 2, 0, 9, 172, 2, 1];
        assert_eq!(request.encode(), expect);
        assert_eq!(PeerRequest::decode(&expect), Ok(request));
        let response = PeerResponse {
            answers: vec![Answer::Asleep, Answer::Awake, Answer::Beat(boot)],
        };
        assert_eq!(response.encode(), [1, 3, 14, 15, 16, 172, 2]);
        assert_eq!(PeerResponse::decode(&response.encode()), Ok(response));
    }

    #[test]
    fn requests_read_back_and_bad_ones_are_refused() {
        let good = request(MAX_FLIGHT_MESSAGES);
        let bytes = good.encode();
        assert_eq!(PeerRequest::decode(&bytes), Ok(good));
        assert!(PeerRequest::decode(&request(MAX_FLIGHT_MESSAGES + 1).encode()).is_err());
        assert!(PeerRequest::decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(PeerRequest::decode(b"").is_err());
        assert!(PeerRequest::decode(b"\x02").is_err());
        // A length that is not there must not be believed.
        assert!(PeerRequest::decode(&[1, 1, 2, 0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
    }
}
