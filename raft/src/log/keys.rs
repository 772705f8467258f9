//! Keys: big-endian, so that a group's entries lie together and in order.

use kv::Family;

use crate::GroupId;

/// Entries: group and index, eight bytes each.
pub(crate) const LOG: Family = Family::new("raft_log");

/// What else a group keeps: group (eight bytes) and a kind; and, under [`node_key`], whose log
/// this is.
pub(crate) const STATE: Family = Family::new("raft_state");

/// Kinds of state. Written to disk: the numbers never change.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The last vote.
    Vote = 1,
    /// The last entry known to be committed.
    Committed = 2,
    /// The last entry that was removed from the start of the log.
    Purged = 3,
}

pub(crate) fn log_key(group: GroupId, index: u64) -> Vec<u8> {
    [group.0.to_be_bytes(), index.to_be_bytes()].concat()
}

/// The index in a key made by [`log_key`].
pub(crate) fn log_index(key: &[u8]) -> Option<u64> {
    let index = key.get(8..)?.try_into().ok()?;
    Some(u64::from_be_bytes(index))
}

pub(crate) fn state_key(group: GroupId, kind: Kind) -> Vec<u8> {
    let mut key = group.0.to_be_bytes().to_vec();
    key.push(kind as u8);
    key
}

/// Where the id of the node that the log belongs to is kept.
pub(crate) fn node_key() -> &'static [u8] {
    b"node"
}

/// Where a recovery keeps who is not to be listened to any more.
pub(crate) fn fence_key() -> &'static [u8] {
    b"fence"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_group_and_index() {
        let keys = [(1, 2), (1, 300), (2, 0), (256, 0)].map(|(g, i)| log_key(GroupId(g), i));
        assert!(keys.is_sorted());
        assert_eq!(log_index(&keys[1]), Some(300));
        assert_eq!(log_index(b"short"), None);
        let expect = [0, 0, 0, 0, 0, 0, 1, 0, 2];
        assert_eq!(state_key(GroupId(256), Kind::Committed), expect);
    }
}
