//! A dump of the facts, all of it from one node.

use std::sync::Arc;

use async_trait::async_trait;
use storage_node_api::dump::{AppliedMigration, Dump, DumpOrder, DumpPart, TableRows};
use storage_node_api::map::METADATA_GROUP;
use storage_node_api::metadata::QueryError;
use storage_node_api::node::Node;

use super::client::Client;

/// Pages from the node that opened the dump. If it fails, so does the dump.
struct NodeDump {
    node: Arc<dyn Node>,
    dump: u64,
    migrations: Vec<AppliedMigration>,
}

impl Client {
    pub(super) async fn open_dump(&self) -> Result<Box<dyn Dump>, QueryError> {
        let open = |node: Arc<dyn Node>, _| async move {
            let part = node.dump(DumpOrder::Open).await?;
            Ok((node, part))
        };
        let (node, part) = self.read_nearest(|_| METADATA_GROUP, open).await?;
        match part {
            DumpPart::Opened { dump, migrations } => Ok(Box::new(NodeDump {
                node,
                dump,
                migrations,
            })),
            DumpPart::Rows(_) | DumpPart::End => Err(QueryError::Unavailable),
        }
    }
}

#[async_trait]
impl Dump for NodeDump {
    fn migrations(&self) -> &[AppliedMigration] {
        &self.migrations
    }

    async fn next(&mut self) -> Result<Option<TableRows>, QueryError> {
        match self.node.dump(DumpOrder::Next(self.dump)).await {
            Ok(DumpPart::Rows(rows)) => Ok(Some(rows)),
            Ok(DumpPart::End) => Ok(None),
            Ok(DumpPart::Opened { .. }) => Err(QueryError::Unavailable),
            Err(error) => {
                tracing::debug!(%error, "a dump broke off");
                Err(QueryError::Unavailable)
            }
        }
    }
}
