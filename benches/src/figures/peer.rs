//! Processes that do nothing but synchronise: what a disk gives three writers.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

/// What such a process is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct SyncArguments {
    /// The file that it appends to.
    file: PathBuf,
    /// How many bytes at a time.
    bytes: usize,
}

/// For each byte of standard input: appends, synchronises, and answers how many
/// nanoseconds that took, in 8 bytes.
pub(crate) fn synchronise(arguments: &SyncArguments) -> anyhow::Result<()> {
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(&arguments.file)?;
    let bytes = vec![0x5a; arguments.bytes];
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut order = [0];
    while input.read(&mut order)? == 1 {
        let began = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        let took = u64::try_from(began.elapsed().as_nanos())?;
        output.write_all(&took.to_le_bytes())?;
        output.flush()?;
    }
    Ok(())
}

/// One of them, ended when dropped.
#[derive(Debug)]
struct Peer {
    child: Child,
    orders: Option<ChildStdin>,
    answers: ChildStdout,
}

/// Some of them that synchronise at the same time.
#[derive(Debug)]
pub(crate) struct Peers(Vec<Peer>);

impl Peers {
    /// Starts `count` of them, each with a file of its own.
    pub(crate) fn start(place: &Path, count: usize, bytes: usize) -> anyhow::Result<Self> {
        let start = |number: usize| -> anyhow::Result<Peer> {
            let mut child = Command::new(std::env::current_exe()?)
                .arg("synchronise")
                .arg(place.join(format!("peer{number}")))
                .arg(bytes.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()?;
            Ok(Peer {
                orders: child.stdin.take(),
                answers: child.stdout.take().context("standard output is piped")?,
                child,
            })
        };
        Ok(Self((0..count).map(start).collect::<Result<_, _>>()?))
    }

    /// All at once, once: what each took, as it saw it itself.
    pub(crate) fn once(&mut self) -> anyhow::Result<Vec<Duration>> {
        for peer in &mut self.0 {
            let orders = peer.orders.as_mut().context("standard input is piped")?;
            orders.write_all(&[1])?;
            orders.flush()?;
        }
        let mut times = Vec::new();
        for peer in &mut self.0 {
            let mut nanos = [0; 8];
            peer.answers.read_exact(&mut nanos)?;
            times.push(Duration::from_nanos(u64::from_le_bytes(nanos)));
        }
        Ok(times)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its orders ends it.
        self.orders = None;
        if let Err(error) = self.child.wait() {
            eprintln!("wait for a process: {error}");
        }
    }
}
