//! The answering side.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, StdError, http};
use tonic::server::{Grpc, StreamingService, UnaryService};
use tonic::{Extensions, Request, Response, Status, Streaming};

use crate::codec::Raw;
use crate::frame::{self, Filling};
use crate::limits::{FRAME_BYTES, MAX_ANSWERING, MAX_SHARED_BYTES};
use crate::method::Method;

/// What answers calls.
pub trait Answering: Clone + Send + Sync + Unpin + 'static {
    /// Answers one call. `connection` is what the server knows of the connection, such as the
    /// peer's certificates. It may be dropped before its end if the caller is gone.
    fn answer(
        self,
        connection: Arc<Extensions>,
        call: Bytes,
    ) -> impl Future<Output = Result<Bytes, Status>> + Send;
}

/// The shared streams of a server, which would keep it from ending: it closes them first.
#[derive(Clone, Default)]
pub struct Conversations(CancellationToken);

impl fmt::Debug for Conversations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Conversations")
            .field(&self.0.is_cancelled())
            .finish()
    }
}

impl Conversations {
    /// From now on no call is taken on a shared stream; those taken are answered.
    pub fn close(&self) {
        self.0.cancel();
    }
}

/// Serves `method`, in both of its forms.
pub async fn serve<A, B>(
    answering: A,
    method: &'static Method,
    conversations: &Conversations,
    request: http::Request<B>,
) -> http::Response<Body>
where
    A: Answering,
    B: tonic::codegen::Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    let path = request.uri().path();
    if path == method.shared {
        let mut grpc = Grpc::new(Raw)
            .max_decoding_message_size(FRAME_BYTES + frame::OVERHEAD + MAX_SHARED_BYTES)
            .max_encoding_message_size(method.max_answer_frame());
        let closing = Box::pin(conversations.0.clone().cancelled_owned());
        let shared = Shared {
            answering,
            closing: Some(closing),
        };
        return grpc.streaming(shared, request).await;
    }
    if path == method.unary {
        let mut grpc = Grpc::new(Raw)
            .max_decoding_message_size(method.max_call)
            .max_encoding_message_size(method.max_answer);
        return grpc.unary(Alone(answering), request).await;
    }
    Status::unimplemented("no such method").into_http()
}

/// One call.
struct Alone<A>(A);

impl<A: Answering> UnaryService<Bytes> for Alone<A> {
    type Response = Bytes;
    type Future = BoxFuture<Response<Bytes>, Status>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let (_, connection, call) = request.into_parts();
        let answer = self.0.clone().answer(Arc::new(connection), call);
        Box::pin(async move { Ok(Response::new(answer.await?)) })
    }
}

/// A stream of them.
struct Shared<A> {
    answering: A,
    closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl<A: Answering> StreamingService<Bytes> for Shared<A> {
    type Response = Bytes;
    type ResponseStream = Conversation<A>;
    type Future = std::future::Ready<Result<Response<Conversation<A>>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let (_, connection, calls) = request.into_parts();
        let conversation = Conversation {
            answering: self.answering.clone(),
            connection: Arc::new(connection),
            calls: Some(calls),
            closing: self.closing.take(),
            answers: FuturesUnordered::new(),
        };
        std::future::ready(Ok(Response::new(conversation)))
    }
}

type Numbered = Pin<Box<dyn Future<Output = (u64, Result<Bytes, Status>)> + Send>>;

/// Takes calls as they come, and gives answers as they are ready. Everything happens in the task
/// that sends the answers, so that a call costs no task of its own.
struct Conversation<A> {
    answering: A,
    connection: Arc<Extensions>,
    /// Nothing once no more are taken.
    calls: Option<Streaming<Bytes>>,
    closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    answers: FuturesUnordered<Numbered>,
}

impl<A: Answering> Conversation<A> {
    /// Takes all calls that are here, within the limit.
    fn take(&mut self, context: &mut Context<'_>) -> Result<(), Status> {
        if let Some(closing) = &mut self.closing
            && closing.as_mut().poll(context).is_ready()
        {
            self.closing = None;
            self.calls = None;
        }
        while self.answers.len() < MAX_ANSWERING
            && let Some(calls) = &mut self.calls
        {
            match calls.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    for piece in frame::read(frame)? {
                        let connection = Arc::clone(&self.connection);
                        let answer = self.answering.clone().answer(connection, piece.bytes);
                        let number = piece.number;
                        self.answers
                            .push(Box::pin(async move { (number, answer.await) }));
                    }
                }
                Poll::Ready(Some(Err(_)) | None) => self.calls = None,
                Poll::Pending => break,
            }
        }
        Ok(())
    }
}

impl<A: Answering> Stream for Conversation<A> {
    type Item = Result<Bytes, Status>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Status>>> {
        let this = &mut *self;
        if let Err(status) = this.take(context) {
            this.calls = None;
            return Poll::Ready(Some(Err(status)));
        }
        let mut frame = Filling::new();
        while frame.len() < FRAME_BYTES
            && let Poll::Ready(Some((number, answer))) = this.answers.poll_next_unpin(context)
        {
            frame.answer(number, &answer);
        }
        if !frame.is_empty() {
            return Poll::Ready(Some(Ok(frame.finish())));
        }
        if this.calls.is_none() && this.answers.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}
