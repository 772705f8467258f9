use std::ops::{Bound, ControlFlow};

use bytes::Bytes;
use kv::{
    Batch, Direction, Durability, Family, KeyValue, KvError, Memory, Operation, Range, View, Visit,
};
use storage_node_api::{GroupId, NodeId};
use storage_node_server::replica::REPLICAS;
use storage_node_server::volumes::INDEX_FAMILY;

use crate::mutation::Mutation;
use crate::observer::Observer;

/// The store of a node's raft log, whose syncs may be told to do nothing.
#[derive(Debug)]
pub(super) struct LogStore {
    pub(super) store: Memory,
    pub(super) syncs: bool,
}

/// The store of a node's state, which tells of each applied batch.
#[derive(Debug)]
pub(super) struct StateStore {
    pub(super) store: Memory,
    pub(super) node: NodeId,
    pub(super) observer: Observer,
    pub(super) broken: Option<Mutation>,
}

macro_rules! view {
    ($type:ty) => {
        impl View for $type {
            fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, KvError> {
                self.store.get(family, key)
            }

            fn scan(
                &self,
                family: Family,
                range: Range<'_>,
                direction: Direction,
                visit: &mut Visit<'_>,
            ) -> Result<(), KvError> {
                self.store.scan(family, range, direction, visit)
            }
        }
    };
}

view!(LogStore);

impl View for StateStore {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        let value = self.store.get(family, key)?;
        if self.broken == Some(Mutation::DropsIgnoreTouches) && family == INDEX_FAMILY {
            return Ok(value.map(|value| untouched(&value)));
        }
        Ok(value)
    }

    fn scan(
        &self,
        family: Family,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), KvError> {
        if self.broken == Some(Mutation::DropsIgnoreTouches) && family == INDEX_FAMILY {
            let mut shown = |key: &[u8], value: &[u8]| visit(key, &untouched(value));
            return self.store.scan(family, range, direction, &mut shown);
        }
        self.store.scan(family, range, direction, visit)
    }
}

/// Of a chunk's value in the index, and of the touch at its end.
const ENTRY_BYTES: usize = 30;
const TOUCH_BYTES: usize = 8;

/// The value of a chunk in the index, without its touch; any other as it is.
fn untouched(value: &[u8]) -> Bytes {
    let mut value = value.to_vec();
    if value.len() == ENTRY_BYTES {
        value[ENTRY_BYTES - TOUCH_BYTES..].fill(0);
    }
    value.into()
}

/// A view of the state in which a listing does not find some of the manifests.
#[derive(Debug)]
struct Lossy(Box<dyn View>);

impl View for Lossy {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        self.0.get(family, key)
    }

    fn scan(
        &self,
        family: Family,
        range: Range<'_>,
        direction: Direction,
        visit: &mut Visit<'_>,
    ) -> Result<(), KvError> {
        /// Group and copy, before the machine's own key.
        const PREFIX: usize = 12;
        /// The tag of the parts of manifests.
        const MANIFESTS: u8 = 0x21;
        /// Tag, slot and domain, before a blob's id.
        const BLOB: usize = PREFIX + 1 + 2 + 8;
        let (Bound::Included(from) | Bound::Excluded(from)) = range.0 else {
            return self.0.scan(family, range, direction, visit);
        };
        let of_one_blob = from.len() == BLOB + 32;
        let listing = from.get(PREFIX) == Some(&MANIFESTS) && !of_one_blob;
        if !listing {
            return self.0.scan(family, range, direction, visit);
        }
        let mut shown = |key: &[u8], value: &[u8]| match key.get(BLOB) {
            Some(first) if first % 8 == 0 => ControlFlow::Continue(()),
            _ => visit(key, value),
        };
        self.0.scan(family, range, direction, &mut shown)
    }
}

impl KeyValue for LogStore {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), KvError> {
        let durability = if self.syncs {
            durability
        } else {
            Durability::Buffered
        };
        self.store.write(batch, durability)
    }

    fn sync(&self) -> Result<(), KvError> {
        if self.syncs {
            self.store.sync()
        } else {
            Ok(())
        }
    }

    fn view(&self) -> Box<dyn View> {
        self.store.view()
    }
}

impl StateStore {
    /// A batch without what would only raise the touch of a chunk that is there.
    fn without_touches(&self, batch: &Batch) -> Result<Batch, KvError> {
        let mut kept = Batch::new();
        for operation in batch.operations() {
            match operation {
                Operation::Put { family, key, value } => {
                    let held = match *family == INDEX_FAMILY && value.len() == ENTRY_BYTES {
                        true => self.store.get(*family, key)?,
                        false => None,
                    };
                    let same = |held: &Bytes| untouched(held) == untouched(value);
                    if !held.as_ref().is_some_and(same) {
                        kept.put(*family, key.clone(), value.clone());
                    }
                }
                Operation::Delete { family, key } => {
                    kept.delete(*family, key.clone());
                }
                Operation::DeleteRange { family, from, to } => {
                    kept.delete_range(*family, from.clone(), to.clone());
                }
            }
        }
        Ok(kept)
    }
}

impl KeyValue for StateStore {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), KvError> {
        let applied: Vec<GroupId> = batch.operations().iter().filter_map(applied).collect();
        let batch = match self.broken {
            Some(Mutation::TouchesAreLost) => self.without_touches(&batch)?,
            _ => batch,
        };
        self.store.write(batch, durability)?;
        for group in applied {
            self.observer.applied(self.node, group, &self.store);
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), KvError> {
        self.store.sync()
    }

    fn view(&self) -> Box<dyn View> {
        let view = self.store.view();
        match self.broken {
            Some(Mutation::ListingLosesBlobs) => Box::new(Lossy(view)),
            _ => view,
        }
    }
}

/// The group whose state an operation moves on.
fn applied(operation: &Operation) -> Option<GroupId> {
    match operation {
        Operation::Put { family, key, .. } if *family == REPLICAS => {
            let id = key.as_ref().try_into().ok()?;
            Some(GroupId(u64::from_be_bytes(id)))
        }
        _ => None,
    }
}
