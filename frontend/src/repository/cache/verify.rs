use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use chunking::BlobId;
use sha2::{Digest, Sha256};

/// Bytes that are read and hashed at a time.
const PIECE_BYTES: usize = 256 << 10;

/// The length of the file if its bytes are those of the blob; `None` if they
/// are not, or if there is no such file.
pub(crate) fn verify(path: &Path, blob: BlobId) -> io::Result<Option<u64>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut length = 0;
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            break;
        }
        hasher.update(&piece[..read]);
        length += read as u64;
    }
    let found: [u8; 32] = hasher.finalize().into();
    Ok((found == *blob.as_bytes()).then_some(length))
}
