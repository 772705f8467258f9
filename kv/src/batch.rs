//! Changes that happen together.

use bytes::Bytes;

use crate::Family;

/// An ordered list of changes that a store makes as one.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    operations: Vec<Operation>,
    bytes: usize,
}

/// One change of a [`Batch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Sets the value of a key.
    Put {
        /// Where.
        family: Family,
        /// Which key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// Removes a key, if it is there.
    Delete {
        /// Where.
        family: Family,
        /// Which key.
        key: Bytes,
    },
    /// Removes every key from `from` up to but not including `to`.
    DeleteRange {
        /// Where.
        family: Family,
        /// The first key to remove.
        from: Bytes,
        /// The first key to keep.
        to: Bytes,
    },
}

impl Batch {
    /// A batch that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a key.
    pub fn put(
        &mut self,
        family: Family,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
    ) -> &mut Self {
        let (key, value) = (key.into(), value.into());
        self.bytes += key.len() + value.len();
        self.operations.push(Operation::Put { family, key, value });
        self
    }

    /// Removes a key, if it is there.
    pub fn delete(&mut self, family: Family, key: impl Into<Bytes>) -> &mut Self {
        let key = key.into();
        self.bytes += key.len();
        self.operations.push(Operation::Delete { family, key });
        self
    }

    /// Removes every key from `from` up to but not including `to`; nothing if that is not after
    /// `from`. Costs later reads of the range something: for a known handful of keys
    /// [`delete`](Self::delete) is cheaper.
    pub fn delete_range(
        &mut self,
        family: Family,
        from: impl Into<Bytes>,
        to: impl Into<Bytes>,
    ) -> &mut Self {
        let (from, to) = (from.into(), to.into());
        if from < to {
            self.bytes += from.len() + to.len();
            let range = Operation::DeleteRange { family, from, to };
            self.operations.push(range);
        }
        self
    }

    /// Adds the changes of `other` after those here.
    pub fn append(&mut self, mut other: Self) -> &mut Self {
        self.operations.append(&mut other.operations);
        self.bytes += other.bytes;
        self
    }

    /// The changes, in order.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Bytes of all keys and values together.
    pub fn size_bytes(&self) -> usize {
        self.bytes
    }
}
