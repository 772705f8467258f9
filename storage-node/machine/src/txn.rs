//! Entries on their way into one batch.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;
use storage_node_api::GroupId;
use storage_node_api::map::{ClusterMap, MACHINE_VERSION};

use crate::fault::Fault;
use crate::head::Head;
use crate::keys::{HeadKey, Key, MapKey, Seal, Sealed};
use crate::reader::{Reader, Visit, load};
use crate::state_hash::Sum;
use crate::value;

/// Applies entries to a view and keeps what they write until
/// [`finish`](Self::finish); later entries see what earlier ones wrote.
///
/// After a [`Fault`] it must be dropped: part of an entry may be in it.
pub struct Txn<'a> {
    base: &'a dyn Reader,
    changes: BTreeMap<Vec<u8>, Change>,
    pub(crate) group: GroupId,
    pub(crate) head: Head,
    pub(crate) map: Option<Arc<ClusterMap>>,
    pub(crate) applied: u64,
    sum: Sum,
}

/// One change of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Which key.
    pub key: Bytes,
    /// Its new value; `None` to delete it.
    pub value: Option<Bytes>,
}

struct Change {
    before: Option<Bytes>,
    after: Option<Bytes>,
}

impl<'a> Txn<'a> {
    /// Starts on this view of the group's state.
    pub fn begin(group: GroupId, state: &'a dyn Reader) -> Result<Self, Fault> {
        let sealed = load(state, &Seal)?.unwrap_or_default();
        let map = load(state, &MapKey)?;
        // A later release wrote it: what it means by its entries is not known here.
        if let Some(map) = &map
            && map.machine_version > MACHINE_VERSION
        {
            return Err(Fault::MachineVersion {
                found: map.machine_version,
            });
        }
        Ok(Self {
            base: state,
            changes: BTreeMap::new(),
            group,
            head: load(state, &HeadKey)?.unwrap_or_default(),
            map: map.map(Arc::new),
            applied: sealed.index,
            sum: Sum::from_bytes(sealed.hash),
        })
    }

    /// What all entries together write, by key, each key once. To be written as
    /// one batch, atomically with the log position that it reaches.
    pub fn finish(mut self) -> Result<Vec<Write>, Fault> {
        if self.changes.is_empty() {
            return Ok(Vec::new());
        }
        for (key, change) in &self.changes {
            if change.before == change.after {
                continue;
            }
            if let Some(value) = &change.before {
                self.sum.subtract(key, value);
            }
            if let Some(value) = &change.after {
                self.sum.add(key, value);
            }
        }
        let sealed = Sealed {
            index: self.applied,
            hash: self.sum.to_bytes(),
        };
        let seal = Write {
            key: Seal.encode().into(),
            value: Some(value::encode::<Seal>(&sealed)?),
        };
        let changes = self.changes.into_iter();
        Ok(std::iter::once(seal)
            .chain(
                changes
                    .filter(|(_, change)| change.before != change.after)
                    .map(|(key, change)| Write {
                        key: key.into(),
                        value: change.after,
                    }),
            )
            .collect())
    }

    /// Sets the value of a key.
    pub(crate) fn put<K: Key>(&mut self, key: &K, value: &K::Value) -> Result<(), Fault> {
        let value = value::encode::<K>(value)?;
        self.change(key.encode(), Some(value))
    }

    /// Sets the value of a key that is made of a number never used before, so that nothing needs
    /// to be read to know that it is not there.
    pub(crate) fn put_new<K: Key>(&mut self, key: &K, value: &K::Value) -> Result<(), Fault> {
        let (key, value) = (key.encode(), value::encode::<K>(value)?);
        debug_assert_eq!(self.get(&key)?, None, "a number was used twice");
        let change = Change {
            before: None,
            after: Some(value),
        };
        self.changes.insert(key, change);
        Ok(())
    }

    /// Removes a key, if it is there.
    pub(crate) fn remove<K: Key>(&mut self, key: &K) -> Result<(), Fault> {
        self.change(key.encode(), None)
    }

    /// Sets or removes a key in its stored form.
    pub(crate) fn change(&mut self, key: Vec<u8>, after: Option<Bytes>) -> Result<(), Fault> {
        if let Some(change) = self.changes.get_mut(&key) {
            change.after = after;
            return Ok(());
        }
        let before = self.base.get(&key)?;
        self.changes.insert(key, Change { before, after });
        Ok(())
    }
}

impl Reader for Txn<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        match self.changes.get(key) {
            Some(change) => Ok(change.after.clone()),
            None => self.base.get(key),
        }
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        let mut changes = self.changes.range::<[u8], _>(bounds).peekable();
        let mut flow = ControlFlow::Continue(());
        self.base.scan(from, to, &mut |key, value| {
            while let Some((new, change)) = changes.next_if(|(new, _)| new.as_slice() < key) {
                flow = show(visit, new, change.after.as_ref());
                if flow.is_break() {
                    return flow;
                }
            }
            flow = match changes.next_if(|(new, _)| new.as_slice() == key) {
                Some((_, change)) => show(visit, key, change.after.as_ref()),
                None => visit(key, value),
            };
            flow
        })?;
        if flow.is_continue() {
            for (new, change) in changes {
                if show(visit, new, change.after.as_ref()).is_break() {
                    break;
                }
            }
        }
        Ok(())
    }
}

fn show(visit: &mut Visit<'_>, key: &[u8], value: Option<&Bytes>) -> ControlFlow<()> {
    value.map_or(ControlFlow::Continue(()), |value| visit(key, value))
}

impl std::fmt::Debug for Txn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Txn")
            .field("group", &self.group)
            .field("applied", &self.applied)
            .field("changes", &self.changes.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use storage_node_api::map::{CLUSTER_GROUP, ClusterMap, MACHINE_VERSION, Policies};
    use storage_node_api::{ClusterId, Generation, MapEpoch};

    use super::Txn;
    use crate::fault::Fault;
    use crate::keys::MapKey;

    /// A snapshot may bring it, or an earlier release may be started on it.
    #[test]
    fn nothing_is_applied_to_the_state_of_a_later_machine_version() {
        for machine_version in [MACHINE_VERSION, MACHINE_VERSION + 1] {
            let map = ClusterMap {
                cluster: ClusterId([1; 16]),
                epoch: MapEpoch(1),
                generation: Generation(1),
                machine_version,
                policies: Policies::default(),
                nodes: Vec::new(),
                groups: Vec::new(),
                members: Box::default(),
                moves: Box::default(),
            };
            let empty = BTreeMap::new();
            let mut txn = Txn::begin(CLUSTER_GROUP, &empty).unwrap();
            txn.put(&MapKey, &map).unwrap();
            let writes = txn.finish().unwrap().into_iter();
            let state: BTreeMap<Bytes, Bytes> = writes
                .filter_map(|write| Some((write.key, write.value?)))
                .collect();
            let found = match Txn::begin(CLUSTER_GROUP, &state) {
                Err(Fault::MachineVersion { found }) => Some(found),
                _ => None,
            };
            let later = machine_version > MACHINE_VERSION;
            assert_eq!(found, later.then_some(machine_version));
        }
    }
}
