use std::fmt;
use std::fmt::Write as _;

use runtime::Random;
use sha2::{Digest, Sha256};

/// What a secret begins with, so that scanners find leaked ones.
const PREFIX: &str = "dft_";
/// Random bytes of a secret.
const SECRET_BYTES: usize = 20;

/// A token as its holder has it. Never printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret(String);

impl TokenSecret {
    pub(crate) fn random(random: &dyn Random) -> Self {
        let mut bytes = [0; SECRET_BYTES];
        random.fill(&mut bytes);
        Self(format!("{PREFIX}{}", hex(&bytes)))
    }

    /// A text that has the form of a secret; whether it is one is for
    /// [`Tokens::authenticate`](crate::Tokens::authenticate) to say.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        let well_formed = digits.len() == SECRET_BYTES * 2
            && digits
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The secret itself, to show once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it, in hexadecimal. The secret has 160 random bits, so
    /// that no slow hash is needed, and looking it up by its hash tells
    /// nothing by its duration.
    pub(crate) fn hash(&self) -> String {
        hex(&Sha256::digest(self.0.as_bytes()))
    }

    /// The end that people recognise a token by.
    pub(crate) fn last_eight(&self) -> &str {
        &self.0[self.0.len() - 8..]
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(…)")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string cannot fail");
            text
        })
}

#[cfg(test)]
mod tests {
    use runtime::Runtime;

    use super::TokenSecret;

    #[test]
    fn a_secret_has_its_form_and_does_not_print_itself() {
        let secret = TokenSecret::random(&*Runtime::simulated(1).0.random);
        assert_eq!(secret.reveal().len(), 44);
        assert_eq!(TokenSecret::parse(secret.reveal()), Some(secret.clone()));
        assert_eq!(secret.hash().len(), 64);
        assert!(secret.reveal().ends_with(secret.last_eight()));
        assert!(!format!("{secret:?}").contains(secret.last_eight()));
    }

    #[test]
    fn other_texts_are_no_secrets() {
        for text in [
            "",
            "dft_",
            "dft_äää",
            &"a".repeat(44),
            &format!("dft_{}", "G".repeat(40)),
        ] {
            assert_eq!(TokenSecret::parse(text), None, "{text}");
        }
    }
}
