use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use crate::limits::{KEY_TEXT, RSA_BITS_MAX, RSA_BITS_MIN};

/// A checked public key in the form that OpenSSH writes to `id_….pub`.
///
/// The fields of each kind: RFC 4253 section 6.6, RFC 5656 section 3.1, RFC
/// 8709 section 4, and OpenSSH's PROTOCOL.u2f.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kind: &'static str,
    blob: Vec<u8>,
    comment: String,
}

/// Why a text is not taken as a public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// Nothing like a key, or one that is cut or damaged.
    #[error("this is not a public key: paste the line of a file such as id_ed25519.pub whole")]
    Malformed,
    /// Over [`KEY_TEXT`].
    #[error("a public key has at most {KEY_TEXT} bytes")]
    TooLong,
    /// The half that nobody else may see.
    #[error(
        "this is a private key: never give it to anyone; make a new one, and add the file that ends in .pub"
    )]
    Private,
    /// Of a kind that is not taken.
    #[error(
        "keys of the kind {kind:?} are not taken: use Ed25519, ECDSA, RSA or a security key (-sk)"
    )]
    Kind {
        /// As the text names it.
        kind: String,
    },
    /// An RSA key of another size.
    #[error(
        "this RSA key has {bits} bits: use one of {RSA_BITS_MIN} to {RSA_BITS_MAX}, or Ed25519"
    )]
    Size {
        /// How many it has.
        bits: usize,
    },
}

/// The kinds of keys that are taken, and their curve if they name one.
const KINDS: &[(&str, &str, usize)] = &[
    ("ssh-ed25519", "", 32),
    ("ecdsa-sha2-nistp256", "nistp256", 65),
    ("ecdsa-sha2-nistp384", "nistp384", 97),
    ("ecdsa-sha2-nistp521", "nistp521", 133),
    ("sk-ssh-ed25519@openssh.com", "", 32),
    ("sk-ecdsa-sha2-nistp256@openssh.com", "nistp256", 65),
    (RSA, "", 0),
];
const RSA: &str = "ssh-rsa";

/// OpenSSH reads keys with their padding and without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl PublicKey {
    /// Reads a line of a `.pub` file: kind, key in base64, and a comment.
    pub fn parse(text: &str) -> Result<Self, PublicKeyError> {
        if text.len() > KEY_TEXT {
            return Err(PublicKeyError::TooLong);
        }
        let text = text.trim();
        if text.contains("PRIVATE KEY") || text.starts_with("PuTTY-User-Key-File") {
            return Err(PublicKeyError::Private);
        }
        let mut words = text.splitn(3, [' ', '\t']);
        let (Some(named), Some(encoded)) = (words.next(), words.next()) else {
            return Err(PublicKeyError::Malformed);
        };
        let comment = words.next().unwrap_or_default().trim();
        if comment.chars().any(char::is_control) {
            return Err(PublicKeyError::Malformed);
        }
        let blob = LENIENT
            .decode(encoded)
            .map_err(|_| PublicKeyError::Malformed)?;
        let (kind, curve, length) = KINDS
            .iter()
            .find(|(kind, _, _)| *kind == named)
            .ok_or_else(|| PublicKeyError::Kind {
                kind: named.chars().take(64).collect(),
            })?;
        check(&blob, kind, curve, *length)?;
        Ok(Self {
            kind,
            blob,
            comment: comment.to_owned(),
        })
    }

    /// As OpenSSH shows it: `SHA256:` and the digest in base64.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(&self.blob);
        format!("SHA256:{}", STANDARD_NO_PAD.encode(digest))
    }

    /// Such as `ssh-ed25519`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// What its maker wrote behind it; often a name and a host.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Kind and key in one line, without the comment.
    pub fn line(&self) -> String {
        let encoded = base64::engine::general_purpose::STANDARD.encode(&self.blob);
        format!("{} {encoded}", self.kind)
    }
}

/// Whether the fields are those of the kind, and nothing else is there.
fn check(blob: &[u8], kind: &str, curve: &str, length: usize) -> Result<(), PublicKeyError> {
    let mut fields = Fields(blob);
    if fields.next()? != kind.as_bytes() {
        return Err(PublicKeyError::Malformed);
    }
    if !curve.is_empty() && fields.next()? != curve.as_bytes() {
        return Err(PublicKeyError::Malformed);
    }
    if kind == RSA {
        let (exponent, modulus) = (fields.next()?, fields.next()?);
        let bits = bits(modulus)?;
        if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
            return Err(PublicKeyError::Size { bits });
        }
        // A larger exponent only makes checks slow.
        if !(2..=33).contains(&self::bits(exponent)?) {
            return Err(PublicKeyError::Malformed);
        }
    } else {
        let point = fields.next()?;
        // A point of a curve that is named is not compressed (SEC 1, 2.3.3).
        let is_whole = curve.is_empty() || point.first() == Some(&4);
        if point.len() != length || !is_whole {
            return Err(PublicKeyError::Malformed);
        }
    }
    if kind.starts_with("sk-") {
        let _application = fields.next()?;
    }
    match fields.0 {
        [] => Ok(()),
        _ => Err(PublicKeyError::Malformed),
    }
}

/// How many bits a positive number has (`mpint`, RFC 4251 section 5).
fn bits(number: &[u8]) -> Result<usize, PublicKeyError> {
    match number {
        // Zero, or below it.
        [] => Err(PublicKeyError::Malformed),
        [first, ..] if *first >= 0x80 => Err(PublicKeyError::Malformed),
        [0, rest @ ..] => Ok(rest.len() * 8),
        [first, rest @ ..] => Ok(rest.len() * 8 + 8 - first.leading_zeros() as usize),
    }
}

/// Texts with their length before them (`string`, RFC 4251 section 5).
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<&'a [u8], PublicKeyError> {
        let (length, rest) = self
            .0
            .split_first_chunk::<4>()
            .ok_or(PublicKeyError::Malformed)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (field, rest) = rest
            .split_at_checked(length)
            .ok_or(PublicKeyError::Malformed)?;
        self.0 = rest;
        Ok(field)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::{PublicKey, PublicKeyError};

    fn field(bytes: &[u8]) -> Vec<u8> {
        let mut field = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
        field.extend_from_slice(bytes);
        field
    }

    fn text(kind: &str, fields: &[&[u8]]) -> String {
        let mut blob = field(kind.as_bytes());
        fields.iter().for_each(|bytes| blob.extend(field(bytes)));
        format!("{kind} {}", STANDARD.encode(blob))
    }

    fn rsa(bits: usize) -> String {
        let mut modulus = vec![0];
        modulus.extend(vec![0xff; bits / 8]);
        text("ssh-rsa", &[&[1, 0, 1], &modulus])
    }

    #[test]
    fn the_fingerprint_is_that_of_openssh() {
        // Made and shown by ssh-keygen.
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE+6kNUGukKm0Gt2b0QHoKXWAqW4N2kLZ9Iy+HAeUkIF alice@host";
        let key = PublicKey::parse(line).unwrap();
        assert_eq!(key.kind(), "ssh-ed25519");
        assert_eq!(key.comment(), "alice@host");
        assert_eq!(format!("{} alice@host", key.line()), line);
        assert_eq!(key.fingerprint(), FINGERPRINT);
    }

    const FINGERPRINT: &str = "SHA256:dEZddv73f2rw4qBfzjLQS9/sBEUh04uxErSHBOIk8JM";

    #[test]
    fn each_kind_is_taken_with_its_fields_alone() {
        let point = |length: usize| {
            let mut point = vec![7; length];
            point[0] = 4;
            point
        };
        for text in [
            text("ssh-ed25519", &[&[7; 32]]),
            text("ecdsa-sha2-nistp256", &[b"nistp256", &point(65)]),
            text("ecdsa-sha2-nistp384", &[b"nistp384", &point(97)]),
            text("ecdsa-sha2-nistp521", &[b"nistp521", &point(133)]),
            text("sk-ssh-ed25519@openssh.com", &[&[7; 32], b"ssh:"]),
            text(
                "sk-ecdsa-sha2-nistp256@openssh.com",
                &[b"nistp256", &point(65), b"ssh:"],
            ),
            rsa(2048),
            rsa(8192),
        ] {
            let key = PublicKey::parse(&format!("  {text}\n")).unwrap();
            assert_eq!(key.line(), text);
            assert_eq!(PublicKey::parse(text.trim_end_matches('=')), Ok(key));
            let (kind, encoded) = text.split_once(' ').unwrap();
            let mut longer = STANDARD.decode(encoded).unwrap();
            longer.extend(field(b"more"));
            let longer = format!("{kind} {}", STANDARD.encode(longer));
            assert_eq!(PublicKey::parse(&longer), Err(PublicKeyError::Malformed));
            assert!(PublicKey::parse(&text[..text.len() - 8]).is_err());
        }
    }

    #[test]
    fn other_texts_are_refused_with_their_reason() {
        let kind = |kind: &str| PublicKeyError::Kind { kind: kind.into() };
        let cases = [
            (String::new(), PublicKeyError::Malformed),
            ("ssh-ed25519".into(), PublicKeyError::Malformed),
            ("ssh-ed25519 !!".into(), PublicKeyError::Malformed),
            ("AAAA".into(), PublicKeyError::Malformed),
            (text("ssh-ed25519", &[&[7; 31]]), PublicKeyError::Malformed),
            (
                text("ecdsa-sha2-nistp256", &[b"nistp384", &[4; 65]]),
                PublicKeyError::Malformed,
            ),
            (
                text("ecdsa-sha2-nistp256", &[b"nistp256", &[2; 65]]),
                PublicKeyError::Malformed,
            ),
            (text("ssh-dss", &[&[7; 32]]), kind("ssh-dss")),
            (
                text("ssh-ed25519-cert-v01@openssh.com", &[]),
                kind("ssh-ed25519-cert-v01@openssh.com"),
            ),
            (rsa(1024), PublicKeyError::Size { bits: 1024 }),
            (rsa(16384), PublicKeyError::Size { bits: 16384 }),
            (
                text("ssh-rsa", &[&[0x81], &[0; 256]]),
                PublicKeyError::Size { bits: 2040 },
            ),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl".into(),
                PublicKeyError::Private,
            ),
            ("PuTTY-User-Key-File-3: x".into(), PublicKeyError::Private),
            ("x".repeat(20_000), PublicKeyError::TooLong),
            (
                format!("{} a\u{7}b", text("ssh-ed25519", &[&[7; 32]])),
                PublicKeyError::Malformed,
            ),
        ];
        for (text, error) in cases {
            assert_eq!(PublicKey::parse(&text), Err(error), "{text}");
        }
    }
}
