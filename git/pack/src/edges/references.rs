use git_id::{HashKind, ObjectId};

use super::{Edges, External};
use crate::Kind;
use crate::id_map::IdMap;
use crate::parse::{EntryKind, RawEntries, commit_links, tag_target};

/// The most slots of the filter that catches references seen a moment ago. Successive
/// versions of a directory have most of their entries in common.
const MAX_RECENT_SLOTS: u32 = 1 << 15;

/// The fewest slots, for packs of a few objects.
const MIN_RECENT_SLOTS: u32 = 1 << 8;

/// What kinds the referrers of an object take it for; a well-made object is taken for one
/// only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected(u8);

impl Expected {
    pub(crate) const fn of(kind: Kind) -> Self {
        Self(1 << (kind.entry_type() - 1))
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u8) -> Option<Self> {
        if bits != 0 && bits < 16 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// A kind that is expected although the object is an `actual`.
    pub(crate) fn other_than(self, actual: Kind) -> Option<Kind> {
        let all = [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag];
        all.into_iter()
            .find(|kind| *kind != actual && self.0 & Self::of(*kind).0 != 0)
    }
}

/// An object that is not what something that refers to it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MismatchedReference {
    pub(crate) id: ObjectId,
    pub(crate) actual: Kind,
    pub(crate) expected: Kind,
    pub(crate) referrer: ObjectId,
}

#[derive(Clone, Copy)]
struct Reference {
    expected: Expected,
    /// The number of the entry that refers to it.
    referrer: u32,
}

/// All that some objects of a pack refer to directly.
pub(crate) struct References {
    hash: HashKind,
    found: IdMap<Reference>,
    recent: Vec<(ObjectId, Expected)>,
    /// The most distinct references that are kept.
    limit: usize,
    complete: bool,
}

impl References {
    /// For a pack of that many objects. Keeps at most `limit` distinct references;
    /// beyond, [`References::edges`] gives nothing.
    pub(crate) fn new(hash: HashKind, objects: u32, limit: usize) -> Self {
        let slots = objects
            .clamp(MIN_RECENT_SLOTS, MAX_RECENT_SLOTS)
            .next_power_of_two();
        let recent = vec![(ObjectId::null(hash), Expected(0)); slots as usize];
        Self {
            hash,
            found: IdMap::default(),
            recent,
            limit,
            complete: true,
        }
    }

    /// Notes what the object of entry number `referrer` refers to. A malformed
    /// object makes the whole incomplete.
    pub(crate) fn add(&mut self, referrer: u32, kind: Kind, data: &[u8]) {
        let readable = match kind {
            Kind::Blob => true,
            Kind::Tree => self.add_tree(referrer, data),
            Kind::Commit => commit_links(data, self.hash).is_some_and(|links| {
                self.insert(links.tree, Expected::of(Kind::Tree), referrer);
                for parent in links.parents() {
                    self.insert(parent, Expected::of(Kind::Commit), referrer);
                }
                true
            }),
            Kind::Tag => tag_target(data, self.hash).is_some_and(|(target, kind)| {
                self.insert(target, Expected::of(kind), referrer);
                true
            }),
        };
        self.complete &= readable;
    }

    fn add_tree(&mut self, referrer: u32, data: &[u8]) -> bool {
        for entry in RawEntries::new(data, self.hash) {
            let Ok(entry) = entry else { return false };
            let expected = match entry.kind() {
                EntryKind::Tree => Expected::of(Kind::Tree),
                EntryKind::Blob => Expected::of(Kind::Blob),
                EntryKind::Submodule => continue,
            };
            let slot =
                usize::from(u16::from_le_bytes([entry.id[0], entry.id[1]])) % self.recent.len();
            if self.recent[slot].1 == expected && self.recent[slot].0.as_bytes() == entry.id {
                continue;
            }
            let id = entry.object_id();
            self.recent[slot] = (id, expected);
            self.insert(id, expected, referrer);
        }
        true
    }

    fn insert(&mut self, id: ObjectId, expected: Expected, referrer: u32) {
        if !self.complete {
            return;
        }
        let reference = self
            .found
            .entry(id)
            .or_insert(Reference { expected, referrer });
        if reference.expected != expected {
            *reference = Reference {
                expected: Expected(reference.expected.0 | expected.0),
                referrer,
            };
        }
        self.complete = self.found.len() <= self.limit;
    }

    /// Both together.
    pub(crate) fn merge(mut self, mut other: Self) -> Self {
        if other.found.len() > self.found.len() {
            std::mem::swap(&mut self.found, &mut other.found);
        }
        self.complete &= other.complete;
        for (id, reference) in other.found {
            let kept = self.found.entry(id).or_insert(reference);
            kept.expected = Expected(kept.expected.0 | reference.expected.0);
        }
        self
    }

    /// What follows for the pack, given the names and kinds of its own objects, the
    /// copies appended to complete it (sorted), and which object an entry number stands for.
    ///
    /// The edges are `None` if a reference was not kept or an object was not readable.
    pub(crate) fn edges(
        mut self,
        own: impl Iterator<Item = (ObjectId, Kind)>,
        completed: Vec<ObjectId>,
        object_of_entry: impl Fn(u32) -> ObjectId,
    ) -> Result<Option<Edges>, MismatchedReference> {
        self.recent = Vec::new();
        let mut roots = Vec::new();
        for (id, actual) in own {
            match self.found.remove(&id) {
                None => roots.push(id),
                Some(Reference { expected, referrer }) => {
                    if let Some(expected) = expected.other_than(actual) {
                        let referrer = object_of_entry(referrer);
                        return Err(MismatchedReference {
                            id,
                            actual,
                            expected,
                            referrer,
                        });
                    }
                }
            }
        }
        if !self.complete {
            return Ok(None);
        }
        let external = |(id, reference): (ObjectId, Reference)| External {
            id,
            expected: reference.expected,
            referrer: object_of_entry(reference.referrer),
        };
        let mut externals: Vec<External> = self.found.into_iter().map(external).collect();
        externals.sort_unstable_by_key(|external| external.id);
        roots.sort_unstable();
        Ok(Some(Edges {
            roots,
            externals,
            completed,
        }))
    }
}
