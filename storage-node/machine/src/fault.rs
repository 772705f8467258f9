use std::error::Error;

use storage_node_api::map::MACHINE_VERSION;

/// Why a replica must stop: it cannot compute what the others compute.
///
/// Nothing of the entry that met it has been written. After the cause is
/// removed the same entry is applied again.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The store under the state failed.
    #[error("read the replicated state")]
    Read(#[source] Box<dyn Error + Send + Sync>),
    /// An entry of a format that this release does not know.
    #[error("apply entry: its format {found} is not known to this release; use a newer one")]
    EntryVersion {
        /// The format's number; 0 for an empty entry.
        found: u8,
    },
    /// An entry that is damaged, or of a kind that this release does not know.
    #[error("apply entry: it cannot be decoded")]
    Entry(#[source] postcard::Error),
    /// A stored value of a format that this release does not know.
    #[error(
        "read a value of family {family:#04x}: its format {found} is not known to this release"
    )]
    ValueVersion {
        /// The first byte of its key.
        family: u8,
        /// The format's number; 0 for an empty value.
        found: u8,
    },
    /// A stored value that is damaged.
    #[error("read a value of family {family:#04x}: it cannot be decoded")]
    Value {
        /// The first byte of its key.
        family: u8,
        /// What is wrong.
        #[source]
        source: postcard::Error,
    },
    /// A stored key that is damaged.
    #[error("read a key of family {family:#04x}: it cannot be decoded")]
    Key {
        /// The first byte of the key.
        family: u8,
    },
    /// Something that another part of the state names is not there.
    #[error("read the state: {what} is missing")]
    Missing {
        /// What.
        what: &'static str,
    },
    /// An entry at or before the last one applied.
    #[error("apply entry {index}: the state is already at {applied}")]
    OutOfOrder {
        /// The last index applied.
        applied: u64,
        /// The entry's.
        index: u64,
    },
    /// A map that speaks of entries this release cannot apply.
    #[error("adopt a map of machine version {found}: this release knows {MACHINE_VERSION}")]
    MachineVersion {
        /// The map's.
        found: u32,
    },
}
