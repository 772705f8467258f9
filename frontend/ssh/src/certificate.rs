use std::net::IpAddr;

use runtime::Timestamp;
use russh::keys::ssh_key::Fingerprint;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Certificate, HashAlg, PublicKey};

use crate::algorithms::is_fit;
use crate::source::allows;

/// The authorities whose user certificates are believed
/// (OpenSSH's PROTOCOL.certkeys).
#[derive(Clone, Debug, Default)]
pub struct Authorities(Vec<Fingerprint>);

/// What a certificate says, once it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What the authority calls it.
    pub key_id: String,
    /// Its number.
    pub serial: u64,
    /// Whom it may stand for; at least one.
    pub principals: Vec<String>,
    /// When it ends, if ever.
    pub until: Option<Timestamp>,
    /// The only command that may be run with it.
    pub forced: Option<String>,
    /// The authority's key.
    pub authority: String,
}

/// A line that is no authority's key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line:?} is no public key of an authority: use a line such as `ssh-ed25519 AAAA…`")]
pub struct AuthorityError {
    line: String,
}

/// Why a certificate is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("it is not a user's but a host's")]
    NotForUsers,
    #[error("its authority is not one of the configured ones, or its time has not come or is over")]
    NotValid,
    #[error("a key in it is of a kind or size that is not taken")]
    Key,
    #[error("it names no principal")]
    NoPrincipal,
    #[error("its critical option {0:?} is not known here")]
    Option(String),
    #[error("it is not for the client's address")]
    Address,
}

impl Authorities {
    /// The authorities with these public keys, each as a line in OpenSSH's form.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, AuthorityError> {
        let key = |line: &str| {
            let key = PublicKey::from_openssh(line.trim()).ok();
            let key = key.filter(|key| is_fit(key.key_data()));
            key.map(|key| key.fingerprint(HashAlg::Sha256))
                .ok_or_else(|| AuthorityError {
                    line: line.to_owned(),
                })
        };
        lines
            .into_iter()
            .map(key)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a certificate says that is shown at `now` by a client at that
    /// address. That the client holds its key is checked elsewhere.
    pub(crate) fn check(
        &self,
        certificate: &Certificate,
        now: Timestamp,
        address: IpAddr,
    ) -> Result<Claim, CertificateError> {
        if certificate.cert_type() != CertType::User {
            return Err(CertificateError::NotForUsers);
        }
        if !is_fit(certificate.public_key()) || !is_fit(certificate.signature_key()) {
            return Err(CertificateError::Key);
        }
        certificate
            .validate_at(now.seconds(), &self.0)
            .map_err(|_| CertificateError::NotValid)?;
        if certificate.valid_principals().is_empty() {
            return Err(CertificateError::NoPrincipal);
        }
        let mut forced = None;
        for (name, value) in certificate.critical_options().iter() {
            match name.as_str() {
                "force-command" => forced = Some(value.clone()),
                "source-address" if allows(value, address) == Some(true) => {}
                "source-address" => return Err(CertificateError::Address),
                _ => return Err(CertificateError::Option(name.clone())),
            }
        }
        Ok(Claim {
            key_id: certificate.key_id().to_owned(),
            serial: certificate.serial(),
            principals: certificate.valid_principals().to_vec(),
            until: until(certificate.valid_before()),
            forced,
            authority: certificate
                .signature_key()
                .fingerprint(HashAlg::Sha256)
                .to_string(),
        })
    }
}

/// The end of a certificate in seconds; the last possible one means none.
fn until(seconds: u64) -> Option<Timestamp> {
    seconds.checked_mul(1000).map(Timestamp)
}
