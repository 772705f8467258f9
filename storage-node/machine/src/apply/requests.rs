//! The memory of answered requests, so that a retry answers the first result.

use storage_node_api::RequestId;
use storage_node_api::limits::REMEMBERED_REQUESTS;
use storage_node_api::map::{ClusterMap, SLOTS_VERSION};
use storage_node_api::order::{Command, Refusal, Reply};

use crate::fault::Fault;
use crate::keys::{Remembered, RequestKey, RequestOrderKey};
use crate::reader::load;
use crate::txn::Txn;

/// Whether the answer is remembered. What changes nothing when it is applied
/// again is not, so that the thousands of parts of one upload do not displace
/// the answers of pushes.
pub(super) fn remembers(command: &Command) -> bool {
    match command {
        Command::Stage { .. }
        | Command::Unstage(_)
        | Command::AdoptMap(_)
        | Command::TruncateEvents { .. }
        | Command::Barrier(_)
        | Command::RaiseMachineVersion(_)
        | Command::BarrierPassed { .. }
        | Command::Hold { .. }
        | Command::Release(_)
        | Command::Restore(_)
        | Command::ChangeSlots { .. }
        | Command::Import(_)
        | Command::ForgetSlots => false,
        Command::Join(_)
        | Command::Started { .. }
        | Command::Found(_)
        | Command::CreateRepository { .. }
        | Command::ForkRepository { .. }
        | Command::SealRepository(_)
        | Command::DeleteRepository(_)
        | Command::SetHead { .. }
        | Command::Push(_)
        | Command::CheckedPush { .. }
        | Command::ReplacePacks(_)
        | Command::PutBlob { .. }
        | Command::RemoveOwner { .. }
        | Command::SetPolicies { .. }
        | Command::Advance { .. }
        | Command::ChangeMembers { .. } => true,
    }
}

/// Whether the group only says that another has the slot: that one may yet do what was asked, under
/// the same id, and what is remembered here may go there later.
pub(super) fn is_elsewhere(txn: &Txn<'_>, reply: &Reply) -> bool {
    let moves = |map: &ClusterMap| map.machine_version >= SLOTS_VERSION;
    let refused = matches!(reply, Reply::Refused(Refusal::WrongGroup | Refusal::Moving));
    refused && txn.map.as_deref().is_some_and(moves)
}

/// The answer of an earlier request with this id, if it is remembered.
pub(super) fn recall(txn: &Txn<'_>, id: RequestId) -> Result<Option<Reply>, Fault> {
    Ok(load(txn, &RequestKey(id))?.map(|remembered| remembered.reply))
}

/// Remembers an answer, and forgets the oldest if there are too many.
pub(super) fn remember(txn: &mut Txn<'_>, id: RequestId, reply: &Reply) -> Result<(), Fault> {
    let order = txn.head.next_request;
    txn.head.next_request += 1;
    let remembered = Remembered {
        order,
        reply: reply.clone(),
    };
    txn.put(&RequestKey(id), &remembered)?;
    txn.put_new(&RequestOrderKey(order), &id)?;
    while txn.head.next_request - txn.head.first_request > REMEMBERED_REQUESTS {
        let oldest = RequestOrderKey(txn.head.first_request);
        if let Some(forgotten) = load(txn, &oldest)? {
            txn.remove(&RequestKey(forgotten))?;
            txn.remove(&oldest)?;
        }
        txn.head.first_request += 1;
    }
    Ok(())
}
