use std::sync::Arc;

use anyhow::ensure;
use async_trait::async_trait;
use benches_load::Operation;
use tokio::sync::Mutex;

use super::content::Content;
use super::forge::Forge;
use super::git_client::{fetch, ls_refs, push};
use super::http::Connection;
use super::options::ClonesArguments;
use super::pack::{Id, PackWriter};
use super::runs::{Runs, kind};

/// Bytes of the repository that is made.
const MAX_BYTES: usize = 1 << 30;

/// Full clones, each over a connection of its own.
#[derive(Debug)]
struct Clones {
    repository: String,
    workers: Vec<Mutex<Connection>>,
}

/// Runs all that was asked for, and leaves nothing behind.
pub(super) async fn run(arguments: &ClonesArguments) -> anyhow::Result<()> {
    let (files, size) = (arguments.files, arguments.size);
    ensure!(
        files > 0 && files.saturating_mul(size) <= MAX_BYTES,
        "--files {files} of {size} bytes: take at least one and at most 1 GiB in all"
    );
    let mut runs = Runs::new("clones", &arguments.load)?;
    let mut forge = Forge::enter(&arguments.target, &runs.runtime).await?;
    let result = all(&mut runs, &mut forge, arguments).await;
    let left = forge.leave().await;
    result.and(runs.finish()).and(left)
}

async fn all(
    runs: &mut Runs,
    forge: &mut Forge,
    arguments: &ClonesArguments,
) -> anyhow::Result<()> {
    let repository = match &arguments.repository {
        Some(name) => format!("/{}", name.trim_matches('/')),
        None => made(runs, forge, arguments).await?,
    };
    let mut connection = forge.site.connection();
    let refs = ls_refs(&mut connection, &repository).await?;
    ensure!(
        !refs.is_empty(),
        "{repository} is empty: push something first"
    );
    for plan in runs.plans.clone() {
        let name = format!("clones of {repository}, {} at a time", plan.workers);
        let connection = |_| Mutex::new(forge.site.connection());
        let clones = Arc::new(Clones {
            repository: repository.clone(),
            workers: (0..plan.workers).map(connection).collect(),
        });
        runs.run(name, clones, plan).await?;
    }
    Ok(())
}

/// A repository with files of random bytes, in one commit.
async fn made(
    runs: &Runs,
    forge: &mut Forge,
    arguments: &ClonesArguments,
) -> anyhow::Result<String> {
    let repository = forge.repository(&runs.runtime).await?;
    let random = &*runs.runtime.random;
    let content = Content::new(arguments.size, random);
    let mut pack = PackWriter::new();
    let names: Vec<String> = (0..arguments.files)
        .map(|n| format!("file-{n:08}"))
        .collect();
    let files: Vec<(&str, Id)> = names
        .iter()
        .map(|name| (name.as_str(), pack.blob(&content.fresh(random))))
        .collect();
    let tree = pack.tree(files);
    let commit = pack.commit(tree, None, 1, "clones");
    let pack = pack.finish();
    let mut connection = forge.site.connection();
    let moved = (Id::ZERO, commit);
    push(
        &mut connection,
        &repository,
        "refs/heads/main",
        moved,
        &pack,
    )
    .await?;
    Ok(repository)
}

#[async_trait]
impl Operation for Clones {
    async fn once(&self, worker: usize) -> Result<u64, String> {
        let mut connection = self.workers[worker].lock().await;
        let cloned = async {
            let refs = ls_refs(&mut connection, &self.repository).await?;
            fetch(&mut connection, &self.repository, &refs).await
        };
        let cloned = cloned.await;
        // The next one is somebody else, who comes for the first time.
        connection.close();
        cloned.map_err(|error| kind(&error))
    }
}
