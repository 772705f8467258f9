//! Packs in the place of others.
//!
//! Maintenance reads a pack list, makes other packs of some of it, and commits both ends here. A
//! push in between only adds a pack, which stays. Another replacement in between refuses this one:
//! of an object that was in two packs, each of the two may have counted on the other pack. What
//! drops objects is refused by whatever came in between, since a push may have begun to lean on them.

use std::collections::BTreeSet;

use git_id::ObjectId;
use storage_node_api::limits::MAX_PACKS;
use storage_node_api::order::{Refusal, Reply};
use storage_node_api::repository::{Pack, Replacement};
use storage_node_api::{BlobOwner, RepositoryId};

use super::Stop;
use super::blob::{disown, drop_staged};
use super::hold::refuse_while_held;
use super::push::{add_pack, admit_pack};
use super::repository::writable;
use crate::fault::Fault;
use crate::keys::{BlobKey, OwnerKey, PackKey, PackNumberKey, Record, ReplacedKey, RepositoryKey};
use crate::reader::{list, load};
use crate::txn::Txn;

/// Applies a replacement. Whoever forked the repository keeps the old packs: they are in its own list.
pub(super) fn replace(txn: &mut Txn<'_>, replacement: Replacement) -> Result<Reply, Stop> {
    let Replacement {
        repository: id,
        old,
        mut new,
        seen,
        drops,
    } = replacement;
    let mut record = writable(txn, id)?;
    let mut replaced = load(txn, &ReplacedKey(id))?.unwrap_or_default();
    if drops && seen != record.version {
        let actual = record.version;
        return Err(Refusal::VersionChanged { seen, actual }.into());
    }
    if seen < replaced.last {
        return Err(Refusal::PacksChanged(id).into());
    }
    let mut stays = BTreeSet::new();
    new.retain(|pack| stays.insert(pack.checksum));
    let going = find(txn, id, &old)?;
    let going: Vec<_> = (going.into_iter())
        .filter(|(_, pack)| !stays.contains(&pack.checksum))
        .collect();
    if going.is_empty() {
        return Err(Refusal::PacksChanged(id).into());
    }
    refuse_while_held(txn)?;
    // The list does not grow by more than it can hold.
    let listed = (record.packs as usize).saturating_sub(going.len()) + new.len();
    if listed > MAX_PACKS as usize {
        return Err(Refusal::TooManyPacks(record.packs).into());
    }
    record.packs = record.packs.saturating_sub(count(&going));
    let mut admitted = Vec::new();
    for pack in &new {
        admitted.push(admit_pack(txn, id, &record, pack)?);
    }
    for (pack, admitted) in new.iter().zip(admitted) {
        if let Some(admitted) = admitted {
            add_pack(txn, id, &mut record, pack, admitted)?;
        }
        drop_staged(txn, &pack.pack)?;
        drop_staged(txn, &pack.index)?;
    }
    remove(txn, id, &mut record, going)?;
    record.version += 1;
    replaced.last = record.version;
    if drops {
        replaced.dropped = record.version;
    }
    txn.put(&ReplacedKey(id), &replaced)?;
    txn.put(&RepositoryKey(id), &record)?;
    Ok(Reply::Done)
}

fn count(packs: &[(PackKey, Pack)]) -> u32 {
    u32::try_from(packs.len()).unwrap_or(u32::MAX)
}

/// The packs with these trailers, each once, if all are listed.
fn find(
    txn: &Txn<'_>,
    id: RepositoryId,
    checksums: &[ObjectId],
) -> Result<Vec<(PackKey, Pack)>, Stop> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for checksum in checksums.iter().filter(|checksum| seen.insert(**checksum)) {
        let by_checksum = PackNumberKey {
            repository: id,
            checksum: *checksum,
        };
        let number = load(txn, &by_checksum)?.ok_or(Refusal::PacksChanged(id))?;
        let key = PackKey {
            repository: id,
            number,
        };
        let pack = load(txn, &key)?.ok_or(Fault::Missing {
            what: "a pack that a number is of",
        })?;
        found.push((key, pack));
    }
    Ok(found)
}

/// Takes packs off the list, and their blobs from the repository where no pack that stays has them.
fn remove(
    txn: &mut Txn<'_>,
    id: RepositoryId,
    record: &mut Record,
    going: Vec<(PackKey, Pack)>,
) -> Result<(), Fault> {
    for (key, pack) in &going {
        txn.remove(key)?;
        txn.remove(&PackNumberKey {
            repository: id,
            checksum: pack.checksum,
        })?;
    }
    let kept = list::<PackKey>(txn, &PackKey::of(id))?;
    let kept: BTreeSet<_> = (kept.iter())
        .flat_map(|(_, pack)| [pack.pack, pack.index])
        .collect();
    for (_, pack) in going {
        record.bytes = record.bytes.saturating_sub(bytes(txn, record, id, &pack)?);
        for blob in [pack.pack, pack.index] {
            if !kept.contains(&blob) {
                let owner = BlobOwner::Repository(id);
                let slot = id.slot();
                disown(txn, OwnerKey { slot, blob, owner })?;
            }
        }
    }
    Ok(())
}

/// What a pack and its index count for in the repository's bytes.
fn bytes(txn: &Txn<'_>, record: &Record, id: RepositoryId, pack: &Pack) -> Result<u64, Fault> {
    let index = BlobKey {
        slot: id.slot(),
        domain: record.domain,
        blob: pack.index,
    };
    let index = load(txn, &index)?.map_or(0, |header| header.length);
    Ok(pack.bytes.saturating_add(index))
}
