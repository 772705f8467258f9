//! A push: packs, references and event, all at once.

use git_id::HashKind;
use storage_node_api::event::Kind;
use storage_node_api::limits::{EVENT_CHANGES, MAX_PACKS, MAX_PUSH_COMMANDS};
use storage_node_api::order::{Refusal, Reply, Staged};
use storage_node_api::refs::{RefCommand, RefOutcome};
use storage_node_api::repository::{Actor, Commands, NewPack, Pack, Push, Pushed};
use storage_node_api::{BlobOwner, RepositoryId, RequestId};

use super::blob::{Admitted, admit, drop_staged, own};
use super::judge::{Judge, Verdict, write};
use super::repository::writable;
use super::stage::{drop_upload, take_parts};
use super::{Stop, feed};
use crate::fault::Fault;
use crate::keys::{BlobKey, PackKey, PackNumberKey, Record, ReplacedKey, RepositoryKey};
use crate::reader::load;
use crate::txn::Txn;

/// A pack that may join the list.
pub(super) struct AdmittedPack {
    pack: Admitted,
    index: Admitted,
}

/// Applies a push. A pack that brings nothing new to the list is ignored; if no
/// command passes, so is a new one: objects of a rejected push are not visible.
///
/// `checked` is the version that the push was found connected at, 0 if it names none.
pub(super) fn push(
    txn: &mut Txn<'_>,
    request: RequestId,
    push: Push,
    checked: u64,
) -> Result<Reply, Stop> {
    let Push {
        repository: id,
        pack,
        commands,
        atomic,
        actor,
        options,
    } = push;
    let mut record = writable(txn, id)?;
    refuse_if_dropped(txn, id, checked)?;
    let staged = match commands {
        Commands::Inline(_) => None,
        Commands::Staged { upload, .. } => Some(upload),
    };
    let commands = resolve(txn, commands)?;
    check_commands(&commands, record.hash)?;
    let admitted = match &pack {
        Some(pack) => admit_pack(txn, id, &record, pack)?,
        None => None,
    };
    let Verdict { outcomes, changes } = Judge::new(txn, id).judge(commands, atomic)?;
    let mut changed = !changes.is_empty();
    if outcomes.contains(&RefOutcome::Updated)
        && let (Some(pack), Some(admitted)) = (&pack, admitted)
    {
        add_pack(txn, id, &mut record, pack, admitted)?;
        changed = true;
    }
    write(txn, id, &changes)?;
    if changed {
        record.version += 1;
        record.changed = txn.head.time;
        append_events(txn, (request, id), &mut record, changes, (actor, options))?;
        txn.put(&RepositoryKey(id), &record)?;
    }
    if let Some(upload) = staged {
        drop_upload(txn, upload)?;
    }
    if let Some(pack) = &pack {
        drop_staged(txn, &pack.pack)?;
        drop_staged(txn, &pack.index)?;
    }
    Ok(Reply::Pushed(Pushed {
        version: record.version,
        outcomes,
    }))
}

/// Refuses what leans on objects that may be gone by now.
fn refuse_if_dropped(txn: &Txn<'_>, id: RepositoryId, checked: u64) -> Result<(), Stop> {
    let dropped = load(txn, &ReplacedKey(id))?.unwrap_or_default().dropped;
    match checked < dropped {
        true => Err(Refusal::DroppedSince { checked, dropped }.into()),
        false => Ok(()),
    }
}

fn resolve(txn: &Txn<'_>, commands: Commands) -> Result<Vec<RefCommand>, Stop> {
    match commands {
        Commands::Inline(commands) => Ok(commands),
        Commands::Staged { upload, parts } => {
            let mut all = Vec::new();
            take_parts(txn, upload, 0, parts, |part| match part {
                Staged::Commands(commands) if all.len() + commands.len() > MAX_PUSH_COMMANDS => {
                    Err(Refusal::TooManyCommands)
                }
                Staged::Commands(commands) => {
                    all.extend(commands);
                    Ok(true)
                }
                Staged::Chunks { .. } => Ok(false),
            })?;
            Ok(all)
        }
    }
}

fn check_commands(commands: &[RefCommand], hash: HashKind) -> Result<(), Refusal> {
    for command in commands {
        if !command.name.as_str().starts_with("refs/") {
            return Err(Refusal::NotAReference(command.name.clone()));
        }
        let target = command.new.iter();
        let mut ids = target
            .flat_map(|target| std::iter::once(target.id).chain(target.peeled))
            .chain(command.old);
        if ids.any(|id| id.kind() != hash) {
            return Err(Refusal::OtherHash);
        }
    }
    Ok(())
}

/// Checks a pack that is not in the list yet; `None` if it is.
pub(super) fn admit_pack(
    txn: &Txn<'_>,
    id: RepositoryId,
    record: &Record,
    pack: &NewPack,
) -> Result<Option<AdmittedPack>, Stop> {
    if pack.checksum.kind() != record.hash {
        return Err(Refusal::OtherHash.into());
    }
    let by_checksum = PackNumberKey {
        repository: id,
        checksum: pack.checksum,
    };
    if load(txn, &by_checksum)?.is_some() {
        return Ok(None);
    }
    if record.packs >= MAX_PACKS {
        return Err(Refusal::TooManyPacks(record.packs).into());
    }
    let [pack, index] = [&pack.pack, &pack.index].map(|blob| {
        let key = BlobKey {
            slot: id.slot(),
            domain: record.domain,
            blob: blob.id,
        };
        admit(txn, key, blob)
    });
    Ok(Some(AdmittedPack {
        pack: pack?,
        index: index?,
    }))
}

/// Puts a pack at the end of the list.
pub(super) fn add_pack(
    txn: &mut Txn<'_>,
    id: RepositoryId,
    record: &mut Record,
    new: &NewPack,
    admitted: AdmittedPack,
) -> Result<(), Fault> {
    let owner = BlobOwner::Repository(id);
    for (blob, admitted) in [(new.pack.id, admitted.pack), (new.index.id, admitted.index)] {
        let key = BlobKey {
            slot: id.slot(),
            domain: record.domain,
            blob,
        };
        own(txn, key, admitted, owner)?;
    }
    let number = record.next_pack;
    record.next_pack += 1;
    record.packs += 1;
    let bytes = new.pack.length.saturating_add(new.index.length);
    record.bytes = record.bytes.saturating_add(bytes);
    let pack = Pack {
        checksum: new.checksum,
        pack: new.pack.id,
        index: new.index.id,
        objects: new.objects,
        bytes: new.pack.length,
    };
    let by_checksum = PackNumberKey {
        repository: id,
        checksum: new.checksum,
    };
    txn.put(&by_checksum, &number)?;
    txn.put(
        &PackKey {
            repository: id,
            number,
        },
        &pack,
    )
}

fn append_events(
    txn: &mut Txn<'_>,
    (request, id): (RequestId, RepositoryId),
    record: &mut Record,
    changes: Vec<RefCommand>,
    (actor, mut options): (Actor, Vec<String>),
) -> Result<(), Fault> {
    for changes in changes.chunks(EVENT_CHANGES) {
        let kind = Kind::Pushed {
            actor,
            changes: changes.to_vec(),
            options: std::mem::take(&mut options),
        };
        feed::append(txn, request, id, record, kind)?;
    }
    Ok(())
}
