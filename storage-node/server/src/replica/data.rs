use std::sync::Arc;

use bytes::Bytes;
use kv::{Batch, Durability, KeyValue};
use raft::{Committed, Fault, GroupId, Machine, SnapshotRead, SnapshotWrite};
use storage_node_machine::{Txn, encode_reply};

use super::snapshot::{Reading, Writing};
use super::view::Live;
use super::warm::Warm;
use super::{REPLICAS, STATE, parse_record, prefix, record};

/// Told after entries of a group were applied.
pub type Applied = Box<dyn Fn() + Send>;

/// A replica of the cluster group or of a data group.
///
/// Its state is not synced with every entry: after a crash the log brings it up
/// to date from the last marker that reached the disk.
pub struct DataMachine {
    group: GroupId,
    store: Arc<dyn KeyValue>,
    warm: Warm,
    applied: Applied,
}

impl DataMachine {
    /// The replica of `group` in this store. `applied` is called after each
    /// batch of entries.
    pub fn new(group: GroupId, store: Arc<dyn KeyValue>, applied: Applied) -> Self {
        Self {
            group,
            store,
            warm: Warm::default(),
            applied,
        }
    }

    fn record(&self) -> Result<(u32, Option<Bytes>), Fault> {
        let record = self.readable_record()?;
        record.ok_or_else(|| Fault::new("read how far a replica has come", "too short a record"))
    }

    /// Nothing if there is a record that cannot be read.
    fn readable_record(&self) -> Result<Option<(u32, Option<Bytes>)>, Fault> {
        let record = self
            .store
            .get(REPLICAS, &self.group.0.to_be_bytes())
            .map_err(|error| Fault::new("read how far a replica has come", error))?;
        Ok(match record {
            None => Some((0, None)),
            Some(value) => parse_record(&value).map(|(copy, marker)| (copy, Some(marker))),
        })
    }
}

impl Machine for DataMachine {
    fn applied(&mut self) -> Result<Option<Bytes>, Fault> {
        Ok(self.record()?.1)
    }

    fn apply(&mut self, entries: Vec<Committed>, marker: Bytes) -> Result<Vec<Bytes>, Fault> {
        let fault = |fault| Fault::new("apply an entry", fault);
        let (copy, _) = self.record()?;
        let prefix = prefix(self.group, copy);
        self.warm.of(copy);
        let live = Live {
            store: &*self.store,
            prefix: prefix.clone(),
            warm: &self.warm,
        };
        let group = storage_node_api::GroupId(self.group.0);
        let mut txn = Txn::begin(group, &live).map_err(fault)?;
        let mut replies = Vec::with_capacity(entries.len());
        for entry in entries {
            replies.push(match entry.command {
                Some(command) => {
                    let reply = txn.apply(entry.index, &command).map_err(fault)?;
                    super::answer(entry.index, &encode_reply(&reply))
                }
                None => Bytes::new(),
            });
        }
        let mut batch = Batch::new();
        let writes = txn.finish().map_err(fault)?;
        // A fault from here on is the end of this machine, and of what it keeps.
        self.warm.wrote(&writes);
        for write in writes {
            let key = [prefix.as_slice(), &write.key].concat();
            match write.value {
                Some(value) => batch.put(STATE, key, value),
                None => batch.delete(STATE, key),
            };
        }
        batch.put(
            REPLICAS,
            self.group.0.to_be_bytes().to_vec(),
            record(copy, &marker),
        );
        self.store
            .write(batch, Durability::Buffered)
            .map_err(|error| Fault::new("write what entries changed", error))?;
        (self.applied)();
        Ok(replies)
    }

    fn sync(&mut self) -> Result<(), Fault> {
        self.store
            .sync()
            .map_err(|error| Fault::new("sync the state", error))
    }

    fn snapshot(&mut self) -> Result<Box<dyn SnapshotRead>, Fault> {
        let (copy, _) = self.record()?;
        Ok(Box::new(Reading::new(self.store.view(), self.group, copy)))
    }

    fn begin_install(&mut self) -> Result<Box<dyn SnapshotWrite>, Fault> {
        // A state that cannot be read is no reason not to receive another.
        let copy = self.readable_record()?.map_or(0, |(copy, _)| copy);
        Ok(Box::new(Writing::begin(
            Arc::clone(&self.store),
            self.group,
            copy,
        )?))
    }
}

impl std::fmt::Debug for DataMachine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataMachine")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
