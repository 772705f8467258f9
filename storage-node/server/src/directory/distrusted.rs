use std::io;

use runtime::Files;
use storage_node_api::scrub::ReplicaFault;

const FILE: &str = "distrusted";
const ASIDE: &str = "distrusted.new";
const VERSION: u8 = 1;
/// More than the faults of all groups of a node.
const MAX_BYTES: usize = 8 << 20;

/// The replicas of this node that were found wrong, so that no later start
/// serves them. Removed by hand only, together with what they are of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distrusted(pub Vec<ReplicaFault>);

/// Why the list could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DistrustedError {
    /// The file system refused.
    #[error("access the list of replicas that cannot be trusted")]
    Io(#[from] io::Error),
    /// The file is damaged.
    #[error(
        "the list of replicas that cannot be trusted is damaged: join the cluster anew with an empty directory"
    )]
    Damaged,
}

impl Distrusted {
    /// The list in this directory, empty if there is none.
    pub fn load(files: &dyn Files) -> Result<Self, DistrustedError> {
        let file = match files.open(FILE) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let length = usize::try_from(file.len()?).unwrap_or(usize::MAX);
        if length > MAX_BYTES {
            return Err(DistrustedError::Damaged);
        }
        let mut bytes = vec![0; length];
        let read = file.read_at(&mut bytes, 0)?;
        Self::decode(&bytes[..read]).ok_or(DistrustedError::Damaged)
    }

    /// Replaces the list. When this returns, it survives a crash.
    pub fn save(&self, files: &dyn Files) -> Result<(), DistrustedError> {
        match files.remove(ASIDE) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let file = files.create(ASIDE)?;
        file.write_at(&self.encode(), 0)?;
        file.sync_data()?;
        files.rename(ASIDE, FILE)?;
        files.sync_dir("")?;
        Ok(())
    }

    fn encode(&self) -> Vec<u8> {
        let body = postcard::to_allocvec(&self.0).expect("numbers and texts always encode");
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&version, rest) = bytes.split_first()?;
        let (checksum, body) = rest.split_first_chunk::<4>()?;
        if version != VERSION || crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
            return None;
        }
        postcard::from_bytes(body).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use runtime::{Files, MemoryFiles, Survives};
    use storage_node_api::GroupId;
    use storage_node_api::scrub::ReplicaFault;

    use super::{Distrusted, DistrustedError};

    #[test]
    fn the_list_survives_and_damage_to_it_is_noticed() {
        let files = MemoryFiles::new();
        assert_eq!(Distrusted::load(&files).unwrap(), Distrusted::default());
        let fault = |group| ReplicaFault {
            group: GroupId(group),
            reason: "it is wrong".to_owned(),
        };
        Distrusted(vec![fault(1)]).save(&files).unwrap();
        let list = Distrusted(vec![fault(1), fault(16)]);
        list.save(&files).unwrap();
        let files = files.crash(Survives::Nothing);
        assert_eq!(Distrusted::load(&files).unwrap(), list);
        files.open("distrusted").unwrap().write_at(b"x", 9).unwrap();
        let damaged = Distrusted::load(&files);
        assert!(matches!(damaged, Err(DistrustedError::Damaged)));
    }
}
