//! The index held against the volumes.

use std::sync::Arc;

use runtime::File;

use super::super::error::StoreError;
use super::super::index::{Key, Place};
use super::super::record::{BLOCK, HEADER_BYTES, Header, Kind};
use super::super::store::Scrubbed;
use super::super::volume::{Damage, VolumeId};
use super::Belongs;

/// Entries that one step looks at.
const STEP_ENTRIES: usize = 2048;

/// What a part of the index was found to be.
#[derive(Debug)]
pub(super) struct Census {
    /// The last entry; nothing at the end of the index.
    pub(super) last: Option<Key>,
    /// Bytes read, as the disk counts them.
    pub(super) bytes: u64,
    /// Entries whose place does not hold their record.
    pub(super) dangling: Vec<(Key, Place)>,
    /// Chunks that do not belong here.
    pub(super) surplus: u64,
}

/// Looks at the next entries after a key.
pub(super) fn take(
    store: &Scrubbed<'_>,
    after: Option<&Key>,
    belongs: &Belongs,
) -> Result<Census, StoreError> {
    let mut census = Census {
        last: None,
        bytes: 0,
        dangling: Vec::new(),
        surplus: 0,
    };
    let mut intact = Vec::new();
    let mut cursor = after.copied();
    let mut seen = 0;
    while seen < STEP_ENTRIES {
        let page = store.index.page(cursor.as_ref())?;
        let Some((last, _)) = page.last() else {
            cursor = None;
            break;
        };
        cursor = Some(*last);
        seen += page.len();
        for (key, entry) in page {
            if !belongs(key.domain, &key.id) {
                census.surplus += 1;
            }
            if entry.is_intact() {
                intact.push((key, entry.place));
            }
        }
    }
    census.last = cursor;
    intact.sort_unstable_by_key(|(_, place)| *place);
    let mut open: Option<(VolumeId, Option<Arc<dyn File>>)> = None;
    for (key, place) in intact {
        if store.is_away(place.volume) {
            // A read for each entry would cost more than the objects themselves, which were whole
            // when they were written and are read by the other half of the pass.
            continue;
        }
        if open
            .as_ref()
            .is_none_or(|(volume, _)| *volume != place.volume)
        {
            let file = store.files.open(&place.volume.file_name()).ok();
            open = Some((place.volume, file));
        }
        let file = open.as_ref().and_then(|(_, file)| file.as_ref());
        census.bytes += BLOCK;
        if !file.is_some_and(|file| holds(&**file, &key, &place)) {
            census.dangling.push((key, place));
        }
    }
    Ok(census)
}

/// Whether there is a header of this chunk at this place.
fn holds(file: &dyn File, key: &Key, place: &Place) -> bool {
    let mut bytes = [0; HEADER_BYTES];
    let Ok(read) = file.read_at(&mut bytes, place.offset) else {
        return false;
    };
    Header::decode(&bytes[..read], place.offset).is_ok_and(|header| {
        header.kind == Kind::Chunk
            && header.id == key.id
            && header.domain == key.domain
            && header.length == place.length
    })
}

/// All intact entries whose record begins in damaged bytes.
pub(super) fn within(
    store: &Scrubbed<'_>,
    damage: &[Damage],
) -> Result<Vec<(Key, Place)>, StoreError> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.index.page(cursor.as_ref())?;
        let Some((last, _)) = page.last() else {
            return Ok(found);
        };
        cursor = Some(*last);
        let hit = |place: &Place| {
            damage.iter().any(|damage| {
                place.volume == damage.volume && (damage.from..damage.to).contains(&place.offset)
            })
        };
        let lost = page
            .iter()
            .filter(|(_, entry)| entry.is_intact() && hit(&entry.place));
        found.extend(lost.map(|(key, entry)| (*key, entry.place)));
    }
}
