use std::convert::Infallible;
use std::fmt;

use runtime::Random;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::rand_core::{TryCryptoRng, TryRng};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};

/// The kinds of keys by which a server shows who it is, as SSH names them. No
/// RSA: what signs with it in constant time is not to be had.
pub const KINDS: &[&str] = &["ssh-ed25519", "ecdsa-sha2-nistp256"];

/// A key by which a server shows who it is.
#[derive(Clone)]
pub struct HostKey(pub(crate) PrivateKey);

/// A text that is no host key.
#[derive(Debug, thiserror::Error)]
#[error("read a host key")]
pub struct HostKeyError(#[from] russh::keys::ssh_key::Error);

impl HostKey {
    /// Makes a key of one of the [`KINDS`]; `None` for another.
    pub fn generate(kind: &str, random: &dyn Random) -> Option<Result<Self, HostKeyError>> {
        let algorithm = match kind {
            "ssh-ed25519" => Algorithm::Ed25519,
            "ecdsa-sha2-nistp256" => Algorithm::Ecdsa {
                curve: EcdsaCurve::NistP256,
            },
            _ => return None,
        };
        let made = PrivateKey::random(&mut Source(random), algorithm);
        Some(made.map(Self).map_err(HostKeyError))
    }

    /// Reads a key from [`HostKey::to_text`].
    pub fn parse(text: &str) -> Result<Self, HostKeyError> {
        Ok(Self(PrivateKey::from_openssh(text)?))
    }

    /// The key in OpenSSH's form, unencrypted.
    pub fn to_text(&self) -> Result<String, HostKeyError> {
        Ok(self.0.to_openssh(LineEnding::LF)?.to_string())
    }

    /// The public half as a line, as in `known_hosts` behind the host's name.
    pub fn public(&self) -> Result<String, HostKeyError> {
        Ok(self.0.public_key().to_openssh()?)
    }

    /// As clients show it to people: `SHA256:…`.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HostKey").field(&self.fingerprint()).finish()
    }
}

/// The program's randomness as key generation takes it.
struct Source<'a>(&'a dyn Random);

impl TryRng for Source<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Source<'_> {}

#[cfg(test)]
mod tests {
    use runtime::SeededRandom;

    use super::{HostKey, KINDS};

    #[test]
    fn keys_are_read_back_as_they_were_written() {
        for kind in KINDS {
            let key = HostKey::generate(kind, &SeededRandom::new(1))
                .unwrap()
                .unwrap();
            let again = HostKey::parse(&key.to_text().unwrap()).unwrap();
            assert_eq!(again.fingerprint(), key.fingerprint());
            assert!(key.public().unwrap().starts_with(kind));
            let other = HostKey::generate(kind, &SeededRandom::new(2))
                .unwrap()
                .unwrap();
            assert_ne!(other.fingerprint(), key.fingerprint());
        }
        assert!(HostKey::generate("ssh-dss", &SeededRandom::new(1)).is_none());
        assert!(HostKey::parse("no key").is_err());
    }
}
