use std::future::Future;
use std::io;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;

/// The answer broke off.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
struct BrokeOff;

/// A body of pieces that come through a channel. One that is not `whole` when the channel ends is cut, so
/// that it cannot be taken for a whole one.
pub(crate) fn body_of(
    first: Bytes,
    pieces: mpsc::Receiver<Bytes>,
    whole: impl Future<Output = bool> + Send + 'static,
) -> Body {
    let state = (Some(first), pieces, Some(Box::pin(whole)));
    let stream = stream::unfold(state, |(first, mut pieces, mut whole)| async move {
        if let Some(first) = first {
            return Some((Ok(first), (None, pieces, whole)));
        }
        if let Some(piece) = pieces.recv().await {
            return Some((Ok(piece), (None, pieces, whole)));
        }
        match whole.take()?.await {
            true => None,
            false => Some((Err(io::Error::other(BrokeOff)), (None, pieces, None))),
        }
    });
    Body::from_stream(stream)
}
