use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use async_trait::async_trait;
use benches_load::{Operation, bytes};

use super::content::Content;
use super::forge::Forge;
use super::options::{BlobsArguments, Target};
use super::over_http::OverHttp;
use super::runs::{Runs, kind};
use super::tier::Tier;

/// What was written lately and may be read.
const MAX_REMEMBERED: usize = 1024;

/// Where blobs are written to and read from.
#[async_trait]
pub(super) trait Place: fmt::Debug + Send + Sync {
    /// Writes one, and returns what it is read by.
    async fn write(&self, worker: usize, content: Vec<u8>) -> anyhow::Result<String>;
    /// Reads one, and returns how many bytes came.
    async fn read(&self, worker: usize, name: &str) -> anyhow::Result<u64>;
}

/// Writes, which are remembered.
#[derive(Debug)]
struct Writes {
    place: Arc<dyn Place>,
    content: Content,
    runtime: runtime::Runtime,
    written: Mutex<VecDeque<String>>,
}

/// Reads of what was written, in turn.
#[derive(Debug)]
struct Reads {
    place: Arc<dyn Place>,
    names: Vec<String>,
    next: AtomicU64,
    size: usize,
}

/// Runs all that was asked for, and leaves nothing behind.
pub(super) async fn run(arguments: &BlobsArguments) -> anyhow::Result<()> {
    let mut runs = Runs::new("blobs", &arguments.load)?;
    match &arguments.data {
        Some(data) => at_nodes(&mut runs, data, arguments).await?,
        None => by_pushes(&mut runs, &arguments.target, arguments).await?,
    }
    runs.finish()
}

async fn at_nodes(runs: &mut Runs, data: &Path, arguments: &BlobsArguments) -> anyhow::Result<()> {
    let tier = Arc::new(Tier::enter(data, &runs.runtime).await?);
    let result = all(runs, Arc::clone(&tier) as Arc<dyn Place>, arguments).await;
    let left = tier.leave().await;
    result.and(left)
}

async fn by_pushes(
    runs: &mut Runs,
    target: &Target,
    arguments: &BlobsArguments,
) -> anyhow::Result<()> {
    target.url.as_ref().context(
        "which? give --url of a frontend, or --data of a process of the cluster for the storage nodes themselves",
    )?;
    let mut forge = Forge::enter(target, &runs.runtime).await?;
    let result = match forge.repository(&runs.runtime).await {
        Ok(repository) => {
            let most = runs.plans.iter().map(|plan| plan.workers).max();
            let place = OverHttp::new(&forge.site, repository, most.unwrap_or(1));
            all(runs, Arc::new(place), arguments).await
        }
        Err(error) => Err(error),
    };
    let left = forge.leave().await;
    result.and(left)
}

async fn all(
    runs: &mut Runs,
    place: Arc<dyn Place>,
    arguments: &BlobsArguments,
) -> anyhow::Result<()> {
    for &size in &arguments.size {
        for plan in runs.plans.clone() {
            let of = format!("of {}, {} at a time", bytes(size as f64), plan.workers);
            let writes = Arc::new(Writes {
                place: Arc::clone(&place),
                content: Content::new(size, &*runs.runtime.random),
                runtime: runs.runtime.clone(),
                written: Mutex::default(),
            });
            let operation = Arc::clone(&writes) as Arc<dyn Operation>;
            runs.run(format!("writes {of}"), operation, plan.clone())
                .await?;
            let written = std::mem::take(&mut *writes.written());
            if arguments.write_only || written.is_empty() {
                continue;
            }
            let reads = Arc::new(Reads {
                place: Arc::clone(&place),
                names: written.into(),
                next: AtomicU64::new(0),
                size,
            });
            runs.run(format!("reads {of}"), reads, plan).await?;
        }
    }
    Ok(())
}

impl Writes {
    fn written(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Operation for Writes {
    async fn once(&self, worker: usize) -> Result<u64, String> {
        let content = self.content.fresh(&*self.runtime.random);
        let name = self.place.write(worker, content).await;
        let name = name.map_err(|error| kind(&error))?;
        let mut written = self.written();
        if written.len() == MAX_REMEMBERED {
            written.pop_front();
        }
        written.push_back(name);
        Ok(self.content.size() as u64)
    }
}

#[async_trait]
impl Operation for Reads {
    async fn once(&self, worker: usize) -> Result<u64, String> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let index = usize::try_from(number % self.names.len() as u64).unwrap_or(0);
        let read = self.place.read(worker, &self.names[index]).await;
        let read = read.map_err(|error| kind(&error))?;
        if read < self.size as u64 {
            return Err("fewer bytes came than were written".to_owned());
        }
        Ok(self.size as u64)
    }
}
