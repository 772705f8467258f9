use std::io;

use runtime::Files;
use serde::{Deserialize, Serialize};
use storage_node_api::{ClusterId, Incarnation, NodeId, RequestId};

use super::sealed::{Loaded, Sealed};

const FILE: Sealed = Sealed {
    name: "node",
    aside: "node.new",
    max_bytes: 256,
};

/// Who a node is: written before it acts as such, replaced atomically.
///
/// Kept twice over by its checksum only: a record that does not read back is an
/// error, never a new identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// The cluster that it is part of.
    pub cluster: ClusterId,
    /// Its id, once the cluster has given it one.
    pub node: Option<NodeId>,
    /// How often it has started.
    pub incarnation: Incarnation,
    /// The id of its request to join, the same however often it is sent.
    pub join: RequestId,
}

/// Why the record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refused.
    #[error("access the node record")]
    Io(#[from] io::Error),
    /// The file is damaged. The node must not guess who it is.
    #[error(
        "the node record is damaged: restore it, or join the cluster anew with an empty directory"
    )]
    Damaged,
}

impl NodeRecord {
    /// The record in this directory, if there is one.
    pub fn load(files: &dyn Files) -> Result<Option<Self>, RecordError> {
        match FILE.load(files)? {
            Loaded::Absent => Ok(None),
            Loaded::Damaged => Err(RecordError::Damaged),
            Loaded::Whole(record) => Ok(Some(record)),
        }
    }

    /// Counts a start. When this returns, it survives a crash.
    pub fn count_start(&mut self, files: &dyn Files) -> Result<(), RecordError> {
        self.incarnation = Incarnation(self.incarnation.0 + 1);
        self.save(files)
    }

    /// Replaces the record. When this returns, it survives a crash.
    pub fn save(&self, files: &dyn Files) -> Result<(), RecordError> {
        Ok(FILE.save(files, self)?)
    }
}

#[cfg(test)]
mod tests {
    use runtime::{Files, MemoryFiles};
    use storage_node_api::{ClusterId, Incarnation, NodeId, RequestId};

    use super::{NodeRecord, RecordError};

    #[test]
    fn a_record_survives_and_damage_is_told() {
        let files = MemoryFiles::new();
        assert!(NodeRecord::load(&files).unwrap().is_none());
        let mut record = NodeRecord {
            cluster: ClusterId([7; 16]),
            node: None,
            incarnation: Incarnation(1),
            join: RequestId([9; 16]),
        };
        record.save(&files).unwrap();
        record.node = Some(NodeId(3));
        record.save(&files).unwrap();
        assert_eq!(NodeRecord::load(&files).unwrap(), Some(record));

        files.open("node").unwrap().write_at(&[0xff], 9).unwrap();
        assert!(matches!(
            NodeRecord::load(&files),
            Err(RecordError::Damaged)
        ));
    }
}
