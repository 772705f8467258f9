use std::sync::Arc;

use async_trait::async_trait;
use storage_node_api::dump::Dump;
use storage_node_api::map::METADATA_GROUP;
use storage_node_api::metadata::{
    Batch, ExecuteError, Executed, Metadata, QueryError, Rows, Statement,
};
use storage_node_api::node::Node;
use storage_node_api::{GroupId, ReadPoint};

use super::client::Client;
use super::read::{ReplicaError, Replied};

#[async_trait]
impl Metadata for Client {
    async fn query(&self, point: ReadPoint, statement: Statement) -> Result<Rows, QueryError> {
        let ask = |node: Arc<dyn Node>, _| {
            let statement = statement.clone();
            async move { node.query(point, statement).await }
        };
        self.read_nearest(|_| METADATA_GROUP, ask).await
    }

    async fn execute(&self, batch: Batch) -> Result<Executed, ExecuteError> {
        let send = |node: Arc<dyn Node>, _| {
            let batch = batch.clone();
            async move { node.execute(batch).await }
        };
        self.commit(|_| METADATA_GROUP, send).await
    }

    async fn dump(&self) -> Result<Box<dyn Dump>, QueryError> {
        self.open_dump().await
    }
}

impl ReplicaError for QueryError {
    fn replied(&self) -> Replied {
        match self {
            Self::Unavailable => Replied::NotFresh,
            Self::BadStatement { .. } | Self::TooManyRows => Replied::Answer,
        }
    }

    fn unavailable(_: GroupId) -> Self {
        Self::Unavailable
    }
}
