//! What the storage tier promises in figures, each beside what a user would
//! otherwise use, in turns in one run.
//!
//! A figure is a ratio: of one round, in which both sides work at short
//! intervals, and then the median of the rounds. Where a goal is a number of
//! milliseconds or megabytes it is measured alone.

mod blobs;
mod collection;
mod content;
mod deduplication;
mod etcd;
mod foreground;
mod idle;
mod long_ways;
mod peer;
mod rebuild;
mod regions;
mod report;
mod small_writes;
mod tier;
mod tls;
mod transfer;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub(crate) use peer::{SyncArguments, synchronise};
pub(crate) use tls::{SendArguments, send};

/// Which figures, and how long.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Which; all of them unless some are named.
    #[arg(value_enum)]
    which: Vec<Figure>,
    /// Rounds in which both sides take turns.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Where both sides keep their data: a new directory on the disk that is
    /// measured.
    #[arg(long, value_name = "DIR")]
    place: Option<PathBuf>,
    /// For collection: how many there are to begin with.
    #[arg(long, default_value_t = 1_000_000)]
    chunks: usize,
    /// For deduplication: a directory whose files, in the order of their names,
    /// are versions of one thing. May be given several times.
    #[arg(long, value_name = "DIR")]
    versions: Vec<PathBuf>,
}

/// One figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Small committed writes on three nodes beside etcd and beside three
    /// processes that only synchronise.
    SmallWrites,
    /// Blobs of one client beside a raw writer and a raw reader.
    Blobs,
    /// Regions that are far apart, beside one.
    Regions,
    /// Bulk over ways that are long and lose packets, by QUIC and by TCP.
    LongWays,
    /// Many groups that nobody writes to.
    IdleGroups,
    /// Successive versions beside restic and borg.
    Deduplication,
    /// A node whose disk was lost, beside a raw copy.
    Rebuild,
    /// A million chunks, half of them dead.
    Collection,
    /// A planned change of leader.
    Transfer,
}

/// Measures and prints what was asked for.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let which = match options.which.as_slice() {
        [] => Figure::value_variants(),
        some => some,
    };
    for figure in which {
        let place = match &options.place {
            Some(directory) => tempfile::tempdir_in(directory)?,
            None => tempfile::tempdir()?,
        };
        let report = match figure {
            Figure::SmallWrites => small_writes::measure(place.path(), options.rounds)?,
            Figure::Blobs => blobs::measure(place.path(), options.rounds)?,
            Figure::Regions => regions::measure(place.path(), options.rounds)?,
            Figure::LongWays => long_ways::measure(place.path(), options.rounds)?,
            Figure::IdleGroups => idle::measure(place.path(), options.rounds)?,
            Figure::Deduplication => deduplication::measure(place.path(), &options.versions)?,
            Figure::Rebuild => rebuild::measure(place.path(), options.rounds)?,
            Figure::Collection => collection::measure(place.path(), options.chunks)?,
            Figure::Transfer => transfer::measure(place.path(), options.rounds)?,
        };
        report.print();
    }
    Ok(())
}

/// A runtime for the clients of one figure.
fn clients() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}
