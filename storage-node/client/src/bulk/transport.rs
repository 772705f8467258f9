use std::fmt;
use std::io;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::identity::Peer;

/// A way to make streams of bytes between parties of one cluster.
///
/// Every implementation passes the suite beside this file.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Connects to a node. Fails if nobody is there, or somebody who does not
    /// belong to the cluster. May take for ever: callers set limits.
    async fn connect(&self, address: &str) -> io::Result<Stream>;

    /// Begins to listen at an address of this machine.
    async fn listen(&self, address: &str) -> io::Result<Box<dyn Listener>>;
}

/// Where parties connect to.
#[async_trait]
pub trait Listener: fmt::Debug + Send {
    /// The next party that has connected and belongs to the cluster. Others do
    /// not appear and hold up nobody. An error is passing: try again later.
    async fn accept(&mut self) -> io::Result<Stream>;

    /// The address as others can connect to it.
    fn address(&self) -> io::Result<String>;
}

/// A stream of bytes in both directions. Dropping both halves closes it, and the
/// other end then reads the end of the stream, or an error.
pub struct Stream {
    /// Who is at the other end.
    pub peer: Peer,
    /// What comes from there.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// What goes there.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
