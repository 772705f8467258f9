use bytes::Bytes;
use kv::{
    Batch, Direction, Durability, Family, KeyValue, KvError, Memory, Operation, Range, View, Visit,
};
use storage_node_api::{GroupId, NodeId};
use storage_node_server::replica::REPLICAS;

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
view!(StateStore);

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

impl KeyValue for StateStore {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), KvError> {
        let applied: Vec<GroupId> = batch.operations().iter().filter_map(applied).collect();
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
        self.store.view()
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
