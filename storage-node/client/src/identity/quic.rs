use std::fmt;
use std::io;
use std::sync::Arc;

use runtime::Clock;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ServerConfig};
use storage_node_api::ClusterId;

use super::error::IdentityError;
use super::names::{Peer, peer_of};
use super::party::Identity;
use super::tls::{Protocol, client_config, node_name, server_config};

/// The TLS inside of QUIC, as it is on TCP: mutual, and with no early data. That
/// both ends speak the same protocol is seen to by the handshake (RFC 9001, 8.1).
#[derive(Clone)]
pub struct QuicTls {
    /// Of connections that come in.
    pub server: Arc<ServerConfig>,
    /// Of connections that go out.
    pub client: Arc<ClientConfig>,
    /// The name that every node has.
    pub server_name: String,
    cluster: ClusterId,
}

impl QuicTls {
    pub(super) fn new(
        identity: &Identity,
        protocol: Protocol,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IdentityError> {
        let server = server_config(identity, protocol, Arc::clone(&clock))?;
        Ok(Self {
            server: Arc::new(server),
            client: Arc::new(client_config(identity, protocol, clock)?),
            server_name: node_name(identity),
            cluster: identity.cluster(),
        })
    }

    /// Who has shown these certificates, which the handshake has checked.
    pub fn peer(&self, shown: Option<&[CertificateDer<'_>]>) -> io::Result<Peer> {
        let certificate = shown.and_then(<[_]>::first);
        let certificate =
            certificate.ok_or_else(|| io::Error::other("no certificate was shown"))?;
        peer_of(certificate, self.cluster).map_err(io::Error::other)
    }
}

impl fmt::Debug for QuicTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuicTls")
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}
