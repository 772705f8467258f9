//! Replies by request id, so that a retry gets the first one. Refusals as well:
//! a caller that was told "nothing happened" must not find later that an earlier
//! attempt, late in the log, did happen.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};
use storage_node_api::limits::REMEMBERED_REQUESTS;

use crate::Fault;

/// The reply to the request of this id, if it is among the last
/// [`REMEMBERED_REQUESTS`].
pub(super) fn recall(connection: &Connection, id: &[u8; 16]) -> Result<Option<Bytes>, Fault> {
    let recall = || {
        connection
            .prepare_cached("SELECT reply FROM _devflow_requests WHERE id = ?1")?
            .query_row([id.as_slice()], |row| row.get::<_, Vec<u8>>(0))
            .optional()
    };
    Ok(recall()
        .map_err(Fault::sqlite("recall a request from"))?
        .map(Bytes::from))
}

/// Keeps a reply and drops the oldest one over the limit.
pub(super) fn remember(connection: &Connection, id: &[u8; 16], reply: &[u8]) -> Result<(), Fault> {
    let remember = || {
        let sequence: i64 = connection
            .prepare_cached("SELECT coalesce(max(sequence), 0) + 1 FROM _devflow_requests")?
            .query_row([], |row| row.get(0))?;
        connection
            .prepare_cached("INSERT INTO _devflow_requests VALUES (?1, ?2, ?3)")?
            .execute((sequence, id.as_slice(), reply))?;
        let forget = sequence - i64::try_from(REMEMBERED_REQUESTS).unwrap_or(i64::MAX);
        connection
            .prepare_cached("DELETE FROM _devflow_requests WHERE sequence <= ?1")?
            .execute([forget])
    };
    remember()
        .map(|_| ())
        .map_err(Fault::sqlite("remember a request in"))
}
