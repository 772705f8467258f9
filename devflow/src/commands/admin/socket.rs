//! How a process that serves on its own is asked for a backup: a socket in its
//! data directory, which only the directory's owner can open.
//!
//! One line of JSON asks; lines of JSON answer, the last with how it ended.

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use backup::{Location, Progress, Rate};
use runtime::Runtime;
use serde::{Deserialize, Serialize};
use storage_node_api::Storage;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use super::backup::describe;

const NAME: &str = "admin.sock";

/// The most bytes of an order.
const MAX_ORDER_BYTES: u64 = 64 << 10;

/// Lines that wait to be sent; more are dropped.
const LINES: usize = 64;

/// A backup that is asked for.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) destination: String,
    pub(super) options: Vec<(String, String)>,
    pub(super) rate: Option<u64>,
}

/// One line of the answer.
#[derive(Serialize, Deserialize)]
enum Line {
    Say(String),
    Done(String),
    Failed(String),
}

/// Makes the socket. The caller has the directory's lock, so that what is left
/// of an earlier process can go.
pub(crate) fn listen(data: &Path) -> anyhow::Result<UnixListener> {
    let path = data.join(NAME);
    if path.exists() {
        fs::remove_file(&path)?;
    }
    let listener =
        UnixListener::bind(&path).with_context(|| format!("listen on {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers one order after the other, for ever.
pub(crate) async fn answer(
    listener: UnixListener,
    storage: Arc<dyn Storage>,
    runtime: Runtime,
) -> Infallible {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            runtime.clock.sleep(std::time::Duration::from_secs(1)).await;
            continue;
        };
        if let Err(error) = serve(stream, Arc::clone(&storage), runtime.clone()).await {
            tracing::info!(error = %error, "an order was not answered to its end");
        }
    }
}

async fn serve(
    stream: UnixStream,
    storage: Arc<dyn Storage>,
    runtime: Runtime,
) -> anyhow::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut text = String::new();
    let mut read = BufReader::new(read.take(MAX_ORDER_BYTES));
    read.read_line(&mut text).await?;
    let order: Order = serde_json::from_str(&text)?;
    let (lines, mut said) = mpsc::channel(LINES);
    let said_to = Said(lines);
    let take = async {
        let outcome = take(order, storage, runtime, &said_to).await;
        drop(said_to);
        outcome
    };
    tokio::pin!(take);
    let mut rest = [0; 1];
    let outcome = loop {
        tokio::select! {
            outcome = &mut take => break outcome,
            Some(line) = said.recv() => send(&mut write, &Line::Say(line)).await?,
            // Whoever asked is gone: so is the wish.
            read = read.read(&mut rest) => if read? == 0 { bail!("whoever asked is gone") },
        }
    };
    let last = match outcome {
        Ok(text) => Line::Done(text),
        Err(error) => Line::Failed(format!("{error:#}")),
    };
    send(&mut write, &last).await
}

async fn take(
    order: Order,
    storage: Arc<dyn Storage>,
    runtime: Runtime,
    progress: &Said,
) -> anyhow::Result<String> {
    let location: Location = order.destination.parse()?;
    let destination = backup::Destination::open(&location, &order.options, true)?;
    let rate = Arc::new(Rate::new(order.rate, runtime.clone()));
    let taken = backup::take(storage, runtime, destination, rate, progress).await?;
    Ok(describe(&taken))
}

async fn send(to: &mut (impl AsyncWriteExt + Unpin), line: &Line) -> anyhow::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    to.write_all(text.as_bytes()).await?;
    Ok(())
}

struct Said(mpsc::Sender<String>);

impl Progress for Said {
    fn say(&self, line: &str) {
        // Of a reader that is slow, lines are lost, not the work.
        drop(self.0.try_send(line.to_owned()));
    }
}

/// The process that serves this data directory, if there is one.
pub(super) async fn connect(data: &Path) -> anyhow::Result<Option<UnixStream>> {
    match UnixStream::connect(data.join(NAME)).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error).context("ask the process that serves"),
    }
}

/// Asks for a backup and shows what is answered.
pub(super) async fn ask(stream: UnixStream, order: &Order) -> anyhow::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut text = serde_json::to_string(order)?;
    text.push('\n');
    write.write_all(text.as_bytes()).await?;
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line)? {
            Line::Say(text) => println!("{text}"),
            Line::Done(text) => {
                println!("{text}");
                return Ok(());
            }
            Line::Failed(text) => bail!(text),
        }
    }
    bail!("the process that serves ended before the backup was there; run it again")
}
