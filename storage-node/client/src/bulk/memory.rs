use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

use super::transport::{Listener, Stream, Transport};
use crate::identity::Peer;

/// Bytes on their way in one direction before the sender waits.
const IN_FLIGHT_BYTES: usize = 64 << 10;
/// Connections that wait to be accepted.
const BACKLOG: usize = 16;

/// A network inside the process, for tests and simulation. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoryNetwork {
    listeners: Arc<Mutex<BTreeMap<String, mpsc::Sender<Stream>>>>,
}

/// One party's access to a [`MemoryNetwork`].
#[derive(Clone, Debug)]
pub struct MemoryTransport {
    network: MemoryNetwork,
    peer: Peer,
}

#[derive(Debug)]
struct MemoryListener {
    address: String,
    peer: Peer,
    accepted: mpsc::Receiver<Stream>,
}

impl MemoryNetwork {
    /// A network without listeners.
    pub fn new() -> Self {
        Self::default()
    }

    /// The transport of a party that others see as `peer`.
    pub fn transport(&self, peer: Peer) -> MemoryTransport {
        MemoryTransport {
            network: self.clone(),
            peer,
        }
    }

    fn listener(&self, address: &str) -> Option<mpsc::Sender<Stream>> {
        let listeners = self.listeners.lock();
        let listeners = listeners.unwrap_or_else(PoisonError::into_inner);
        listeners.get(address).cloned()
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    async fn connect(&self, address: &str) -> io::Result<Stream> {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let listener = self.network.listener(address).ok_or_else(refused)?;
        let (here, there) = duplex(IN_FLIGHT_BYTES);
        let permit = listener.reserve().await.map_err(|_| refused())?;
        permit.send(split(there, self.peer.clone()));
        // Who listens is a node, and in memory its name is its address.
        let peer = Peer {
            role: crate::identity::Role::Node,
            name: address.to_owned(),
        };
        Ok(split(here, peer))
    }

    async fn listen(&self, address: &str) -> io::Result<Box<dyn Listener>> {
        let (sender, accepted) = mpsc::channel(BACKLOG);
        let listeners = self.network.listeners.lock();
        let mut listeners = listeners.unwrap_or_else(PoisonError::into_inner);
        let taken = listeners.get(address);
        if taken.is_some_and(|listener| !listener.is_closed()) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        listeners.insert(address.to_owned(), sender);
        Ok(Box::new(MemoryListener {
            address: address.to_owned(),
            peer: self.peer.clone(),
            accepted,
        }))
    }
}

#[async_trait]
impl Listener for MemoryListener {
    async fn accept(&mut self) -> io::Result<Stream> {
        let accepted = self.accepted.recv().await;
        tracing::trace!(by = %self.peer, "accepted");
        accepted.ok_or_else(|| io::ErrorKind::ConnectionAborted.into())
    }

    fn address(&self) -> io::Result<String> {
        Ok(self.address.clone())
    }
}

fn split(stream: DuplexStream, peer: Peer) -> Stream {
    let (reader, writer) = tokio::io::split(stream);
    Stream {
        peer,
        reader: Box::new(reader),
        writer: Box::new(writer),
    }
}
