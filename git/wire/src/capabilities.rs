//! Lists of capabilities: words, some with a value, separated by spaces
//! (gitprotocol-capabilities(5)).

use crate::error::shown;

/// What a client said about itself and what it asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    words: Vec<Vec<u8>>,
}

/// The most capabilities kept of one list; any further ones are unknown to us.
const MAX_CAPABILITIES: usize = 128;

impl Capabilities {
    /// Reads a list of words separated by spaces.
    pub fn parse(list: &[u8]) -> Self {
        let mut capabilities = Self::default();
        capabilities.extend(list);
        capabilities
    }

    /// Adds a further list.
    pub fn extend(&mut self, list: &[u8]) {
        let words = list.split(|&byte| byte == b' ' || byte == b'\n');
        let room = MAX_CAPABILITIES.saturating_sub(self.words.len());
        self.words.extend(
            words
                .filter(|word| !word.is_empty())
                .take(room)
                .map(<[u8]>::to_vec),
        );
    }

    /// Whether the list has this word.
    pub fn has(&self, word: &str) -> bool {
        self.words
            .iter()
            .any(|candidate| candidate == word.as_bytes())
    }

    /// The value of `key=value`, if the list has one; the first of several.
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.words
            .iter()
            .find_map(|word| word.strip_prefix(key.as_bytes())?.strip_prefix(b"="))
    }

    /// The client's name and version, fit for a log; `None` if it sent none.
    pub fn agent(&self) -> Option<String> {
        self.value("agent").map(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::Capabilities;

    #[test]
    fn words_and_values_are_found() {
        let list = Capabilities::parse(b" thin-pack agent=git/2.39 symref=HEAD:refs/heads/a=b\n");
        assert!(list.has("thin-pack"));
        assert!(!list.has("thin"));
        assert!(!list.has("agent"));
        assert_eq!(list.value("agent"), Some(&b"git/2.39"[..]));
        assert_eq!(list.value("symref"), Some(&b"HEAD:refs/heads/a=b"[..]));
        assert_eq!(list.value("age"), None);
        assert_eq!(list.agent().as_deref(), Some("git/2.39"));
        assert_eq!(Capabilities::parse(b""), Capabilities::default());
    }
}
