//! What each entry does.
//!
//! A command is judged in full before the first write, so that a refusal
//! changes nothing.

mod blob;
mod certificate;
mod cluster;
mod cycle;
mod feed;
mod hold;
mod judge;
mod push;
mod removed;
mod replace;
mod repository;
mod requests;
mod restore;
mod slots;
mod stage;

use storage_node_api::map::CLUSTER_GROUP;
use storage_node_api::order::{Command, Refusal, Reply, Request};
use storage_node_api::{GroupId, RequestId, Slot};

pub(crate) use hold::in_force;

use crate::entry::decode_request;
use crate::fault::Fault;
use crate::keys::HeadKey;
use crate::reader::Reader;
use crate::txn::{Txn, Write};

pub(crate) use removed::closed;

/// What one entry does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    /// What it writes, as one batch.
    pub writes: Vec<Write>,
    /// What it answers.
    pub reply: Reply,
}

/// Applies the entry at `index` of the group's log to a view of its state.
pub fn apply(
    group: GroupId,
    state: &dyn Reader,
    index: u64,
    entry: &[u8],
) -> Result<Effects, Fault> {
    let mut txn = Txn::begin(group, state)?;
    let reply = txn.apply(index, entry)?;
    let writes = txn.finish()?;
    Ok(Effects { writes, reply })
}

/// Why a command did not take effect.
enum Stop {
    Refused(Refusal),
    Fault(Fault),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Txn<'_> {
    /// Applies the entry at `index` of the group's log and answers its reply.
    pub fn apply(&mut self, index: u64, entry: &[u8]) -> Result<Reply, Fault> {
        if index <= self.applied {
            return Err(Fault::OutOfOrder {
                applied: self.applied,
                index,
            });
        }
        let Request { id, time, command } = decode_request(entry)?;
        self.head.time = self.head.time.max(time);
        let remembers = requests::remembers(&command);
        let earlier = match remembers {
            true => requests::recall(self, id)?,
            false => None,
        };
        let reply = match earlier {
            Some(reply) => reply,
            None => {
                let reply = match run(self, id, command) {
                    Ok(reply) => reply,
                    Err(Stop::Refused(refusal)) => Reply::Refused(refusal),
                    Err(Stop::Fault(fault)) => return Err(fault),
                };
                if remembers && !requests::is_elsewhere(self, &reply) {
                    requests::remember(self, id, &reply)?;
                }
                reply
            }
        };
        self.applied = index;
        let head = self.head.clone();
        self.put(&HeadKey, &head)?;
        Ok(reply)
    }

    /// Refuses what is not of a slot that this group owns.
    fn check_slot(&self, slot: Slot) -> Result<(), Refusal> {
        if self
            .map
            .as_ref()
            .is_some_and(|map| map.moving(slot).is_some())
        {
            return Err(Refusal::Moving);
        }
        match &self.map {
            Some(map)
                if self.group != CLUSTER_GROUP
                    && slot.0 < Slot::COUNT
                    && map.group_of(slot) == self.group =>
            {
                Ok(())
            }
            _ => Err(Refusal::WrongGroup),
        }
    }
}

fn run(txn: &mut Txn<'_>, id: RequestId, command: Command) -> Result<Reply, Stop> {
    match command {
        Command::Found(map) => cluster::found(txn, map),
        Command::Join(join) => cluster::join(txn, join),
        Command::Started {
            node,
            incarnation,
            control,
            bulk,
        } => cluster::started(txn, node, incarnation, (control, bulk)),
        Command::AdoptMap(map) => cluster::adopt(txn, map),
        Command::Barrier(generation) => cycle::barrier(txn, generation),
        Command::CreateRepository {
            id: repository,
            hash,
            head,
            domain,
        } => repository::create(txn, id, repository, (hash, head, domain)),
        Command::ForkRepository {
            id: repository,
            from,
        } => repository::fork(txn, id, repository, from),
        Command::SealRepository(repository) => repository::seal(txn, id, repository),
        Command::DeleteRepository(repository) => repository::delete(txn, id, repository),
        Command::SetHead { repository, head } => repository::set_head(txn, id, repository, head),
        Command::Push(push) => push::push(txn, id, push, 0),
        Command::CheckedPush { push, checked } => push::push(txn, id, push, checked),
        Command::ReplacePacks(replacement) => replace::replace(txn, replacement),
        Command::Stage {
            upload,
            part,
            content,
        } => stage::stage(txn, upload, part, &content),
        Command::Unstage(upload) => stage::unstage(txn, upload),
        Command::PutBlob {
            slot,
            blob,
            owner,
            domain,
        } => blob::put_blob(txn, slot, domain, &blob, owner),
        Command::RemoveOwner { slot, blob, owner } => blob::remove_owner(txn, slot, blob, owner),
        Command::TruncateEvents { slot, keep_from } => feed::truncate(txn, slot, keep_from),
        Command::SetPolicies { seen, policies } => cluster::set_policies(txn, seen, policies),
        Command::RaiseMachineVersion(version) => cluster::raise_version(txn, version),
        Command::Advance { seen } => cycle::advance(txn, seen),
        Command::BarrierPassed { group, generation } => cycle::passed(txn, group, generation),
        Command::ChangeMembers { seen, change } => cluster::change_members(txn, seen, &change),
        Command::Hold { holder, until } => hold::hold(txn, holder, until),
        Command::Release(holder) => hold::release(txn, holder),
        Command::Restore(part) => restore::restore(txn, part),
        Command::ChangeSlots { seen, change } => slots::change(txn, seen, &change),
        Command::Import(import) => slots::import(txn, *import),
        Command::ForgetSlots => slots::forget(txn),
    }
}
