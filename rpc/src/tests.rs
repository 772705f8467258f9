use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::join_all;
use runtime::Runtime;
use tokio::net::TcpListener;
use tokio::sync::{Barrier, Notify};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Extensions, Status};

use crate::limits::MAX_SHARED_BYTES;
use crate::{Answering, Conversations, Line, Method, serve};

static METHOD: Method = Method {
    unary: "/test.Echo/Call",
    shared: "/test.Echo/Calls",
    max_call: 1 << 20,
    max_answer: 1 << 20,
};

/// Answers every call with itself, but for those that it knows.
#[derive(Clone)]
struct Echo {
    /// Whether it is of a release that knows the stream.
    shares: bool,
    alone: Arc<AtomicUsize>,
    shared: Arc<AtomicUsize>,
    pair: Arc<Barrier>,
    reached: Arc<Notify>,
    conversations: Conversations,
}

impl Echo {
    fn new(shares: bool) -> Self {
        Self {
            shares,
            alone: Arc::default(),
            shared: Arc::default(),
            pair: Arc::new(Barrier::new(2)),
            reached: Arc::default(),
            conversations: Conversations::default(),
        }
    }

    /// How many requests came, in either form.
    fn requests(&self) -> (usize, usize) {
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        (count(&self.alone), count(&self.shared))
    }
}

impl Answering for Echo {
    async fn answer(self, _connection: Arc<Extensions>, call: Bytes) -> Result<Bytes, Status> {
        match &*call {
            b"refuse" => Err(Status::not_found("no such thing")),
            // Answered once there are two of them.
            b"pair" => {
                self.pair.wait().await;
                Ok(call)
            }
            b"hang" => {
                self.reached.notify_one();
                std::future::pending().await
            }
            _ => Ok(call),
        }
    }
}

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            if request.uri().path() == METHOD.unary {
                this.alone.fetch_add(1, Ordering::SeqCst);
            } else if this.shares {
                this.shared.fetch_add(1, Ordering::SeqCst);
            } else {
                return Ok(Status::unimplemented("no such method").into_http());
            }
            let conversations = this.conversations.clone();
            Ok(serve(this, &METHOD, &conversations, request).await)
        })
    }
}

fn start(listener: TcpListener, echo: &Echo) {
    let (echo, incoming) = (echo.clone(), TcpIncoming::from(listener));
    tokio::spawn(async move {
        let serving = Server::builder().serve_with_incoming(echo, incoming);
        serving.await.unwrap();
    });
}

fn line(address: SocketAddr) -> Line {
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let tasks = Runtime::real().tasks;
    Line::new(&METHOD, channel.connect_lazy(), tasks)
}

/// Serves on a port of its own.
async fn serving(echo: &Echo) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    start(listener, echo);
    address
}

async fn listen_again(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

fn numbered(number: usize) -> Bytes {
    Bytes::from(format!("{number}"))
}

#[tokio::test]
async fn calls_share_one_stream_and_each_gets_its_answer() {
    let echo = Echo::new(true);
    let line = line(serving(&echo).await);
    let answers = join_all((0..500).map(|number| line.call(numbered(number)))).await;
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), numbered(number));
    }
    let refused = line.call(Bytes::from_static(b"refuse")).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(refused.message(), "no such thing");
    assert_eq!(echo.requests(), (0, 1));
}

#[tokio::test]
async fn a_call_that_takes_long_holds_up_no_other() {
    let echo = Echo::new(true);
    let line = line(serving(&echo).await);
    let first = line.call(Bytes::from_static(b"pair"));
    let second = async {
        line.call(numbered(1)).await.unwrap();
        line.call(Bytes::from_static(b"pair")).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(
        (first.unwrap(), second.unwrap()),
        ("pair".into(), "pair".into())
    );
    assert_eq!(echo.requests(), (0, 1));
}

#[tokio::test]
async fn long_calls_and_those_that_ask_for_it_go_alone() {
    let echo = Echo::new(true);
    let line = line(serving(&echo).await);
    let long = Bytes::from(vec![7; MAX_SHARED_BYTES + 1]);
    assert_eq!(line.call(long.clone()).await.unwrap(), long);
    assert_eq!(line.call_alone(numbered(1)).await.unwrap(), numbered(1));
    assert_eq!(echo.requests(), (2, 0));
    let shared = Bytes::from(vec![7; MAX_SHARED_BYTES]);
    assert_eq!(line.call(shared.clone()).await.unwrap(), shared);
    assert_eq!(echo.requests(), (2, 1));
}

/// Runtimes of their own for the client and for two servers, which end with them.
fn runtimes() -> [tokio::runtime::Runtime; 3] {
    [(); 3].map(|()| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    })
}

#[test]
fn a_release_without_the_stream_is_called_alone_until_it_is_replaced() {
    let [client, first, second] = runtimes();
    let old = Echo::new(false);
    let address = first.block_on(serving(&old));
    let line = client.block_on(async { line(address) });
    client.block_on(async {
        let answers = join_all((0..20).map(|number| line.call(numbered(number)))).await;
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.unwrap(), numbered(number));
        }
        assert_eq!(old.requests(), (20, 0));
        first.shutdown_background();
        while line.call(numbered(1)).await.is_ok() {}
    });
    let new = Echo::new(true);
    second.block_on(async { start(listen_again(address).await, &new) });
    client.block_on(async {
        while line.call(numbered(2)).await.is_err() {}
        assert_eq!(line.call(numbered(3)).await.unwrap(), numbered(3));
    });
    assert_eq!(new.requests(), (0, 1));
}

#[test]
fn calls_under_way_fail_with_the_connection_and_the_next_makes_another() {
    let [client, first, second] = runtimes();
    let echo = Echo::new(true);
    let address = first.block_on(serving(&echo));
    let line = client.block_on(async { line(address) });
    client.block_on(async {
        assert!(line.call(numbered(1)).await.is_ok());
        let kill = async {
            echo.reached.notified().await;
            first.shutdown_background();
        };
        let (lost, ()) = tokio::join!(line.call(Bytes::from_static(b"hang")), kill);
        assert!(lost.is_err());
    });
    second.block_on(async { start(listen_again(address).await, &echo) });
    client.block_on(async {
        while line.call(numbered(2)).await.is_err() {}
        assert_eq!(line.call(numbered(3)).await.unwrap(), numbered(3));
    });
}

#[tokio::test]
async fn closed_conversations_answer_what_they_took_and_let_the_server_end() {
    let echo = Echo::new(true);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let line = line(listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let incoming = TcpIncoming::from(listener);
    let conversations = echo.conversations.clone();
    let served = echo.clone();
    let serving = tokio::spawn(async move {
        let stopped = async move {
            let _ = stopped.await;
            conversations.close();
        };
        Server::builder()
            .serve_with_incoming_shutdown(served, incoming, stopped)
            .await
    });
    assert!(line.call(numbered(1)).await.is_ok());
    // One of a pair is taken, and answered by what is asked before the end: its twin.
    let taken = line.call(Bytes::from_static(b"pair"));
    let end = async {
        assert!(line.call(numbered(2)).await.is_ok());
        stop.send(()).unwrap();
        echo.pair.wait().await;
    };
    let (taken, ()) = tokio::join!(taken, end);
    assert_eq!(taken.unwrap(), "pair");
    serving.await.unwrap().unwrap();
    assert!(line.call(numbered(3)).await.is_err());
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_nothing_behind() {
    let echo = Echo::new(true);
    let line = line(serving(&echo).await);
    {
        let hanging = std::pin::pin!(line.call(Bytes::from_static(b"hang")));
        let reached = std::pin::pin!(echo.reached.notified());
        let first = futures_util::future::select(hanging, reached).await;
        assert!(matches!(first, futures_util::future::Either::Right(_)));
        assert_eq!(line.calls_out(), 1);
    }
    assert_eq!(line.calls_out(), 0);
    assert_eq!(line.call(numbered(1)).await.unwrap(), numbered(1));
}
