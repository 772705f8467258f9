use async_trait::async_trait;
use storage_node_api::ReadPoint;
use storage_node_api::dump::Dump;
use storage_node_api::metadata::{
    Batch, ExecuteError, Executed, Metadata, MigrateError, Migration, QueryError, Rows, Statement,
};

use crate::MemoryStorage;

#[async_trait]
impl Metadata for MemoryStorage {
    async fn query(&self, point: ReadPoint, statement: Statement) -> Result<Rows, QueryError> {
        self.metadata.query(point, statement).await
    }

    async fn execute(&self, batch: Batch) -> Result<Executed, ExecuteError> {
        self.metadata.execute(batch).await
    }

    async fn dump(&self) -> Result<Box<dyn Dump>, QueryError> {
        self.metadata.dump().await
    }

    async fn migrate(&self, migrations: &[Migration]) -> Result<(), MigrateError> {
        self.metadata.migrate(migrations).await
    }
}
