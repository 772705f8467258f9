use std::io;

use runtime::Files;
use storage_node_api::scrub::ReplicaFault;

use super::sealed::{Loaded, Sealed};

const FILE: Sealed = Sealed {
    name: "distrusted",
    aside: "distrusted.new",
    // More than the faults of all groups of a node.
    max_bytes: 8 << 20,
};

/// The replicas of this node that were found wrong, so that no later start
/// serves them before they are rebuilt.
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
        match FILE.load(files)? {
            Loaded::Absent => Ok(Self::default()),
            Loaded::Damaged => Err(DistrustedError::Damaged),
            Loaded::Whole(list) => Ok(Self(list)),
        }
    }

    /// Replaces the list. When this returns, it survives a crash.
    pub fn save(&self, files: &dyn Files) -> Result<(), DistrustedError> {
        Ok(FILE.save(files, &self.0)?)
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
