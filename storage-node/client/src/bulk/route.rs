//! Which transport leads to which node.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use runtime::Runtime;
use serde::{Deserialize, Serialize};

use super::deadline::within;
use super::transport::{Listener, Stream, Transport};

/// How long QUIC may take to come about before TCP is tried instead: three
/// round trips around the world and a lost packet.
const QUIC_PATIENCE: Duration = Duration::from_millis(1500);
/// How long a node that QUIC did not reach is asked by TCP at once.
const BLOCKED: Duration = Duration::from_secs(60);
/// Addresses that are remembered as blocked.
const MAX_BLOCKED: usize = 1024;

/// How chunks travel to other processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// QUIC to nodes of another region, TCP within one and where regions are not
    /// known.
    #[default]
    Auto,
    /// TCP with TLS everywhere.
    Tcp,
    /// QUIC everywhere.
    Quic,
}

/// Which transport leads to a node, by where it is.
#[derive(Clone, Debug)]
pub struct Route {
    near: Arc<dyn Transport>,
    far: Arc<dyn Transport>,
    choice: Choice,
    region: Option<String>,
}

impl Route {
    /// From a process of this region: `near` by TCP, `far` by QUIC.
    pub fn new(
        near: Arc<dyn Transport>,
        far: Arc<dyn Transport>,
        choice: Choice,
        region: Option<String>,
    ) -> Self {
        Self {
            near,
            far,
            choice,
            region,
        }
    }

    /// One transport to all nodes.
    pub fn only(transport: Arc<dyn Transport>) -> Self {
        let far = Arc::clone(&transport);
        Self::new(transport, far, Choice::Tcp, None)
    }

    /// The transport to a node of this region; an empty one is not known.
    pub fn to(&self, region: &str) -> Arc<dyn Transport> {
        let elsewhere = !region.is_empty()
            && self
                .region
                .as_deref()
                .is_some_and(|own| !own.is_empty() && own != region);
        let far = match self.choice {
            Choice::Auto => elsewhere,
            Choice::Tcp => false,
            Choice::Quic => true,
        };
        Arc::clone(if far { &self.far } else { &self.near })
    }
}

/// QUIC where it gets through, TCP where it does not: some networks let no UDP
/// pass, and nodes of older releases do not listen for it. Both are at the same
/// host and port number.
pub struct Falling {
    quic: Arc<dyn Transport>,
    tcp: Arc<dyn Transport>,
    runtime: Runtime,
    blocked: Mutex<HashMap<String, Duration>>,
    fallbacks: Counter,
}

impl Falling {
    /// Tries `quic` first.
    pub fn new(quic: Arc<dyn Transport>, tcp: Arc<dyn Transport>, runtime: Runtime) -> Self {
        Self {
            quic,
            tcp,
            runtime,
            blocked: Mutex::default(),
            fallbacks: Counter::default(),
        }
    }

    /// Names how often TCP took the place of QUIC.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "quic_fallbacks",
            "Times that a node was not reached by QUIC, and TCP took its place",
            self.fallbacks.clone(),
        );
    }

    /// How often TCP took the place of QUIC.
    pub fn fallbacks(&self) -> u64 {
        self.fallbacks.get()
    }

    fn blocked(&self) -> MutexGuard<'_, HashMap<String, Duration>> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_blocked(&self, address: &str) -> bool {
        let now = self.runtime.clock.monotonic();
        self.blocked()
            .get(address)
            .is_some_and(|until| now < *until)
    }

    fn block(&self, address: &str, error: &io::Error) {
        self.fallbacks.inc();
        let until = self.runtime.clock.monotonic() + BLOCKED;
        let mut blocked = self.blocked();
        if blocked.len() >= MAX_BLOCKED {
            blocked.clear();
        }
        if blocked.insert(address.to_owned(), until).is_none() {
            tracing::warn!(address, %error,
                "a node is not reached by QUIC (UDP), though by TCP; check that UDP passes");
        }
    }
}

#[async_trait]
impl Transport for Falling {
    async fn connect(&self, address: &str) -> io::Result<Stream> {
        if self.is_blocked(address) {
            return self.tcp.connect(address).await;
        }
        let quic = self.quic.connect(address);
        let connected = within(&self.runtime, QUIC_PATIENCE, quic).await;
        let error = match connected {
            Some(Ok(stream)) => {
                self.blocked().remove(address);
                return Ok(stream);
            }
            Some(Err(error)) => error,
            None => io::ErrorKind::TimedOut.into(),
        };
        // A node that is down says nothing about UDP.
        let stream = self.tcp.connect(address).await?;
        self.block(address, &error);
        Ok(stream)
    }

    async fn listen(&self, address: &str) -> io::Result<Box<dyn Listener>> {
        let tcp = self.tcp.listen(address).await?;
        // Where port 0 was asked for, the number is that which TCP got.
        let quic = self.quic.listen(&tcp.address()?).await;
        Ok(Box::new(Either {
            tcp,
            quic: quic
                .inspect_err(|error| {
                    tracing::warn!(address, %error, "no QUIC (UDP) here: other regions use TCP");
                })
                .ok(),
        }))
    }
}

/// Listens for TCP and, where it can, for QUIC on the same port number.
#[derive(Debug)]
pub struct Either {
    tcp: Box<dyn Listener>,
    quic: Option<Box<dyn Listener>>,
}

#[async_trait]
impl Listener for Either {
    async fn accept(&mut self) -> io::Result<Stream> {
        let Some(quic) = &mut self.quic else {
            return self.tcp.accept().await;
        };
        tokio::select! {
            stream = self.tcp.accept() => stream,
            stream = quic.accept() => stream,
        }
    }

    fn address(&self) -> io::Result<String> {
        self.tcp.address()
    }
}

impl fmt::Debug for Falling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Falling")
            .field("quic", &self.quic)
            .field("tcp", &self.tcp)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Choice, Route};
    use crate::bulk::{MemoryNetwork, Transport};
    use crate::identity::{Peer, Role};

    #[test]
    fn quic_leads_to_other_regions_unless_it_is_told_otherwise() {
        let transport = || {
            let name = "web".to_owned();
            let role = Role::Frontend;
            Arc::new(MemoryNetwork::new().transport(Peer { role, name })) as Arc<dyn Transport>
        };
        let (tcp, quic) = (transport(), transport());
        for (choice, own, other, expected) in [
            (Choice::Auto, Some("eu"), "eu", &tcp),
            (Choice::Auto, Some("eu"), "us", &quic),
            (Choice::Auto, None, "us", &tcp),
            (Choice::Auto, Some(""), "us", &tcp),
            (Choice::Auto, Some("eu"), "", &tcp),
            (Choice::Tcp, Some("eu"), "us", &tcp),
            (Choice::Quic, Some("eu"), "eu", &quic),
            (Choice::Quic, None, "", &quic),
        ] {
            let own = own.map(str::to_owned);
            let route = Route::new(Arc::clone(&tcp), Arc::clone(&quic), choice, own.clone());
            let right = Arc::ptr_eq(&route.to(other), expected);
            assert!(right, "{choice:?} from {own:?} to {other}");
        }
    }
}
