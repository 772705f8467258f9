use git_id::ObjectId;

/// What is wrong with the stored form of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// The bytes end too early.
    #[error("it is cut off")]
    Truncated,
    /// A header that no pack or loose object can have.
    #[error("its header is invalid")]
    BadHeader,
    /// The compressed data do not inflate.
    #[error("its compressed data are damaged")]
    BadZlib,
    /// More or fewer bytes than the header says.
    #[error("its size is not the one its header says")]
    SizeMismatch,
    /// A delta whose instructions do not fit its base or its size.
    #[error("its delta instructions are invalid")]
    BadDelta,
    /// A delta that names no entry of the pack as its base.
    #[error("its delta base is no entry of the pack")]
    BadBase,
    /// A delta against an object that is not there.
    #[error("its delta base {base} is missing")]
    MissingBase {
        /// The object that the delta builds on.
        base: ObjectId,
    },
    /// A chain of deltas longer than any git writes, or going round in a circle.
    #[error("its delta chain is longer than {limit}")]
    ChainTooLong {
        /// The longest that is followed.
        limit: usize,
    },
    /// An object over the size limit.
    #[error("it has {size} bytes, over the limit of {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The greatest allowed.
        limit: u64,
    },
}
