use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use git_id::{HashKind, ObjectId};

use crate::hashing::Checksum;

/// The largest artefact that is read into memory, 1 GiB.
const MAX_BYTES: u64 = 1 << 30;

/// What is wrong with an artefact.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    #[error("it has {bytes} bytes, over the limit of {MAX_BYTES}")]
    TooLarge { bytes: u64 },
    #[error("it is cut off")]
    Truncated,
    #[error("its checksum is not that of its bytes")]
    Checksum,
    #[error("it is of another format or hash function")]
    Signature,
    #[error("it uses {0}, which is not supported")]
    Unsupported(&'static str),
    #[error("it was made for other packs")]
    Foreign,
    #[error("its {0} contradict each other")]
    Inconsistent(&'static str),
}

/// The bytes of an artefact before the checksum that ends it, and that checksum.
pub(crate) struct Summed {
    pub(crate) content: Vec<u8>,
    pub(crate) checksum: ObjectId,
}

/// Reads an artefact. One that is damaged is reported here and is then as good as absent.
pub(crate) fn load<T>(
    path: &Path,
    hash: HashKind,
    parse: impl FnOnce(Summed) -> Result<T, Damage>,
) -> Option<T> {
    let read = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => Err(Damage::Io(error)),
        Ok(file) => read(&file, hash),
    };
    match read.and_then(parse) {
        Ok(artefact) => Some(artefact),
        Err(damage) => {
            let path = path.display();
            tracing::warn!(%path, %damage, "derived file passed over; it can be deleted and made anew");
            None
        }
    }
}

fn read(file: &File, hash: HashKind) -> Result<Summed, Damage> {
    let bytes = file.metadata()?.len();
    if bytes > MAX_BYTES {
        return Err(Damage::TooLarge { bytes });
    }
    let mut content = Vec::with_capacity(bytes as usize);
    file.take(MAX_BYTES).read_to_end(&mut content)?;
    unseal(content, hash)
}

/// Takes the checksum off the end and verifies it.
pub(crate) fn unseal(mut content: Vec<u8>, hash: HashKind) -> Result<Summed, Damage> {
    let end = content
        .len()
        .checked_sub(hash.len_bytes())
        .ok_or(Damage::Truncated)?;
    let checksum = ObjectId::from_bytes(&content[end..]).ok_or(Damage::Truncated)?;
    content.truncate(end);
    let mut summed = Checksum::new(hash);
    summed.update(&content);
    if summed.finish() != checksum {
        return Err(Damage::Checksum);
    }
    Ok(Summed { content, checksum })
}

/// Appends the checksum that ends an artefact; gives it too.
pub(crate) fn seal(content: &mut Vec<u8>, hash: HashKind) -> ObjectId {
    let mut checksum = Checksum::new(hash);
    checksum.update(content);
    let checksum = checksum.finish();
    content.extend_from_slice(checksum.as_bytes());
    checksum
}

/// Writes a file at `path`, whole or not at all, readable by all and writable by none as git
/// keeps them. Not synced: whatever a crash leaves of it is found to be damaged.
pub(crate) fn store(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(0o444))?;
    file.persist(path)?;
    Ok(())
}

/// The number of four bytes at `at`, in network order.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The number of eight bytes at `at`, in network order.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
