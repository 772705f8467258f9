use std::sync::Arc;

use async_trait::async_trait;
use storage_node_api::map::{CLUSTER_GROUP, ClusterMap};
use storage_node_api::node::Node;
use storage_node_api::order::{
    Answer, Committed, Order, ProposeError, Query, ReadError, Refusal, Reply, Request,
};
use storage_node_api::{GroupId, ReadPoint, Slot};

use super::client::Client;
use super::read::{ReplicaError, Replied};

#[async_trait]
impl Order for Client {
    async fn propose(&self, slot: Slot, request: Request) -> Result<Committed, ProposeError> {
        let (deadline, mut backoff) = (self.deadline(), self.backoff());
        loop {
            let send = |node: Arc<dyn Node>, group: GroupId| {
                let request = request.clone();
                async move { node.propose(group, request).await }
            };
            let committed = self.commit(|map| map.group_of(slot), send).await?;
            let Reply::Refused(refusal) = &committed.reply else {
                return Ok(committed);
            };
            match refusal {
                Refusal::SessionExpired | Refusal::NotDurable { .. } => self.maps.outdated(),
                // Another group has the slot, or will have it soon. Nothing was remembered.
                Refusal::WrongGroup | Refusal::Moving if slot.0 < Slot::COUNT => {
                    self.maps.outdated();
                    if backoff.pause(&deadline).await {
                        continue;
                    }
                }
                _ => {}
            }
            return Ok(committed);
        }
    }

    async fn read(&self, slot: Slot, point: ReadPoint, query: Query) -> Result<Answer, ReadError> {
        let ask = |node: Arc<dyn Node>, group: GroupId| {
            let query = query.clone();
            async move { node.read(group, point, query).await }
        };
        let (deadline, mut backoff) = (self.deadline(), self.backoff());
        loop {
            let answer = self.read_nearest(|map| map.group_of(slot), &ask).await?;
            if answer != Answer::Elsewhere {
                return Ok(answer);
            }
            // Another group has the slot, or will have it soon.
            self.maps.outdated();
            if !backoff.pause(&deadline).await {
                let map = self.maps.current(&deadline).await;
                let group = map.map_or(CLUSTER_GROUP, |map| map.group_of(slot));
                return Err(ReadError::Unavailable { group });
            }
        }
    }

    async fn map(&self) -> Result<ClusterMap, ReadError> {
        let map = self.maps.wait(&self.deadline(), &mut self.backoff()).await;
        let map = map.ok_or(ReadError::Unavailable {
            group: CLUSTER_GROUP,
        })?;
        Ok((*map).clone())
    }
}

impl ReplicaError for ReadError {
    fn replied(&self) -> Replied {
        match self {
            Self::Unavailable { .. } => Replied::NotFresh,
            Self::ReplicaFailed { .. } | Self::UnexpectedAnswer { .. } => Replied::Broken,
        }
    }

    fn unavailable(group: GroupId) -> Self {
        Self::Unavailable { group }
    }
}
