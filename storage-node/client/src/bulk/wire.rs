//! Requests and answers as they travel: a number that joins them, then postcard.
//! The frame's version covers them. Variants are only ever added at the end.

use bytes::Bytes;
use chunking::{ChunkId, ChunkRef};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use storage_node_api::DedupDomain;
use storage_node_api::content::{Receipt, Session};
use storage_node_api::node::{NodeError, Presence};

/// What is asked. The bytes of chunks to store are the frame's payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ask {
    Presence {
        session: Session,
        chunks: Vec<ChunkId>,
    },
    Store {
        session: Session,
        chunks: Vec<ChunkRef>,
    },
    Fetch {
        domain: DedupDomain,
        chunks: Vec<ChunkRef>,
    },
}

/// What is answered. The bytes of chunks that were fetched are the payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    Presence(Result<Presence, NodeError>),
    Store(Result<Receipt, NodeError>),
    /// Which of the chunks are in the payload.
    Fetch(Result<Vec<bool>, NodeError>),
}

/// A message that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message cannot be read")]
pub(super) struct Malformed;

/// The message's bytes.
pub(super) fn encode<T: Serialize>(number: u64, message: &T) -> Result<Bytes, Malformed> {
    let bytes = postcard::to_extend(message, number.to_le_bytes().to_vec());
    bytes.map(Bytes::from).map_err(|_| Malformed)
}

/// The number that a message begins with.
pub(super) fn number(message: &[u8]) -> Result<u64, Malformed> {
    let number = message.first_chunk::<8>().ok_or(Malformed)?;
    Ok(u64::from_le_bytes(*number))
}

/// The message after its number.
pub(super) fn decode<T: DeserializeOwned>(message: &[u8]) -> Result<T, Malformed> {
    let message = message.get(8..).ok_or(Malformed)?;
    match postcard::take_from_bytes(message) {
        Ok((message, [])) => Ok(message),
        _ => Err(Malformed),
    }
}

/// Cuts a payload into pieces of these lengths, without copying. They must add up
/// to it.
pub(super) fn cut(
    mut payload: Bytes,
    lengths: impl IntoIterator<Item = u32>,
) -> Result<Vec<Bytes>, Malformed> {
    let mut pieces = Vec::new();
    for length in lengths {
        if length as usize > payload.len() {
            return Err(Malformed);
        }
        pieces.push(payload.split_to(length as usize));
    }
    if payload.is_empty() {
        Ok(pieces)
    } else {
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::{any, prop, proptest};
    use storage_node_api::NodeId;
    use storage_node_api::node::NodeError;

    use super::{Answer, Ask, Malformed, cut, decode, encode, number};

    /// Releases that run side by side speak this: a change needs a new version.
    #[test]
    fn messages_are_written_as_they_always_were() {
        let node = NodeId(300);
        let answer = Answer::Fetch(Err(NodeError::Full { node }));
        let bytes = encode(258, &answer).unwrap();
        assert_eq!(bytes[..], [2, 1, 0, 0, 0, 0, 0, 0, 2, 1, 2, 0xac, 2]);
        assert_eq!(number(&bytes), Ok(258));
        assert_eq!(decode(&bytes), Ok(answer));
        let held = Answer::Fetch(Ok(vec![true, false]));
        assert_eq!(encode(0, &held).unwrap()[8..], [2, 0, 2, 1, 0]);
    }

    #[test]
    fn a_payload_is_cut_into_exactly_its_pieces() {
        let payload = Bytes::from_static(b"onetwo");
        let pieces = cut(payload.clone(), [3, 0, 3]).unwrap();
        assert_eq!(pieces, [&b"one"[..], b"", b"two"]);
        assert_eq!(cut(payload.clone(), [3, 4]), Err(Malformed));
        assert_eq!(cut(payload.clone(), [3]), Err(Malformed));
        assert_eq!(cut(payload, [u32::MAX, u32::MAX]), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (number(&bytes), decode::<Ask>(&bytes), decode::<Answer>(&bytes));
        }
    }
}
