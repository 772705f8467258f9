//! The hold of a backup: while it lasts, no blob loses an owner.

use storage_node_api::backup::Hold;
use storage_node_api::limits::MAX_HOLD;
use storage_node_api::map::CLUSTER_GROUP;
use storage_node_api::order::{Refusal, Reply};
use storage_node_api::{OwnerId, Timestamp};

use super::Stop;
use crate::fault::Fault;
use crate::keys::HoldKey;
use crate::reader::{Reader, load};
use crate::txn::Txn;

/// Begins a hold, or makes the holder's own last longer. Refused while another
/// has one. A hold that has ended is not taken up again: the next has a number
/// of its own, by which the holder finds out.
pub(super) fn hold(txn: &mut Txn<'_>, holder: OwnerId, until: Timestamp) -> Result<Reply, Stop> {
    if txn.group == CLUSTER_GROUP || txn.map.is_none() {
        return Err(Refusal::WrongGroup.into());
    }
    let longest = u64::try_from(MAX_HOLD.as_millis()).unwrap_or(u64::MAX);
    let until = until.min(Timestamp(txn.head.time.millis().saturating_add(longest)));
    let last = load(txn, &HoldKey)?;
    let fence = match last.filter(|hold| hold.until > txn.head.time) {
        Some(hold) if hold.holder == holder => hold.fence,
        Some(hold) => return Err(Refusal::Held { until: hold.until }.into()),
        None => last.map_or(0, |hold| hold.fence) + 1,
    };
    let hold = Hold {
        holder,
        fence,
        until,
    };
    txn.put(&HoldKey, &hold)?;
    Ok(Reply::Done)
}

/// Ends a holder's hold, if it has one.
pub(super) fn release(txn: &mut Txn<'_>, holder: OwnerId) -> Result<Reply, Stop> {
    if let Some(mut hold) = load(txn, &HoldKey)?
        && hold.holder == holder
    {
        hold.until = hold.until.min(txn.head.time);
        txn.put(&HoldKey, &hold)?;
    }
    Ok(Reply::Done)
}

/// Refuses what would take an owner from a blob while the group is held.
pub(super) fn refuse_while_held(txn: &Txn<'_>) -> Result<(), Stop> {
    match in_force(txn, txn.head.time)? {
        Some(hold) => Err(Refusal::Held { until: hold.until }.into()),
        None => Ok(()),
    }
}

/// The hold that is in force at a time.
pub(crate) fn in_force(state: &dyn Reader, now: Timestamp) -> Result<Option<Hold>, Fault> {
    Ok(load(state, &HoldKey)?.filter(|hold| hold.until > now))
}
