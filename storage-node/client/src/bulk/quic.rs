//! QUIC (RFC 9000) with mutual TLS: for ways that are long or lose packets.
//!
//! One connection to each node, on which every [`Stream`] is a bidirectional QUIC
//! stream: a lost packet holds up one of them and not the others. 0-RTT is off:
//! what is sent in it could be repeated by who saw it. Timers are quinn's own, in
//! real time: its simulation would be one of the kernel's network, too.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::rustls::pki_types::CertificateDer;
use quinn::{
    ClientConfig, Connection, Endpoint, EndpointConfig, IdleTimeout, Incoming, RecvStream,
    SendStream, ServerConfig, TransportConfig, VarInt,
};
use runtime::{Runtime, TaskHandle};
use tokio::io::AsyncWrite;
use tokio::sync::{Semaphore, mpsc};

use super::congestion::TolerantConfig;
use super::deadline::within;
use super::transport::{Listener, Stream, Transport};
use super::{CONNECT_DEADLINE, MAX_CONNECTIONS, MAX_SERVED};
use crate::identity::{Identity, IdentityError, Peer, Protocol, QuicTls};

/// What one stream may have under way: a round trip of 80 ms at 1 Gbit/s is
/// 10 MB, and a sender that waits for a window has lost a round trip.
const STREAM_WINDOW_BYTES: u32 = 12 << 20;
/// What all streams of a connection may have under way, at either end.
const CONNECTION_WINDOW_BYTES: u32 = 4 * STREAM_WINDOW_BYTES;
/// Streams of one connection at a time; who opens more waits.
const MAX_STREAMS: u32 = 4 * MAX_CONNECTIONS as u32;
/// Handshakes under way.
const MAX_HANDSHAKES: usize = 64;
/// Nodes whose connections are kept.
const MAX_KEPT: usize = 1024;
/// The socket's buffers: the usual ones hold a few milliseconds of a fast link.
const SOCKET_BYTES: usize = 4 << 20;
/// How long a connection lives without a sign of the other end.
const SILENCE: Duration = Duration::from_secs(5);
/// How often a connection without traffic gives a sign.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// How long what was written is still sent after its writer is gone.
const LINGER: Duration = Duration::from_secs(20);
/// What each end writes first on a stream: a stream appears with its first byte,
/// and who opens one wants to know that somebody is there.
const HELLO: u8 = 0xd1;

/// QUIC between parties with certificates of one cluster.
pub struct QuicTransport {
    tls: QuicTls,
    client: ClientConfig,
    server: ServerConfig,
    runtime: Runtime,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Where connections go out, one for each family of addresses.
    endpoints: HashMap<bool, Endpoint>,
    connections: HashMap<SocketAddr, Connection>,
}

struct QuicListener {
    address: io::Result<String>,
    accepted: mpsc::Receiver<Stream>,
    endpoint: Endpoint,
    accepting: TaskHandle,
}

impl QuicTransport {
    /// A transport of the party with this identity.
    pub fn new(identity: &Identity, runtime: Runtime) -> Result<Self, IdentityError> {
        let tls = identity.quic(Protocol::Bulk, Arc::clone(&runtime.clock))?;
        let no_suite = |_| IdentityError::Certificate;
        let client = QuicClientConfig::try_from(Arc::clone(&tls.client)).map_err(no_suite)?;
        let server = QuicServerConfig::try_from(Arc::clone(&tls.server)).map_err(no_suite)?;
        let mut client = ClientConfig::new(Arc::new(client));
        let mut server = ServerConfig::with_crypto(Arc::new(server));
        let limits = limits();
        client.transport_config(Arc::clone(&limits));
        server.transport_config(limits);
        server.max_incoming(MAX_HANDSHAKES);
        server.migration(false);
        Ok(Self {
            tls,
            client,
            server,
            runtime,
            kept: Mutex::default(),
        })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn endpoint(&self, to: SocketAddr) -> io::Result<Endpoint> {
        let mut kept = self.kept();
        if let Some(endpoint) = kept.endpoints.get(&to.is_ipv6()) {
            return Ok(endpoint.clone());
        }
        let any = if to.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
        let any = any.parse().map_err(io::Error::other)?;
        let endpoint = endpoint(any, None)?;
        kept.endpoints.insert(to.is_ipv6(), endpoint.clone());
        Ok(endpoint)
    }

    /// The connection that there is, or a new one.
    async fn connection(&self, to: SocketAddr) -> io::Result<Connection> {
        let known = self.kept().connections.get(&to).cloned();
        if let Some(connection) = known.filter(|known| known.close_reason().is_none()) {
            return Ok(connection);
        }
        let endpoint = self.endpoint(to)?;
        let connecting = endpoint.connect_with(self.client.clone(), to, &self.tls.server_name);
        let connection = connecting.map_err(io::Error::other)?.await?;
        let mut kept = self.kept();
        if kept.connections.len() >= MAX_KEPT {
            kept.connections.clear();
        }
        kept.connections.insert(to, connection.clone());
        Ok(connection)
    }

    async fn open(&self, to: SocketAddr) -> io::Result<Stream> {
        let connection = self.connection(to).await?;
        let opened = async {
            let peer = peer_of(&self.tls, &connection)?;
            let (mut writer, mut reader) = connection.open_bi().await?;
            writer.write_all(&[HELLO]).await?;
            hello(&mut reader).await?;
            Ok(stream(peer, reader, writer, &connection, &self.runtime))
        };
        let opened = within(&self.runtime, CONNECT_DEADLINE / 2, opened).await;
        let opened = opened.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()));
        if opened.is_err() {
            let mut kept = self.kept();
            let same = |known: &Connection| known.stable_id() == connection.stable_id();
            if kept.connections.get(&to).is_some_and(same) {
                kept.connections.remove(&to);
            }
        }
        opened
    }
}

fn limits() -> Arc<TransportConfig> {
    let mut limits = TransportConfig::default();
    limits
        .max_concurrent_bidi_streams(VarInt::from_u32(MAX_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(u64::from(CONNECTION_WINDOW_BYTES))
        .keep_alive_interval(Some(SIGN_OF_LIFE))
        .max_idle_timeout(IdleTimeout::try_from(SILENCE).ok())
        .congestion_controller_factory(Arc::new(TolerantConfig));
    Arc::new(limits)
}

fn endpoint(address: SocketAddr, server: Option<ServerConfig>) -> io::Result<Endpoint> {
    let socket = std::net::UdpSocket::bind(address)?;
    // As much as the system allows.
    for set in [
        rustix::net::sockopt::set_socket_recv_buffer_size,
        rustix::net::sockopt::set_socket_send_buffer_size,
    ] {
        if let Err(error) = set(&socket, SOCKET_BYTES) {
            tracing::debug!(%error, "a socket keeps its small buffers");
        }
    }
    let runtime = Arc::new(quinn::TokioRuntime);
    Endpoint::new(EndpointConfig::default(), server, socket, runtime)
}

#[async_trait]
impl Transport for QuicTransport {
    async fn connect(&self, address: &str) -> io::Result<Stream> {
        let to = tokio::net::lookup_host(address).await?.next();
        let to = to.ok_or_else(|| io::Error::other("the name stands for no address"))?;
        match self.open(to).await {
            // The other end may have started again since the connection was made.
            Err(_) if self.kept().connections.contains_key(&to) => self.open(to).await,
            opened => opened,
        }
    }

    async fn listen(&self, address: &str) -> io::Result<Box<dyn Listener>> {
        let at = tokio::net::lookup_host(address).await?.next();
        let at = at.ok_or_else(|| io::Error::other("the name stands for no address"))?;
        let endpoint = endpoint(at, Some(self.server.clone()))?;
        let (sender, accepted) = mpsc::channel(MAX_HANDSHAKES);
        let door = Door {
            tls: self.tls.clone(),
            accepted: sender,
            runtime: self.runtime.clone(),
        };
        let accept = accept(endpoint.clone(), door);
        Ok(Box::new(QuicListener {
            address: endpoint.local_addr().map(|address| address.to_string()),
            accepted,
            endpoint,
            accepting: self.runtime.tasks.spawn("accept quic", Box::pin(accept)),
        }))
    }
}

/// What new connections need.
#[derive(Clone)]
struct Door {
    tls: QuicTls,
    accepted: mpsc::Sender<Stream>,
    runtime: Runtime,
}

async fn accept(endpoint: Endpoint, door: Door) {
    let places = Arc::new(Semaphore::new(MAX_SERVED));
    while let Some(incoming) = endpoint.accept().await {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let (entering, tasks) = (door.clone(), Arc::clone(&door.runtime.tasks));
        let enter = async move {
            if let Err(error) = entering.enter(incoming).await {
                tracing::debug!(%error, "a QUIC connection ended");
            }
            drop(place);
        };
        tasks.spawn("quic connection", Box::pin(enter));
    }
}

impl Door {
    async fn enter(&self, incoming: Incoming) -> io::Result<()> {
        let late = || io::Error::from(io::ErrorKind::TimedOut);
        let handshake = async { Ok::<_, io::Error>(incoming.await?) };
        let connection = within(&self.runtime, CONNECT_DEADLINE, handshake).await;
        let connection = connection.ok_or_else(late)??;
        let peer = peer_of(&self.tls, &connection)?;
        loop {
            let (mut writer, mut reader) = tokio::select! {
                // The listener is gone: no stream is new any more.
                () = self.accepted.closed() => return Ok(()),
                accepted = connection.accept_bi() => accepted?,
            };
            let (door, peer, connection) = (self.clone(), peer.clone(), connection.clone());
            let greet = async move {
                let greeted = async {
                    hello(&mut reader).await?;
                    writer.write_all(&[HELLO]).await.map_err(io::Error::from)
                };
                if let Some(Ok(())) = within(&door.runtime, CONNECT_DEADLINE, greeted).await {
                    let stream = stream(peer, reader, writer, &connection, &door.runtime);
                    // Nobody receives once the listener is gone.
                    drop(door.accepted.send(stream).await);
                }
            };
            self.runtime.tasks.spawn("quic stream", Box::pin(greet));
        }
    }
}

async fn hello(reader: &mut RecvStream) -> io::Result<()> {
    let mut first = [0];
    reader
        .read_exact(&mut first)
        .await
        .map_err(io::Error::other)?;
    if first == [HELLO] {
        Ok(())
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// Who is at the other end. Its certificate was checked in the handshake.
fn peer_of(tls: &QuicTls, connection: &Connection) -> io::Result<Peer> {
    let shown = connection.peer_identity();
    let shown = shown.and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
    tls.peer(shown.as_deref().map(Vec::as_slice))
}

fn stream(
    peer: Peer,
    reader: RecvStream,
    writer: SendStream,
    connection: &Connection,
    runtime: &Runtime,
) -> Stream {
    Stream {
        peer,
        reader: Box::new(reader),
        writer: Box::new(Writer {
            stream: Some(writer),
            connection: connection.clone(),
            runtime: runtime.clone(),
        }),
    }
}

/// A stream's way out, which outlives its writer until the other end has all of
/// it: a connection that nobody holds ends at once.
struct Writer {
    stream: Option<SendStream>,
    connection: Connection,
    runtime: Runtime,
}

impl Writer {
    fn stream(&mut self) -> io::Result<Pin<&mut SendStream>> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        self.stream.as_mut().map(Pin::new).ok_or_else(gone)
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = self.stream()?;
        AsyncWrite::poll_write(stream, context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(self.stream()?, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(self.stream()?, context)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let Some(mut stream) = self.stream.take() else {
            return;
        };
        if self.connection.close_reason().is_some() {
            return;
        }
        let (connection, limits) = (self.connection.clone(), self.runtime.clone());
        let linger = async move {
            // Fails if it was finished, or stopped by the other end.
            drop(stream.finish());
            if within(&limits, LINGER, stream.stopped()).await.is_none() {
                drop(stream.reset(VarInt::from_u32(0)));
            }
            drop(connection);
        };
        self.runtime.tasks.spawn("quic linger", Box::pin(linger));
    }
}

#[async_trait]
impl Listener for QuicListener {
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

impl Drop for QuicListener {
    fn drop(&mut self) {
        // Streams that there are go on; the socket goes with the last of them.
        self.endpoint.set_server_config(None);
        self.accepting.abort();
    }
}

impl fmt::Debug for QuicTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicTransport").finish_non_exhaustive()
    }
}

impl fmt::Debug for QuicListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicListener")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
