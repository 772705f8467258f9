use std::collections::BTreeMap;

use git_id::{HashKind, ObjectId};

use super::{Named, ReceiveError, ReceiveOptions};
use crate::Kind;
use crate::edges::References;
use crate::fsck::{SpecialFile, check_object};
use crate::hashing::{Collision, object_id};
use crate::resolve::Examine;

/// Distinct references kept at least, whatever the number of objects.
const MIN_REFERENCES: usize = 1 << 20;

/// Distinct references kept for each object of the pack.
const REFERENCES_PER_OBJECT: usize = 4;

/// The most different blobs that may be named `.gitmodules` or `.gitattributes`; more are
/// not looked into one by one but refused as too large.
const MAX_SPECIAL_BLOBS: usize = 1 << 20;

/// Names, checks and notes the references of one thread's objects.
pub(super) struct Examiner {
    hash: HashKind,
    check: bool,
    pub(super) named: Vec<Named>,
    pub(super) references: References,
    /// Blobs with a special name.
    pub(super) special: BTreeMap<(SpecialFile, ObjectId), ()>,
}

impl Examiner {
    pub(super) fn new(options: &ReceiveOptions, objects: u32) -> Self {
        let limit = MIN_REFERENCES.max(objects as usize * REFERENCES_PER_OBJECT);
        Self {
            hash: options.hash,
            check: options.check,
            named: Vec::new(),
            references: References::new(options.hash, objects, limit),
            special: BTreeMap::new(),
        }
    }

    /// Notes an object whose name was computed elsewhere and whose content matters to
    /// nobody: a large blob.
    pub(super) fn note(&mut self, entry: u32, kind: Kind, id: ObjectId) {
        self.named.push(Named { id, entry, kind });
    }
}

impl Examine for Examiner {
    type Error = ReceiveError;

    fn examine(&mut self, entry: u32, kind: Kind, data: &[u8]) -> Result<ObjectId, ReceiveError> {
        let id = object_id(self.hash, kind, data)
            .map_err(|Collision| ReceiveError::Collision { entry })?;
        if self.check {
            let special = &mut self.special;
            let mut note = |file, blob| {
                if special.len() < MAX_SPECIAL_BLOBS {
                    special.insert((file, blob), ());
                }
            };
            check_object(kind, data, self.hash, &mut note)
                .map_err(|problem| ReceiveError::Fsck { id, kind, problem })?;
        }
        self.references.add(entry, kind, data);
        self.note(entry, kind, id);
        Ok(id)
    }
}
