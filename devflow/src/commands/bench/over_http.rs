use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::blobs::Place;
use super::git_client::{fetch, push};
use super::http::{Connection, Site};
use super::pack::{Id, PackWriter};

/// Blobs as files, each in a commit on a branch of its own. A frontend reads
/// those that it wrote from its own cache, as it does for its users.
#[derive(Debug)]
pub(super) struct OverHttp {
    repository: String,
    workers: Vec<Mutex<Connection>>,
    next: AtomicU64,
}

impl OverHttp {
    pub(super) fn new(site: &Site, repository: String, workers: usize) -> Self {
        Self {
            repository,
            workers: (0..workers)
                .map(|_| Mutex::new(site.connection()))
                .collect(),
            next: AtomicU64::new(0),
        }
    }
}

#[async_trait]
impl Place for OverHttp {
    async fn write(&self, worker: usize, content: Vec<u8>) -> anyhow::Result<String> {
        let mut connection = self.workers[worker].lock().await;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut pack = PackWriter::new();
        let blob = pack.blob(&content);
        let tree = pack.tree([("blob", blob)]);
        let commit = pack.commit(tree, None, number, "blobs");
        let name = format!("refs/heads/blob-{number}");
        let moved = (Id::ZERO, commit);
        push(
            &mut connection,
            &self.repository,
            &name,
            moved,
            &pack.finish(),
        )
        .await?;
        Ok(commit.to_string())
    }

    async fn read(&self, worker: usize, name: &str) -> anyhow::Result<u64> {
        let mut connection = self.workers[worker].lock().await;
        fetch(&mut connection, &self.repository, &[name.to_owned()]).await
    }
}
