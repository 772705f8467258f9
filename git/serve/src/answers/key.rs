use std::hash::{Hash, Hasher};

use git_pack::{PackOptions, Selection};

/// What two fetches have in common whose packs may be the same bytes.
///
/// A pack is a function of what was asked, because objects never change: refs, users and the
/// repository's version are not in it, and whoever may not have a want is refused before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn of(scope: &[u8], selection: &Selection, options: &PackOptions) -> Self {
        // How many threads work on it is all the same.
        let PackOptions {
            thin,
            ofs_delta,
            threads: _,
        } = options;
        let mut fingerprint = Fingerprint(blake3::Hasher::new());
        scope.hash(&mut fingerprint);
        selection.hash(&mut fingerprint);
        (thin, ofs_delta).hash(&mut fingerprint);
        Self(*fingerprint.0.finalize().as_bytes())
    }
}

/// Takes what the standard library's hashing feeds, so that nobody can find two that collide.
struct Fingerprint(blake3::Hasher);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.finalize();
        digest
            .as_bytes()
            .iter()
            .take(8)
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}
