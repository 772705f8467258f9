use std::fmt::Debug;
use std::ops::Range;

use bytes::Bytes;

/// Objects by name. Names are paths of plain words between slashes.
///
/// Blocks: not to be called where asynchronous tasks run.
pub trait Objects: Send + Sync + Debug {
    /// Begins an object, which nobody sees before it is finished. One of this name is replaced
    /// then.
    fn begin(&self, name: &str) -> Result<Box<dyn Upload>, ObjectError>;

    /// Exactly these bytes of an object; [`ObjectError::Short`] if it has not so many.
    fn read(&self, name: &str, range: Range<u64>) -> Result<Bytes, ObjectError>;

    /// How many bytes an object has.
    fn length(&self, name: &str) -> Result<u64, ObjectError>;

    /// Removes an object. One that is not there is a success.
    fn delete(&self, name: &str) -> Result<(), ObjectError>;

    /// Shows every object whose name begins with `directory` and a slash, in any order.
    fn list(&self, directory: &str, visit: &mut dyn FnMut(Meta)) -> Result<(), ObjectError>;

    /// Writes a small object in one go.
    fn put(&self, name: &str, bytes: Bytes) -> Result<(), ObjectError> {
        let mut upload = self.begin(name)?;
        upload.part(bytes)?;
        upload.finish()
    }
}

/// An object that is being written. One that is dropped unfinished is given up.
pub trait Upload: Send + Debug {
    /// Adds bytes to its end: at least [`MIN_PART_BYTES`](crate::limits::MIN_PART_BYTES), unless
    /// it is the last part.
    fn part(&mut self, bytes: Bytes) -> Result<(), ObjectError>;

    /// Makes the object appear, durable. After an error that does not say that nothing happened it
    /// may have appeared all the same.
    fn finish(self: Box<Self>) -> Result<(), ObjectError>;
}

/// What a listing says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Its whole name.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// When it appeared, by the store's clock: milliseconds since the Unix epoch.
    pub modified: runtime::Timestamp,
}

/// Why a call did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ObjectError {
    /// The store answered that there is no such object (or no such bucket).
    #[error("{doing} object {object}: it is not there")]
    Missing {
        /// What was being done.
        doing: &'static str,
        /// Which object, or the beginning of the names of several.
        object: String,
    },
    /// The object ends before the bytes that were asked for.
    #[error("read object {object}: it is shorter than it was")]
    Short {
        /// Which object.
        object: String,
    },
    /// The store refuses: the credential is wrong, or may not do this.
    #[error("{doing} object {object}: the store refuses the credential: {cause}")]
    Denied {
        /// What was being done.
        doing: &'static str,
        /// Which object.
        object: String,
        /// What the store said, in one line.
        cause: String,
    },
    /// The store was not reached, answered too late, or has a fault of its own. Whether a change
    /// was made is unknown; it can be asked for again.
    #[error("{doing} object {object}: {cause}")]
    Unreachable {
        /// What was being done.
        doing: &'static str,
        /// Which object.
        object: String,
        /// What is known of the reason, in one line.
        cause: String,
    },
}

impl ObjectError {
    /// Its kind in one word, for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Short { .. } => "short",
            Self::Denied { .. } => "denied",
            Self::Unreachable { .. } => "unreachable",
        }
    }
}
