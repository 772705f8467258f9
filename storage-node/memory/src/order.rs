use std::sync::{MutexGuard, PoisonError};

use async_trait::async_trait;
use storage_node_api::map::ClusterMap;
use storage_node_api::order::{Answer, Committed, Order, ProposeError, Query, ReadError, Request};
use storage_node_api::{GroupId, ReadPoint, Slot, Token};
use storage_node_machine::encode_request;

use crate::MemoryStorage;
use crate::group::Group;

impl MemoryStorage {
    fn group(&self, slot: Slot) -> (GroupId, Option<MutexGuard<'_, Group>>) {
        let id = self.map.group_of(slot);
        let group = self.groups.get(&id);
        let locked = group.map(|group| group.lock().unwrap_or_else(PoisonError::into_inner));
        (id, locked)
    }
}

#[async_trait]
impl Order for MemoryStorage {
    async fn propose(&self, slot: Slot, request: Request) -> Result<Committed, ProposeError> {
        let entry = encode_request(&request).map_err(|too_large| ProposeError::TooLarge {
            bytes: too_large.bytes,
        })?;
        let (group, locked) = self.group(slot);
        let mut locked = locked.ok_or(ProposeError::NoLeader { group })?;
        // A replica that meets a fault stops and leads nothing.
        let reply = locked
            .apply(&entry)
            .map_err(|_| ProposeError::NoLeader { group })?;
        let index = locked.index();
        let token = Token { group, index };
        Ok(Committed { token, reply })
    }

    async fn read(&self, slot: Slot, point: ReadPoint, query: Query) -> Result<Answer, ReadError> {
        let (group, locked) = self.group(slot);
        let locked = locked.ok_or(ReadError::Unavailable { group })?;
        match point {
            ReadPoint::AtLeast(token) if token.group != group || token.index > locked.index() => {
                Err(ReadError::Unavailable { group })
            }
            ReadPoint::AtLeast(_) | ReadPoint::Linearizable | ReadPoint::Stale => locked
                .query(&query)
                .map_err(|_| ReadError::ReplicaFailed { group }),
        }
    }

    async fn map(&self) -> Result<ClusterMap, ReadError> {
        Ok(self.map.clone())
    }
}
