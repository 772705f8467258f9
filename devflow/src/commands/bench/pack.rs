//! Packs and push requests as a client makes them (gitformat-pack(5),
//! gitprotocol-pack(5)).

use std::io::Write;

use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use git_wire::pkt::{put_flush, put_line};
use sha1::{Digest, Sha1};

/// The name of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(pub(super) [u8; 20]);

impl Id {
    /// No object: what a ref had that is made, and has that is deleted.
    pub(super) const ZERO: Self = Self([0; 20]);
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A pack in the making.
pub(super) struct PackWriter {
    bytes: Vec<u8>,
    objects: u32,
}

#[derive(Clone, Copy)]
enum Kind {
    Commit = 1,
    Tree = 2,
    Blob = 3,
}

impl PackWriter {
    pub(super) fn new() -> Self {
        let mut bytes = b"PACK\0\0\0\x02".to_vec();
        bytes.extend_from_slice(&[0; 4]);
        Self { bytes, objects: 0 }
    }

    /// Adds a file's content.
    pub(super) fn blob(&mut self, content: &[u8]) -> Id {
        self.object(Kind::Blob, "blob", content)
    }

    /// Adds a directory of files, which must be in order.
    pub(super) fn tree<'a>(&mut self, files: impl IntoIterator<Item = (&'a str, Id)>) -> Id {
        let mut content = Vec::new();
        for (name, id) in files {
            content.extend_from_slice(format!("100644 {name}\0").as_bytes());
            content.extend_from_slice(&id.0);
        }
        self.object(Kind::Tree, "tree", &content)
    }

    /// Adds a commit, whose second of time is its number.
    pub(super) fn commit(&mut self, tree: Id, parent: Option<Id>, number: u64, nonce: &str) -> Id {
        let parent = parent.map_or(String::new(), |id| format!("parent {id}\n"));
        let who = format!(
            "devflow bench <bench@localhost> {} +0000",
            1_700_000_000 + number
        );
        let text = format!(
            "tree {tree}\n{parent}author {who}\ncommitter {who}\n\ncommit {number} of {nonce}\n"
        );
        self.object(Kind::Commit, "commit", text.as_bytes())
    }

    fn object(&mut self, kind: Kind, word: &str, content: &[u8]) -> Id {
        let mut hash = Sha1::new();
        hash.update(format!("{word} {}\0", content.len()));
        hash.update(content);
        let mut left = content.len() >> 4;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low bits are what is meant"
        )]
        let mut byte = (kind as u8) << 4 | (content.len() & 15) as u8;
        while left > 0 {
            self.bytes.push(byte | 0x80);
            byte = (left & 0x7f) as u8;
            left >>= 7;
        }
        self.bytes.push(byte);
        // Random bytes do not shrink: the client's processor is not what is measured.
        let mut zlib = ZlibEncoder::new(&mut self.bytes, Compression::none());
        zlib.write_all(content).expect("memory takes all writes");
        zlib.finish().expect("memory takes all writes");
        self.objects += 1;
        Id(hash.finalize().into())
    }

    /// The whole pack, with its count and its checksum.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes[8..12].copy_from_slice(&self.objects.to_be_bytes());
        let checksum = Sha1::digest(&self.bytes);
        self.bytes.extend_from_slice(&checksum);
        self.bytes
    }
}

/// A push that moves one ref.
pub(super) fn push_request(name: &str, old: Id, new: Id, pack: &[u8]) -> Bytes {
    let mut request = BytesMut::with_capacity(pack.len() + 300);
    put_line(
        &mut request,
        format_args!("{old} {new} {name}\0 report-status agent=devflow-bench/1"),
    );
    put_flush(&mut request);
    request.extend_from_slice(pack);
    request.freeze()
}

#[cfg(test)]
mod tests {
    use super::PackWriter;

    /// The ids are those that git gives the same content.
    #[test]
    fn objects_have_the_names_that_git_gives_them() {
        let mut pack = PackWriter::new();
        let blob = pack.blob(b"hello\n");
        assert_eq!(blob.to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
        let tree = pack.tree([("hello", blob)]);
        assert_eq!(tree.to_string(), "b4d01e9b0c4a9356736dfddf8830ba9a54f5271c");
        let bytes = pack.finish();
        assert_eq!(&bytes[..12], b"PACK\0\0\0\x02\0\0\0\x02");
    }
}
