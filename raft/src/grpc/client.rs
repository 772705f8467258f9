//! Requests to peers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rpc::Line;
use runtime::Runtime;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::METHOD;
use crate::limits::{RECONNECT_FIRST, RECONNECT_MOST};
use crate::{NodeId, PeerError, PeerRequest, PeerResponse, Peers};

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a connection with requests under way is probed, and how long the answer may take.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// Makes connections: adds TLS, and checks that the server is the node that is meant.
pub trait Dial: Send + Sync + fmt::Debug {
    /// A connection that comes about with its first request. `address` is a member's, as it was
    /// given to [`Group`](crate::Group).
    fn dial(&self, to: NodeId, address: &str) -> Result<Channel, DialError>;
}

/// A connection that cannot be tried.
#[derive(Debug, thiserror::Error)]
#[error("connect to {address}")]
pub struct DialError {
    /// Where to.
    pub address: String,
    /// Why not.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Connections without TLS, for tests and for networks that protect themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainDial;

impl Dial for PlainDial {
    fn dial(&self, _to: NodeId, address: &str) -> Result<Channel, DialError> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        let endpoint = endpoint.map_err(|error| DialError {
            address: address.to_owned(),
            source: error.into(),
        })?;
        Ok(endpoint
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .connect_lazy())
    }
}

/// [`Peers`] over gRPC: one connection for each peer, made when needed; after a failure it is
/// left alone for a while that doubles from failure to failure.
pub struct GrpcPeers {
    dial: Arc<dyn Dial>,
    runtime: Runtime,
    connections: Mutex<BTreeMap<NodeId, Connection>>,
}

struct Connection {
    address: String,
    line: Option<Arc<Line>>,
    failures: u32,
    /// No attempt before this time of the monotonic clock.
    not_before: Duration,
}

impl GrpcPeers {
    /// Connects to peers by `dial`.
    pub fn new(dial: Arc<dyn Dial>, runtime: Runtime) -> Self {
        Self {
            dial,
            runtime,
            connections: Mutex::new(BTreeMap::new()),
        }
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<NodeId, Connection>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, to: NodeId, address: &str) -> Result<Arc<Line>, PeerError> {
        let mut connections = self.connections();
        let connection = connections
            .entry(to)
            .or_insert_with(|| Connection::new(address));
        if connection.address != address {
            *connection = Connection::new(address);
        }
        if let Some(line) = &connection.line {
            return Ok(Arc::clone(line));
        }
        if self.runtime.clock.monotonic() < connection.not_before {
            let reason = "it was unreachable a moment ago".to_owned();
            return Err(PeerError::Unreachable { to, reason });
        }
        match self.dial.dial(to, address) {
            Ok(channel) => {
                let line = Line::new(&METHOD, channel, Arc::clone(&self.runtime.tasks));
                Ok(Arc::clone(connection.line.insert(Arc::new(line))))
            }
            Err(error) => {
                connection.fail(self.runtime.clock.monotonic());
                let reason = format!("{error}: {}", error.source);
                Err(PeerError::Unreachable { to, reason })
            }
        }
    }

    /// Notes how a request ended: whether there is a node at the other end.
    fn note(&self, to: NodeId, address: &str, reached: bool) {
        let now = self.runtime.clock.monotonic();
        let mut connections = self.connections();
        let Some(connection) = connections.get_mut(&to) else {
            return;
        };
        if connection.address != address {
            return;
        }
        if reached {
            connection.failures = 0;
        } else if connection.line.is_some() {
            connection.fail(now);
        }
    }
}

impl Connection {
    fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            line: None,
            failures: 0,
            not_before: Duration::ZERO,
        }
    }

    fn fail(&mut self, now: Duration) {
        self.line = None;
        let wait = RECONNECT_FIRST * 2_u32.saturating_pow(self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + wait.min(RECONNECT_MOST);
    }
}

impl fmt::Debug for GrpcPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcPeers")
            .field("peers", &self.connections().keys())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Peers for GrpcPeers {
    async fn send(
        &self,
        to: NodeId,
        address: &str,
        request: PeerRequest,
    ) -> Result<PeerResponse, PeerError> {
        let line = self.line(to, address)?;
        let result = line.call(Bytes::from(request.encode())).await;
        let away = |status: &Status| status.code() == Code::Unavailable;
        self.note(to, address, !result.as_ref().is_err_and(away));
        let response = result.map_err(|status| PeerError::Unreachable {
            to,
            reason: format!("{:?}: {}", status.code(), status.message()),
        })?;
        PeerResponse::decode(&response).map_err(|error| PeerError::BadResponse {
            to,
            reason: error.to_string(),
        })
    }
}
