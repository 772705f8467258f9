use std::fmt;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use runtime::{Clock, Runtime, TaskHandle};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

use super::deadline::within;
use super::transport::{Listener, Stream, Transport};
use super::{CONNECT_DEADLINE, REDIAL_PAUSE};
use crate::identity::{Acceptor, Connector, Identity, IdentityError, Peer, Protocol, TlsStream};

/// Handshakes at a time; who comes later waits in the system's queue.
const MAX_HANDSHAKES: usize = 64;

/// TCP with TLS: for links inside a region.
#[derive(Clone)]
pub struct TcpTransport {
    acceptor: Acceptor,
    connector: Connector,
    runtime: Runtime,
}

struct TcpTlsListener {
    address: io::Result<String>,
    accepted: mpsc::Receiver<Stream>,
    accepting: TaskHandle,
}

impl TcpTransport {
    /// A transport of the party with this identity.
    pub fn new(identity: &Identity, runtime: Runtime) -> Result<Self, IdentityError> {
        let clock = || Arc::clone(&runtime.clock) as Arc<dyn Clock>;
        Ok(Self {
            acceptor: identity.acceptor(Protocol::Bulk, clock())?,
            connector: identity.connector(Protocol::Bulk, clock())?,
            runtime,
        })
    }
}

#[async_trait]
impl Transport for TcpTransport {
    async fn connect(&self, address: &str) -> io::Result<Stream> {
        let (stream, peer) = self.connector.connect(address).await?;
        Ok(split(stream, peer))
    }

    async fn listen(&self, address: &str) -> io::Result<Box<dyn Listener>> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr().map(|address| address.to_string());
        let (sender, accepted) = mpsc::channel(MAX_HANDSHAKES);
        let accept = accept(
            listener,
            self.acceptor.clone(),
            sender,
            self.runtime.clone(),
        );
        let accepting = self.runtime.tasks.spawn("accept bulk", Box::pin(accept));
        Ok(Box::new(TcpTlsListener {
            address,
            accepted,
            accepting,
        }))
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: Acceptor,
    accepted: mpsc::Sender<Stream>,
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
                runtime.clock.sleep(REDIAL_PAUSE).await;
                continue;
            }
        };
        let (acceptor, accepted, limits) = (acceptor.clone(), accepted.clone(), runtime.clone());
        let shake = async move {
            match within(&limits, CONNECT_DEADLINE, acceptor.accept(stream)).await {
                // Nobody receives once the listener is gone.
                Some(Ok((stream, peer))) => drop(accepted.send(split(stream, peer)).await),
                Some(Err(error)) => tracing::debug!(%error, "a handshake failed"),
                None => tracing::debug!("a handshake took too long"),
            }
            drop(turn);
        };
        runtime.tasks.spawn("bulk handshake", Box::pin(shake));
    }
}

fn split(stream: TlsStream, peer: Peer) -> Stream {
    let (reader, writer) = tokio::io::split(stream);
    Stream {
        peer,
        reader: Box::new(reader),
        writer: Box::new(writer),
    }
}

#[async_trait]
impl Listener for TcpTlsListener {
    async fn accept(&mut self) -> io::Result<Stream> {
        let accepted = self.accepted.recv().await;
        accepted.ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
    }

    fn address(&self) -> io::Result<String> {
        match &self.address {
            Ok(address) => Ok(address.clone()),
            Err(error) => Err(error.kind().into()),
        }
    }
}

impl Drop for TcpTlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl fmt::Debug for TcpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpTransport").finish_non_exhaustive()
    }
}

impl fmt::Debug for TcpTlsListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpTlsListener")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
