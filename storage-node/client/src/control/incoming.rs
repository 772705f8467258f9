use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use futures_util::future::{Either, select};
use runtime::Runtime;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tonic::transport::server::Connected;

use crate::identity::{Acceptor, Peer, TlsStream};

/// How long a handshake may take.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Handshakes at a time; who comes later waits in the system's queue.
const MAX_HANDSHAKES: usize = 64;
/// How long to wait after the system had no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections of parties of the cluster, for a tonic server to serve. Whoever
/// fails the handshake never appears, and holds up nobody.
#[derive(Debug)]
pub struct Incoming {
    accepted: mpsc::Receiver<Accepted>,
    accepting: runtime::TaskHandle,
}

/// One connection. Requests on it carry its [`Peer`] in their extensions.
#[derive(Debug)]
pub struct Accepted {
    stream: TlsStream,
    peer: Peer,
}

impl Incoming {
    /// Accepts on a listener until it is dropped.
    pub fn new(listener: TcpListener, acceptor: Acceptor, runtime: &Runtime) -> Self {
        let (sender, accepted) = mpsc::channel(MAX_HANDSHAKES);
        let accept = accept(listener, acceptor, sender, runtime.clone());
        let accepting = runtime.tasks.spawn("accept control", Box::pin(accept));
        Self {
            accepted,
            accepting,
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Stream for Incoming {
    type Item = io::Result<Accepted>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.accepted
            .poll_recv(context)
            .map(|accepted| accepted.map(Ok))
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: Acceptor,
    accepted: mpsc::Sender<Accepted>,
    runtime: Runtime,
) {
    let turns = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                runtime.clock.sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
        let deadline = runtime.clock.sleep(HANDSHAKE_DEADLINE);
        let shake = async move {
            let shaken = {
                let handshake = std::pin::pin!(handshake(acceptor, stream));
                match select(handshake, deadline).await {
                    Either::Left((shaken, _)) => shaken,
                    Either::Right(_) => Err(io::ErrorKind::TimedOut.into()),
                }
            };
            match shaken {
                // Nobody receives once the server is shutting down.
                Ok(connection) => drop(accepted.send(connection).await),
                Err(error) => tracing::debug!(%error, "a handshake failed"),
            }
            drop(turn);
        };
        runtime.tasks.spawn("control handshake", Box::pin(shake));
    }
}

async fn handshake(acceptor: Acceptor, stream: TcpStream) -> io::Result<Accepted> {
    let (stream, peer) = acceptor.accept(stream).await?;
    Ok(Accepted { stream, peer })
}

impl Connected for Accepted {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
