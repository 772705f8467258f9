use std::fmt;
use std::path::Path;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use storage_node_api::{ClusterId, Timestamp};

use super::error::IdentityError;
use super::files::{self, Readers};
use super::names::{Peer, Role, authority_name, cluster_of};
use super::party::{AUTHORITY_FILE, Identity};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long an authority is good for.
const AUTHORITY_LIFE: Duration = DAY.saturating_mul(365 * 20);
/// How long a party's certificate is good for.
const PARTY_LIFE: Duration = DAY.saturating_mul(365 * 5);
/// How far clocks of machines may be apart when a certificate is first used.
const CLOCK_SKEW: Duration = DAY;
const KEY_FILE: &str = "cluster.key";

/// The authority of one cluster: whoever has its key decides who is in it.
pub struct Authority {
    cluster: ClusterId,
    certificate: String,
    key: KeyPair,
}

impl Authority {
    /// Makes the authority of a new cluster.
    pub fn create(cluster: ClusterId, now: Timestamp) -> Result<Self, IdentityError> {
        let key = KeyPair::generate()?;
        let name = authority_name(cluster);
        let mut params = CertificateParams::new(vec![name.clone()])?;
        params.distinguished_name = named(format!("DevFlow cluster {cluster}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName(name)],
            excluded_subtrees: Vec::new(),
        });
        valid(&mut params, now, AUTHORITY_LIFE);
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self {
            cluster,
            certificate,
            key,
        })
    }

    /// Issues a party its certificate, with a new key. The name is one DNS label.
    pub fn issue(&self, role: Role, name: &str, now: Timestamp) -> Result<Identity, IdentityError> {
        let peer = Peer::new(role, name)?;
        let key = KeyPair::generate()?;
        let names = vec![role.dns_name(self.cluster), peer.dns_name(self.cluster)];
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = named(format!("DevFlow {peer}"));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match role {
            Role::Node => vec![
                ExtendedKeyUsagePurpose::ClientAuth,
                ExtendedKeyUsagePurpose::ServerAuth,
            ],
            Role::Frontend => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        params.use_authority_key_identifier_extension = true;
        valid(&mut params, now, PARTY_LIFE);
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, &self.key)?;
        let certificate = params.signed_by(&key, &issuer)?.pem();
        Identity::from_pem(certificate, key.serialize_pem(), self.certificate.clone())
    }

    /// Of which cluster.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// Keeps certificate and key in a directory, the key readable by its owner
    /// only.
    pub fn save(&self, directory: &Path) -> Result<(), IdentityError> {
        let key = self.key.serialize_pem();
        files::write(&directory.join(KEY_FILE), &key, Readers::Owner)?;
        let certificate = directory.join(AUTHORITY_FILE);
        files::write(&certificate, &self.certificate, Readers::Everyone)
    }

    /// Reads what [`save`](Self::save) kept.
    pub fn load(directory: &Path) -> Result<Self, IdentityError> {
        let path = directory.join(AUTHORITY_FILE);
        let certificate = files::read(&path, Readers::Everyone)?;
        let parsed = CertificateDer::from_pem_slice(certificate.as_bytes());
        let cluster = parsed.ok().and_then(|der| cluster_of(&der).ok());
        let cluster = cluster.ok_or(IdentityError::Content {
            path,
            what: "cluster's certificate",
        })?;
        let path = directory.join(KEY_FILE);
        let key = KeyPair::from_pem(&files::read(&path, Readers::Owner)?);
        let key = key.map_err(|_| IdentityError::Content {
            path,
            what: "private key",
        })?;
        Ok(Self {
            cluster,
            certificate,
            key,
        })
    }
}

fn named(name: String) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn valid(params: &mut CertificateParams, now: Timestamp, life: Duration) {
    let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(now.seconds());
    params.not_before = now - CLOCK_SKEW;
    params.not_after = now + life;
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}
