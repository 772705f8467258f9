//! A library that stands between a process and its kernel, loaded by `LD_PRELOAD`.
//!
//! It does what no kernel at hand does for us (there is no device mapper, and
//! a time namespace cannot move the wall clock):
//!
//! * *power loss*: before a write to a file below the data directory it keeps
//!   what was there in an undo file, one per inode, and empties that when the
//!   file is synced. [`Shim::lose_unsynced`] applies these files to a process
//!   that was killed, newest first. Names are durable at once: creation,
//!   rename and removal are not undone, nor are writes through a memory map.
//! * *clock skew*: `CLOCK_REALTIME` moves by an offset that changes while the
//!   process runs.
//! * *slow disk*: each sync takes longer.
//! * *a disk that lies*, to show that the checkers see it: syncs of some of the
//!   files ([`Lies`]) succeed and do nothing.
//!
//! What it does at a moment stands in a control file that the process maps.

mod undo;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};

/// The layout of `struct control` in `shim.c`: four 64-bit words.
const CONTROL_BYTES: usize = 32;
const SKEW: u64 = 0;
const SYNC_DELAY: u64 = 8;
const LIES: u64 = 16;

/// Which files a lying disk does not sync: bits as `shim.c` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i64)]
pub enum Lies {
    /// The log of all groups, in `raft/`.
    Log = 1,
    /// The chunks, in `volumes/`.
    Volumes = 2,
    /// All files.
    All = 7,
}

/// The shim of one process.
#[derive(Clone, Debug)]
pub struct Shim {
    library: PathBuf,
    control: PathBuf,
    undo: PathBuf,
    data: PathBuf,
}

impl Shim {
    /// Compiles the library into `directory`.
    pub fn compile(directory: &Path) -> anyhow::Result<PathBuf> {
        let source = directory.join("shim.c");
        let library = directory.join("shim.so");
        fs::write(&source, include_str!("shim.c"))?;
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"])
            .args([&library, &source])
            .args(["-ldl", "-lpthread"])
            .output()
            .context("run cc")?;
        ensure!(
            output.status.success(),
            "cc: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(library)
    }

    /// Prepares the shim of the process whose data directory is `data`; what it
    /// needs itself lies below `directory`.
    pub fn prepare(library: &Path, directory: &Path, data: &Path) -> anyhow::Result<Self> {
        let undo = directory.join("undo");
        fs::create_dir_all(&undo)?;
        let control = directory.join("control");
        fs::write(&control, [0; CONTROL_BYTES])?;
        Ok(Self {
            library: library.to_owned(),
            control,
            undo,
            data: data.to_owned(),
        })
    }

    /// The environment that the process needs.
    pub fn variables(&self) -> anyhow::Result<Vec<(&'static str, &str)>> {
        Ok(vec![
            ("LD_PRELOAD", utf8(&self.library)?),
            ("SHIM_CONTROL", utf8(&self.control)?),
            ("SHIM_UNDO", utf8(&self.undo)?),
            ("SHIM_DATA", utf8(&self.data)?),
        ])
    }

    /// Moves the process's wall clock forward, or back if `back`.
    pub fn skew(&self, by: Duration, back: bool) -> anyhow::Result<()> {
        let ns = i64::try_from(by.as_nanos()).context("a clock so far off")?;
        self.set(SKEW, if back { -ns } else { ns })
    }

    /// Has each sync take longer.
    pub fn slow_syncs(&self, by: Duration) -> anyhow::Result<()> {
        let us = i64::try_from(by.as_micros()).context("a disk so slow")?;
        self.set(SYNC_DELAY, us)
    }

    /// Has syncs of these files succeed and do nothing from now on: a bug, for
    /// tests of the checkers.
    pub fn lie(&self, about: Lies) -> anyhow::Result<()> {
        self.set(LIES, about as i64)
    }

    /// Takes back what the killed process wrote and never synced. Says how many
    /// writes that were.
    pub fn lose_unsynced(&self) -> anyhow::Result<usize> {
        undo::apply(&self.undo, &self.data)
    }

    /// Forgets what could be taken back, when a process starts again that was
    /// killed by its own signal and not by the power.
    pub fn keep_unsynced(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(&self.undo)? {
            fs::remove_file(entry?.path())?;
        }
        Ok(())
    }

    fn set(&self, offset: u64, value: i64) -> anyhow::Result<()> {
        let file = File::options().write(true).open(&self.control)?;
        file.write_all_at(&value.to_ne_bytes(), offset)?;
        Ok(())
    }
}

fn utf8(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))
}
