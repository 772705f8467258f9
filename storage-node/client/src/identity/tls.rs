use std::fmt;
use std::io;
use std::sync::Arc;

use runtime::Clock;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use storage_node_api::ClusterId;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::error::IdentityError;
use super::names::{Peer, Role, peer_of};
use super::party::Identity;
use super::verify::{OfCluster, Time};

/// An encrypted connection between two parties of a cluster.
pub type TlsStream = tokio_rustls::TlsStream<TcpStream>;

/// What is spoken on a connection: agreed on in the handshake, so that neither
/// is taken for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC: control and Raft.
    Control,
    /// Chunks.
    Bulk,
}

impl Protocol {
    fn alpn(self) -> &'static [u8] {
        match self {
            // As gRPC over HTTP/2 has it.
            Self::Control => b"h2",
            Self::Bulk => b"devflow-bulk/1",
        }
    }
}

/// Accepts connections of parties of its cluster.
#[derive(Clone)]
pub struct Acceptor {
    tls: TlsAcceptor,
    cluster: ClusterId,
    protocol: Protocol,
}

/// Connects to nodes of its cluster.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
    cluster: ClusterId,
    protocol: Protocol,
    server: ServerName<'static>,
}

impl Acceptor {
    pub(super) fn new(
        identity: &Identity,
        protocol: Protocol,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IdentityError> {
        let config = server_config(identity, protocol, clock)?;
        Ok(Self {
            tls: TlsAcceptor::from(Arc::new(config)),
            cluster: identity.cluster(),
            protocol,
        })
    }

    /// Shakes hands with whoever has connected. Without a certificate of this
    /// cluster it fails. Takes as long as the other end lets it: set a limit.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<(TlsStream, Peer)> {
        stream.set_nodelay(true)?;
        let stream = self.tls.accept(stream).await?;
        let (_, connection) = stream.get_ref();
        let agreed = connection.alpn_protocol();
        let peer = peer(
            agreed,
            connection.peer_certificates(),
            self.protocol,
            self.cluster,
        )?;
        Ok((stream.into(), peer))
    }
}

impl Connector {
    pub(super) fn new(
        identity: &Identity,
        protocol: Protocol,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IdentityError> {
        let config = client_config(identity, protocol, clock)?;
        let server =
            ServerName::try_from(node_name(identity)).map_err(|_| IdentityError::Certificate)?;
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            cluster: identity.cluster(),
            protocol,
            server,
        })
    }

    /// Connects to a host and port and shakes hands. With anyone but a node of
    /// this cluster it fails. Takes as long as the other end lets it: set a limit.
    pub async fn connect(&self, address: &str) -> io::Result<(TlsStream, Peer)> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(self.server.clone(), stream).await?;
        let (_, connection) = stream.get_ref();
        let agreed = connection.alpn_protocol();
        let peer = peer(
            agreed,
            connection.peer_certificates(),
            self.protocol,
            self.cluster,
        )?;
        Ok((stream.into(), peer))
    }
}

/// Who accepts: TLS 1.3 only, no resumption and so no early data, and nobody
/// without a certificate of the cluster.
pub(super) fn server_config(
    identity: &Identity,
    protocol: Protocol,
    clock: Arc<dyn Clock>,
) -> Result<ServerConfig, IdentityError> {
    let cluster = identity.cluster();
    let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(identity)?), provider())
        .build()
        .map_err(|error| IdentityError::Tls(rustls::Error::General(error.to_string())))?;
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(Time(clock)))
        .with_protocol_versions(&[&TLS13])
        .map_err(IdentityError::Tls)?
        .with_client_cert_verifier(Arc::new(OfCluster { cluster, chain }))
        .with_single_cert(vec![identity.certificate()?], identity.key()?)
        .map_err(IdentityError::Tls)?;
    config.alpn_protocols = vec![protocol.alpn().to_vec()];
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Who connects, likewise.
pub(super) fn client_config(
    identity: &Identity,
    protocol: Protocol,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, IdentityError> {
    let mut config = ClientConfig::builder_with_details(provider(), Arc::new(Time(clock)))
        .with_protocol_versions(&[&TLS13])
        .map_err(IdentityError::Tls)?
        .with_root_certificates(roots(identity)?)
        .with_client_auth_cert(vec![identity.certificate()?], identity.key()?)
        .map_err(IdentityError::Tls)?;
    config.alpn_protocols = vec![protocol.alpn().to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The name that every node of the cluster has in its certificate.
pub(super) fn node_name(identity: &Identity) -> String {
    Role::Node.dns_name(identity.cluster())
}

fn peer(
    agreed: Option<&[u8]>,
    certificates: Option<&[CertificateDer<'_>]>,
    protocol: Protocol,
    cluster: ClusterId,
) -> io::Result<Peer> {
    if agreed != Some(protocol.alpn()) {
        return Err(io::Error::other("the other end speaks another protocol"));
    }
    let certificate = certificates.and_then(<[_]>::first);
    let certificate = certificate.ok_or_else(|| io::Error::other("no certificate was shown"))?;
    peer_of(certificate, cluster).map_err(io::Error::other)
}

fn roots(identity: &Identity) -> Result<RootCertStore, IdentityError> {
    let mut roots = RootCertStore::empty();
    roots
        .add(identity.authority()?)
        .map_err(IdentityError::Tls)?;
    Ok(roots)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("cluster", &self.cluster)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("cluster", &self.cluster)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}
