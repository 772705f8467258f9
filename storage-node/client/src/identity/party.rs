use std::fmt;
use std::path::Path;
use std::sync::Arc;

use runtime::Clock;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use storage_node_api::ClusterId;

use super::error::IdentityError;
use super::files::{self, Readers};
use super::names::{Peer, cluster_of, peer_of};
use super::quic::QuicTls;
use super::tls::{Acceptor, Connector, Protocol};

/// The authority's certificate, in the directory of every party.
pub(super) const AUTHORITY_FILE: &str = "cluster.crt";
const CERTIFICATE_FILE: &str = "identity.crt";
const KEY_FILE: &str = "identity.key";

/// A party of a cluster: its certificate, its key, and whom it trusts.
#[derive(Clone)]
pub struct Identity {
    cluster: ClusterId,
    peer: Peer,
    certificate: String,
    key: String,
    authority: String,
}

impl Identity {
    /// Puts an identity together from PEM: the party's certificate and private
    /// key, and the certificate of the cluster's authority.
    pub fn from_pem(
        certificate: String,
        key: String,
        authority: String,
    ) -> Result<Self, IdentityError> {
        let cluster = cluster_of(&certificate_in(&authority)?)?;
        let peer = peer_of(&certificate_in(&certificate)?, cluster)?;
        Ok(Self {
            cluster,
            peer,
            certificate,
            key,
            authority,
        })
    }

    /// Of which cluster.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// As whom others see this party.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The party's certificate, in PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// The party's private key, in PEM: a secret.
    pub fn key_pem(&self) -> &str {
        &self.key
    }

    /// The certificate of the cluster's authority, in PEM.
    pub fn authority_pem(&self) -> &str {
        &self.authority
    }

    /// Keeps the identity in a directory, the key readable by its owner only.
    pub fn save(&self, directory: &Path) -> Result<(), IdentityError> {
        files::write(&directory.join(KEY_FILE), &self.key, Readers::Owner)?;
        let authority = directory.join(AUTHORITY_FILE);
        files::write(&authority, &self.authority, Readers::Everyone)?;
        let certificate = directory.join(CERTIFICATE_FILE);
        files::write(&certificate, &self.certificate, Readers::Everyone)
    }

    /// Reads what [`save`](Self::save) kept.
    pub fn load(directory: &Path) -> Result<Self, IdentityError> {
        let public = |file| files::read(&directory.join(file), Readers::Everyone);
        let key = files::read(&directory.join(KEY_FILE), Readers::Owner)?;
        Self::from_pem(public(CERTIFICATE_FILE)?, key, public(AUTHORITY_FILE)?)
    }

    /// What lets in the parties of this cluster. The clock says what has expired.
    pub fn acceptor(
        &self,
        protocol: Protocol,
        clock: Arc<dyn Clock>,
    ) -> Result<Acceptor, IdentityError> {
        Acceptor::new(self, protocol, clock)
    }

    /// What connects to the nodes of this cluster. The clock says what has
    /// expired.
    pub fn connector(
        &self,
        protocol: Protocol,
        clock: Arc<dyn Clock>,
    ) -> Result<Connector, IdentityError> {
        Connector::new(self, protocol, clock)
    }

    /// The TLS inside of QUIC, of both ends. The clock says what has expired.
    pub fn quic(
        &self,
        protocol: Protocol,
        clock: Arc<dyn Clock>,
    ) -> Result<QuicTls, IdentityError> {
        QuicTls::new(self, protocol, clock)
    }

    pub(super) fn authority(&self) -> Result<CertificateDer<'static>, IdentityError> {
        certificate_in(&self.authority)
    }

    pub(super) fn certificate(&self) -> Result<CertificateDer<'static>, IdentityError> {
        certificate_in(&self.certificate)
    }

    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, IdentityError> {
        PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(|_| IdentityError::Certificate)
    }
}

fn certificate_in(pem: &str) -> Result<CertificateDer<'static>, IdentityError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| IdentityError::Certificate)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("cluster", &self.cluster)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
