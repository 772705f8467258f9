use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use domain::Failure;
use futures_core::Stream;
use futures_util::StreamExt;
use http::{HeaderMap, header};
use runtime::{BoxFuture, Runtime};

use crate::limits::{DRAINED_BYTES, PACE_BYTES, PACE_WINDOW};

/// Why a request's body was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// More bytes than are taken.
    #[error("the request's body is over the limit of {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// It came too slowly.
    #[error("the request's body came too slowly; try again over a better connection")]
    TooSlow,
    /// The connection broke, or the compressed data is corrupt.
    #[error("the request's body broke off or is corrupt")]
    Broken,
}

impl BodyError {
    pub(crate) fn failure(&self) -> Failure {
        Failure::Invalid
    }

    /// The status that says this better than that of its kind.
    pub(crate) fn status(self) -> http::StatusCode {
        match self {
            Self::TooLarge { .. } => http::StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => http::StatusCode::REQUEST_TIMEOUT,
            Self::Broken => http::StatusCode::BAD_REQUEST,
        }
    }
}

/// A request's body that fails if it comes too slowly while the server waits
/// for it, and notes why it failed.
pub(crate) struct BodyStream {
    inner: BodyDataStream,
    runtime: Runtime,
    window: Option<BoxFuture<'static, ()>>,
    in_window: u64,
    fault: Fault,
    /// It failed, and nothing more is waited for.
    failed: bool,
}

/// Why a body failed, shared with who serves the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fault(Arc<OnceLock<BodyError>>);

impl Fault {
    /// The first fault, if there was one.
    pub(crate) fn get(&self) -> Option<BodyError> {
        self.0.get().copied()
    }

    /// Notes a fault, unless one was noted, and gives it as an error of I/O.
    pub(crate) fn note(&self, error: BodyError) -> io::Error {
        let first = *self.0.get_or_init(|| error);
        let kind = match first {
            BodyError::TooLarge { .. } => io::ErrorKind::InvalidData,
            BodyError::TooSlow => io::ErrorKind::TimedOut,
            BodyError::Broken => io::ErrorKind::ConnectionReset,
        };
        io::Error::new(kind, first)
    }
}

impl BodyStream {
    pub(crate) fn new(body: Body, runtime: Runtime) -> Self {
        Self {
            inner: body.into_data_stream(),
            runtime,
            window: None,
            in_window: 0,
            fault: Fault::default(),
            failed: false,
        }
    }

    pub(crate) fn fault(&self) -> Fault {
        self.fault.clone()
    }

    /// Called while there is nothing to read: whether the client is too slow.
    fn poll_pace(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            let clock = &self.runtime.clock;
            let window = self.window.get_or_insert_with(|| clock.sleep(PACE_WINDOW));
            if window.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.window = None;
            if self.in_window < PACE_BYTES {
                return Poll::Ready(self.fault.note(BodyError::TooSlow));
            }
            self.in_window = 0;
        }
    }
}

impl Stream for BodyStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.failed {
            return Poll::Ready(None);
        }
        let polled = match this.inner.poll_next_unpin(context) {
            Poll::Ready(Some(Ok(bytes))) => {
                this.in_window += bytes.len() as u64;
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(this.fault.note(BodyError::Broken)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => this.poll_pace(context).map(|error| Some(Err(error))),
        };
        this.failed = matches!(polled, Poll::Ready(Some(Err(_))));
        polled
    }
}

/// A whole small body.
pub(crate) async fn read_body(
    body: Body,
    runtime: &Runtime,
    limit: usize,
) -> Result<Bytes, BodyError> {
    let mut stream = BodyStream::new(body, runtime.clone());
    let fault = stream.fault();
    let mut whole = BytesMut::new();
    while let Some(piece) = stream.next().await {
        let Ok(piece) = piece else {
            return Err(fault.get().unwrap_or(BodyError::Broken));
        };
        if whole.len() + piece.len() > limit {
            drain(stream).await;
            return Err(BodyError::TooLarge {
                limit: limit as u64,
            });
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// Reads some of a refused request's body away, so that its client gets to
/// reading the answer; but not if the client waits to be told to send it.
pub(crate) async fn refuse_body(headers: &HeaderMap, body: Body, runtime: &Runtime) {
    if !headers.contains_key(header::EXPECT) {
        drain(BodyStream::new(body, runtime.clone())).await;
    }
}

async fn drain(mut stream: BodyStream) {
    let mut drained = 0;
    while drained < DRAINED_BYTES
        && let Some(Ok(piece)) = stream.next().await
    {
        drained += piece.len();
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use bytes::Bytes;
    use futures_util::stream;
    use runtime::Runtime;

    use super::{BodyError, read_body};
    use crate::limits::{PACE_BYTES, PACE_WINDOW};

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        let (runtime, _clock) = Runtime::simulated(1);
        assert_eq!(
            read_body(Body::from("12345"), &runtime, 5).await.unwrap(),
            "12345"
        );
        let over = read_body(Body::from("123456"), &runtime, 5).await;
        assert_eq!(over, Err(BodyError::TooLarge { limit: 5 }));
    }

    #[tokio::test]
    async fn a_body_that_stalls_is_given_up() {
        let (runtime, clock) = Runtime::simulated(1);
        let first = stream::once(async { Ok::<_, std::io::Error>(Bytes::from_static(b"1")) });
        let body = Body::from_stream(futures_util::StreamExt::chain(first, stream::pending()));
        let reading = tokio::spawn(async move { read_body(body, &runtime, 1 << 20).await });
        tokio::task::yield_now().await;
        clock.advance(PACE_WINDOW);
        assert_eq!(reading.await.unwrap(), Err(BodyError::TooSlow));
    }

    #[tokio::test]
    async fn a_body_that_keeps_its_pace_is_taken() {
        let (runtime, clock) = Runtime::simulated(1);
        let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
        let pieces = stream::unfold(receiver, |mut receiver| async {
            let piece = receiver.recv().await?;
            Some((Ok::<_, std::io::Error>(piece), receiver))
        });
        let body = Body::from_stream(pieces);
        let reading = tokio::spawn(async move { read_body(body, &runtime, 1 << 20).await });
        let piece = Bytes::from(vec![0; usize::try_from(PACE_BYTES).unwrap()]);
        for _ in 0..3 {
            sender.send(piece.clone()).await.unwrap();
            tokio::task::yield_now().await;
            clock.advance(PACE_WINDOW);
            tokio::task::yield_now().await;
        }
        drop(sender);
        assert_eq!(reading.await.unwrap().unwrap().len(), piece.len() * 3);
    }
}
