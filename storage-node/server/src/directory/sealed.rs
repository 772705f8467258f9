use std::io;

use runtime::Files;
use serde::Serialize;
use serde::de::DeserializeOwned;

const VERSION: u8 = 1;

/// A small file under a checksum that is replaced atomically.
pub(super) struct Sealed {
    /// Its name.
    pub(super) name: &'static str,
    /// The name under which it is written.
    pub(super) aside: &'static str,
    /// What is longer than this is damaged.
    pub(super) max_bytes: usize,
}

/// What there is of such a file.
pub(super) enum Loaded<T> {
    /// There is none.
    Absent,
    /// It is not what was written.
    Damaged,
    /// It is whole.
    Whole(T),
}

impl Sealed {
    /// What the file holds.
    pub(super) fn load<T: DeserializeOwned>(&self, files: &dyn Files) -> io::Result<Loaded<T>> {
        let Some(bytes) = self.bytes(files)? else {
            return Ok(Loaded::Absent);
        };
        if bytes.len() > self.max_bytes {
            return Ok(Loaded::Damaged);
        }
        Ok(decode(&bytes).map_or(Loaded::Damaged, Loaded::Whole))
    }

    /// At most one byte more than the file may have.
    fn bytes(&self, files: &dyn Files) -> io::Result<Option<Vec<u8>>> {
        let file = match files.open(self.name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = usize::try_from(file.len()?).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length.min(self.max_bytes + 1)];
        let read = file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(Some(bytes))
    }

    /// Replaces the file. When this returns, it survives a crash.
    pub(super) fn save<T: Serialize>(&self, files: &dyn Files, value: &T) -> io::Result<()> {
        match files.remove(self.aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = files.create(self.aside)?;
        file.write_at(&encode(value), 0)?;
        file.sync_data()?;
        files.rename(self.aside, self.name)?;
        files.sync_dir("")
    }
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let body = postcard::to_allocvec(value).expect("numbers and texts always encode");
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (&version, rest) = bytes.split_first()?;
    let (checksum, body) = rest.split_first_chunk::<4>()?;
    if version != VERSION || crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    postcard::from_bytes(body).ok()
}
