use std::collections::HashMap;

use git_id::ObjectId;

use super::Source;
use crate::bitmap::Bitmap;
use crate::history::NumberMap;
use crate::objects::Objects;

/// Steps back through the versions of a file to one that the client has.
const MAX_STEPS: usize = 64;

/// For objects to send, others that are probably similar, being versions of the same path.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// An older version that the client has and that is not sent.
    older: HashMap<Source, ObjectId>,
    /// A newer version that is sent too.
    newer: HashMap<Source, (usize, u64)>,
}

impl Versions {
    /// From what the walk over trees saw: for some objects, an older version.
    pub(super) fn new(
        objects: &Objects,
        selected: &Bitmap,
        known: &Bitmap,
        seen: &NumberMap<u32>,
    ) -> Self {
        let mut versions = Self::default();
        for (number, older) in seen
            .iter()
            .filter(|(number, _)| selected.contains(**number))
        {
            let source = source(objects, *number);
            if selected.contains(*older)
                && let Source::Packed(pack, offset) = source
            {
                versions
                    .newer
                    .insert(self::source(objects, *older), (pack, offset));
            }
            let ancestors = std::iter::successors(Some(*older), |older| seen.get(older).copied());
            let stays = |number: &u32| known.contains(*number) && !selected.contains(*number);
            if let Some(older) = ancestors.take(MAX_STEPS).find(stays)
                && let Some((pack, position)) = objects.place_of_number(older)
            {
                versions
                    .older
                    .insert(source, objects.pack_list()[pack].id(position));
            }
        }
        versions
    }

    /// Whether anything similar is known.
    pub(super) fn has(&self, source: &Source) -> bool {
        self.older.contains_key(source) || self.newer.contains_key(source)
    }

    /// A version that the client has and that is not sent.
    pub(super) fn older(&self, source: &Source) -> Option<ObjectId> {
        self.older.get(source).copied()
    }

    /// Pack and offset of a version that is sent too.
    pub(super) fn newer(&self, source: &Source) -> Option<(usize, u64)> {
        self.newer.get(source).copied()
    }
}

/// Where the object with that number is stored.
pub(super) fn source(objects: &Objects, number: u32) -> Source {
    match objects.place_of_number(number) {
        Some((pack, position)) => Source::Packed(pack, objects.pack_list()[pack].offset(position)),
        None => Source::Loose(number),
    }
}
