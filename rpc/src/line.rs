//! The calling side.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_core::Stream;
use runtime::Tasks;
use tokio::sync::oneshot;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::codec::Raw;
use crate::frame::{self, Filling};
use crate::limits::{FRAME_BYTES, MAX_SHARED_BYTES, MAX_WAITING};
use crate::method::Method;

/// Calls of one method of one peer, over one connection.
///
/// The shared stream comes about with the first call, and with the next one after it ended.
/// Dropping the line ends it; calls under way get an error.
pub struct Line {
    method: &'static Method,
    channel: Channel,
    tasks: Arc<dyn Tasks>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    phase: Phase,
    /// Counts the streams that there were: one that is over must not take calls.
    stream: u64,
    waiting: VecDeque<Waiting>,
    /// Those that were sent, by number.
    out: HashMap<u64, Reply>,
    numbers: u64,
    /// Of the stream, when nothing was waiting.
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// There is no stream.
    #[default]
    Closed,
    /// There is one, or it is being opened.
    Open,
    /// The peer does not know the stream.
    Unknown,
}

struct Waiting {
    number: u64,
    call: Bytes,
    reply: Reply,
}

type Reply = oneshot::Sender<Result<Bytes, Ended>>;

/// Why a call on the stream got no answer.
#[derive(Clone)]
enum Ended {
    Failed(Status),
    /// It was not looked at: the peer does not know the stream.
    Unknown,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Line").field(&self.method.unary).finish()
    }
}

impl Line {
    /// Calls over `channel`, with a task of `tasks` for as long as there is a stream.
    pub fn new(method: &'static Method, channel: Channel, tasks: Arc<dyn Tasks>) -> Self {
        Self {
            method,
            channel,
            tasks,
            shared: Arc::default(),
        }
    }

    /// Makes one call. A call whose answer may be long goes by
    /// [`call_alone`](Self::call_alone), lest the others wait behind the answer.
    pub async fn call(&self, call: Bytes) -> Result<Bytes, Status> {
        if call.len() > MAX_SHARED_BYTES {
            return self.call_alone(call).await;
        }
        let Some(answer) = self.queue(&call)? else {
            return self.call_alone(call).await;
        };
        match answer.receive().await {
            Ok(answer) => Ok(answer),
            Err(Ended::Failed(status)) => Err(status),
            Err(Ended::Unknown) => self.call_alone(call).await,
        }
    }

    /// Makes one call on a stream of its own.
    pub async fn call_alone(&self, call: Bytes) -> Result<Bytes, Status> {
        let mut grpc = Grpc::new(self.channel.clone())
            .max_decoding_message_size(self.method.max_answer)
            .max_encoding_message_size(self.method.max_call);
        grpc.ready().await.map_err(not_ready)?;
        let path = PathAndQuery::from_static(self.method.unary);
        let answered = grpc.unary(Request::new(call), path, Raw).await;
        if answered.as_ref().is_err_and(is_away) {
            // Another release may be there next time.
            let mut state = self.shared.lock();
            if state.phase == Phase::Unknown {
                state.phase = Phase::Closed;
            }
        }
        Ok(answered?.into_inner())
    }

    /// Puts a call into the queue; nothing if there can be no stream.
    fn queue(&self, call: &Bytes) -> Result<Option<Answer>, Status> {
        let mut state = self.shared.lock();
        if state.phase == Phase::Unknown {
            return Ok(None);
        }
        if state.waiting.len() >= MAX_WAITING {
            return Err(Status::resource_exhausted("too many calls are waiting"));
        }
        let (reply, receiver) = oneshot::channel();
        state.numbers += 1;
        let number = state.numbers;
        state.waiting.push_back(Waiting {
            number,
            call: call.clone(),
            reply,
        });
        let waker = state.waker.take();
        let opens = state.phase == Phase::Closed;
        state.phase = Phase::Open;
        let stream = state.stream;
        drop(state);
        if opens {
            self.open(stream);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(Some(Answer {
            number,
            receiver,
            shared: Arc::clone(&self.shared),
            received: false,
        }))
    }

    #[cfg(test)]
    pub(crate) fn calls_out(&self) -> usize {
        self.shared.lock().out.len()
    }

    fn open(&self, stream: u64) {
        let (method, channel) = (self.method, self.channel.clone());
        let shared = Arc::clone(&self.shared);
        let converse = async move {
            let ended = converse(method, channel, stream, &shared).await;
            shared.end(stream, ended);
        };
        self.tasks.spawn("rpc line", Box::pin(converse));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let stream = self.shared.lock().stream;
        self.shared.end(stream, over("the line was closed"));
    }
}

/// Whether the peer may be gone: what it says itself has no cause on this side.
fn is_away(status: &Status) -> bool {
    status.code() == Code::Unavailable || std::error::Error::source(status).is_some()
}

fn over(reason: &str) -> Ended {
    Ended::Failed(Status::unavailable(reason))
}

fn not_ready(error: tonic::transport::Error) -> Status {
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    let mut status = Status::unavailable(cause.unwrap_or_else(|| error.to_string()));
    status.set_source(Arc::new(error));
    status
}

/// Opens a stream and hands out the answers on it until it ends; returns why it did.
async fn converse(
    method: &'static Method,
    channel: Channel,
    stream: u64,
    shared: &Arc<Shared>,
) -> Ended {
    let mut grpc = Grpc::new(channel)
        .max_decoding_message_size(method.max_answer_frame())
        .max_encoding_message_size(FRAME_BYTES + frame::OVERHEAD + MAX_SHARED_BYTES);
    if let Err(error) = grpc.ready().await {
        return Ended::Failed(not_ready(error));
    }
    let calls = Outgoing {
        stream,
        shared: Arc::clone(shared),
    };
    let path = PathAndQuery::from_static(method.shared);
    let opened = grpc.streaming(Request::new(calls), path, Raw).await;
    let mut answers = match opened {
        Ok(answers) => answers.into_inner(),
        Err(status) if status.code() == Code::Unimplemented => return Ended::Unknown,
        Err(status) => return Ended::Failed(status),
    };
    loop {
        let frame = match answers.message().await {
            Ok(Some(frame)) => frame,
            Ok(None) => return over("the peer takes no more calls"),
            Err(status) => return Ended::Failed(status),
        };
        match frame::read(frame) {
            Ok(pieces) => shared.answered(pieces),
            Err(status) => return Ended::Failed(status),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, pieces: Vec<frame::Piece>) {
        let mut state = self.lock();
        let replies: Vec<_> = pieces
            .into_iter()
            .filter_map(|piece| Some((state.out.remove(&piece.number)?, piece)))
            .collect();
        drop(state);
        for (reply, piece) in replies {
            // Whoever has given up has dropped its receiver.
            let _ = reply.send(piece.into_answer().map_err(Ended::Failed));
        }
    }

    /// A stream is over: nothing that was sent on it will be answered.
    fn end(&self, stream: u64, ended: Ended) {
        let mut state = self.lock();
        if state.stream != stream {
            return;
        }
        state.stream += 1;
        state.phase = match ended {
            Ended::Unknown => Phase::Unknown,
            Ended::Failed(_) => Phase::Closed,
        };
        let sent = std::mem::take(&mut state.out).into_values();
        let waiting = std::mem::take(&mut state.waiting).into_iter();
        let replies: Vec<Reply> = sent.chain(waiting.map(|waiting| waiting.reply)).collect();
        let waker = state.waker.take();
        drop(state);
        for reply in replies {
            // Whoever has given up has dropped its receiver.
            let _ = reply.send(Err(ended.clone()));
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The calls of one stream.
struct Outgoing {
    stream: u64,
    shared: Arc<Shared>,
}

impl Stream for Outgoing {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.shared.lock();
        if state.stream != self.stream {
            return Poll::Ready(None);
        }
        let mut frame = Filling::new();
        while frame.len() < FRAME_BYTES
            && let Some(waiting) = state.waiting.pop_front()
        {
            if !waiting.reply.is_closed() {
                frame.call(waiting.number, &waiting.call);
                state.out.insert(waiting.number, waiting.reply);
            }
        }
        if frame.is_empty() {
            state.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Some(frame.finish()))
    }
}

/// An answer that is waited for. Dropped before it came, it leaves nothing behind.
struct Answer {
    number: u64,
    receiver: oneshot::Receiver<Result<Bytes, Ended>>,
    shared: Arc<Shared>,
    received: bool,
}

impl Answer {
    async fn receive(mut self) -> Result<Bytes, Ended> {
        let answer = (&mut self.receiver).await;
        self.received = true;
        answer.unwrap_or_else(|_| Err(over("the line was closed")))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.received {
            self.shared.lock().out.remove(&self.number);
        }
    }
}
