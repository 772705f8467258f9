//! The life of a repository.

use git_id::{HashKind, RefName};
use storage_node_api::event::Kind;
use storage_node_api::order::{Refusal, Reply};
use storage_node_api::repository::State;
use storage_node_api::{BlobOwner, DedupDomain, RepositoryId, RequestId};

use super::blob::{Admitted, disown, own};
use super::hold::refuse_while_held;
use super::{Stop, feed};
use crate::fault::Fault;
use crate::keys::{
    BlobKey, OwnerKey, PackKey, PackNumberKey, Record, RefKey, ReplacedKey, RepositoryKey,
};
use crate::reader::{keys, list, load};
use crate::txn::Txn;

/// Makes an empty repository. Again with the same settings: no effect.
pub(super) fn create(
    txn: &mut Txn<'_>,
    request: RequestId,
    id: RepositoryId,
    (hash, head, domain): (HashKind, RefName, DedupDomain),
) -> Result<Reply, Stop> {
    txn.check_slot(id.slot())?;
    check_head(&head)?;
    if let Some(record) = load(txn, &RepositoryKey(id))? {
        let same = (record.hash, record.domain, record.origin) == (hash, domain, None);
        return existing(&record, id, same);
    }
    let mut record = Record {
        hash,
        head,
        domain,
        state: State::Active,
        version: 1,
        packs: 0,
        next_pack: 0,
        bytes: 0,
        events: 0,
        changed: txn.head.time,
        origin: None,
    };
    feed::append(txn, request, id, &mut record, Kind::Created)?;
    txn.put(&RepositoryKey(id), &record)?;
    Ok(Reply::Done)
}

/// Makes a repository with the refs and packs of another. Again: no effect.
pub(super) fn fork(
    txn: &mut Txn<'_>,
    request: RequestId,
    id: RepositoryId,
    from: RepositoryId,
) -> Result<Reply, Stop> {
    txn.check_slot(id.slot())?;
    if id.slot() != from.slot() {
        return Err(Refusal::OtherSlot(id).into());
    }
    if let Some(record) = load(txn, &RepositoryKey(id))? {
        let same = record.origin == Some(from);
        return existing(&record, id, same);
    }
    let original = writable(txn, from)?;
    let mut record = Record {
        version: 1,
        events: 0,
        origin: Some(from),
        ..original
    };
    copy_refs_and_packs(txn, id, from, record.domain)?;
    feed::append(txn, request, id, &mut record, Kind::Forked { from })?;
    txn.put(&RepositoryKey(id), &record)?;
    Ok(Reply::Done)
}

/// Refuses every later write. Again: no effect.
pub(super) fn seal(txn: &mut Txn<'_>, request: RequestId, id: RepositoryId) -> Result<Reply, Stop> {
    let mut record = present(txn, id)?;
    if record.state != State::Sealed {
        refuse_while_held(txn)?;
        record.state = State::Sealed;
        feed::append(txn, request, id, &mut record, Kind::Sealed)?;
        txn.put(&RepositoryKey(id), &record)?;
    }
    Ok(Reply::Done)
}

/// Removes a sealed repository.
pub(super) fn delete(
    txn: &mut Txn<'_>,
    request: RequestId,
    id: RepositoryId,
) -> Result<Reply, Stop> {
    let mut record = present(txn, id)?;
    if record.state != State::Sealed {
        return Err(Refusal::NotSealed(id).into());
    }
    refuse_while_held(txn)?;
    for key in keys(txn, &RefKey::of(id))? {
        txn.change(key, None)?;
    }
    for (key, pack) in list::<PackKey>(txn, &PackKey::of(id))? {
        for blob in [pack.pack, pack.index] {
            disown(
                txn,
                OwnerKey {
                    slot: id.slot(),
                    blob,
                    owner: BlobOwner::Repository(id),
                },
            )?;
        }
        txn.remove(&key)?;
        txn.remove(&PackNumberKey {
            repository: id,
            checksum: pack.checksum,
        })?;
    }
    txn.remove(&ReplacedKey(id))?;
    feed::append(txn, request, id, &mut record, Kind::Deleted)?;
    txn.remove(&RepositoryKey(id))?;
    Ok(Reply::Done)
}

/// HEAD names this branch.
pub(super) fn set_head(
    txn: &mut Txn<'_>,
    request: RequestId,
    id: RepositoryId,
    head: RefName,
) -> Result<Reply, Stop> {
    let mut record = writable(txn, id)?;
    check_head(&head)?;
    if record.head != head {
        record.head.clone_from(&head);
        record.version += 1;
        feed::append(txn, request, id, &mut record, Kind::HeadMoved { to: head })?;
        txn.put(&RepositoryKey(id), &record)?;
    }
    Ok(Reply::Done)
}

/// The record of a repository that may be written.
pub(super) fn writable(txn: &Txn<'_>, id: RepositoryId) -> Result<Record, Stop> {
    let record = present(txn, id)?;
    match record.state {
        State::Active => Ok(record),
        State::Sealed => Err(Refusal::RepositorySealed(id).into()),
        State::Restoring => Err(Refusal::RepositoryExists(id).into()),
    }
}

fn present(txn: &Txn<'_>, id: RepositoryId) -> Result<Record, Stop> {
    txn.check_slot(id.slot())?;
    let record = load(txn, &RepositoryKey(id))?;
    Ok(record.ok_or(Refusal::NoRepository(id))?)
}

fn existing(record: &Record, id: RepositoryId, same: bool) -> Result<Reply, Stop> {
    match record.state {
        State::Sealed => Err(Refusal::RepositorySealed(id).into()),
        State::Active if same => Ok(Reply::Done),
        State::Active | State::Restoring => Err(Refusal::RepositoryExists(id).into()),
    }
}

fn check_head(head: &RefName) -> Result<(), Refusal> {
    match head.as_str() {
        "HEAD" => Err(Refusal::NotAReference(head.clone())),
        _ => Ok(()),
    }
}

fn copy_refs_and_packs(
    txn: &mut Txn<'_>,
    id: RepositoryId,
    from: RepositoryId,
    domain: DedupDomain,
) -> Result<(), Fault> {
    for (RefKey { name, .. }, target) in list::<RefKey>(txn, &RefKey::of(from))? {
        let copy = RefKey {
            repository: id,
            name,
        };
        txn.put(&copy, &target)?;
    }
    for (PackKey { number, .. }, pack) in list::<PackKey>(txn, &PackKey::of(from))? {
        for blob in [pack.pack, pack.index] {
            let key = BlobKey {
                slot: id.slot(),
                domain,
                blob,
            };
            own(txn, key, Admitted::Present, BlobOwner::Repository(id))?;
        }
        let by_checksum = PackNumberKey {
            repository: id,
            checksum: pack.checksum,
        };
        txn.put(&by_checksum, &number)?;
        let copy = PackKey {
            repository: id,
            number,
        };
        txn.put(&copy, &pack)?;
    }
    Ok(())
}
