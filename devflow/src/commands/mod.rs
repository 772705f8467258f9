//! One file per subcommand.

pub(crate) mod admin;
mod alone;
pub(crate) mod bench;
pub(crate) mod cluster;
mod collect;
pub(crate) mod frontend;
pub(crate) mod git;
mod health;
mod holds;
mod identity;
mod node;
mod policy;
mod probes;
mod progress;
mod rebuild;
mod scrub;
pub(crate) mod serve;
mod slots;
mod sockets;
mod status;
pub(crate) mod storage_node;
mod verify;

use std::future::Future;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a command's future on a multi-threaded runtime until it ends.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the asynchronous runtime")?;
    let result = runtime.block_on(work);
    // Blocking work that nobody waits for any more does not hold up the end.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}

/// Ends with the first SIGTERM or SIGINT.
async fn asked_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("shutting down");
    Ok(())
}
