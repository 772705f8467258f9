//! Blobs of one client, in three copies.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use jepsen::harness::Cluster;

use super::clients;
use super::content::{random, stamp};
use super::report::{Goal, Report};
use super::tier::Tier;
use super::tls::Sender;

/// Sizes, and how often each is written in a round.
const SIZES: [(&str, usize, usize); 4] = [
    ("1 MiB", 1 << 20, 40),
    ("16 MiB", 16 << 20, 6),
    ("256 MiB", 256 << 20, 1),
    ("1 GiB", 1 << 30, 1),
];
/// Rounds of the largest sizes, which fill the disk.
const LARGE_ROUNDS: usize = 3;
/// Files that the same bytes are written to.
const COPIES: usize = 3;
/// What a raw writer writes at a time.
const PIECE: usize = 1 << 20;

/// Both sides in turns, a cluster for each size.
pub(super) fn measure(place: &Path, rounds: usize) -> anyhow::Result<Report> {
    let mut report = Report::new("Blobs in three copies, one client", "devflow", "raw");
    for (name, size, count) in SIZES {
        let rounds = if count == 1 {
            rounds.min(LARGE_ROUNDS)
        } else {
            rounds
        };
        let own = tempfile::tempdir_in(place)?;
        one_size(own.path(), (name, size, count), rounds, &mut report)?;
    }
    report.note(
        "Every content is new and random. Raw writes: three threads write the same bytes to a file each by 1 MiB and \
         fsync it, at the same time. Raw reads: a process of its own sends a file out of the page cache by 256 KiB over \
         one new TLS 1.3 connection (rustls, as ours), the client throws it away; ours reads the manifest, the chunks, and checks \
         each against its BLAKE3."
            .to_owned(),
    );
    Ok(report)
}

fn one_size(
    place: &Path,
    (name, size, count): (&str, usize, usize),
    rounds: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let clients = clients()?;
    let cluster = Cluster::start(place, 3, 0)?;
    let tier = clients.block_on(async { Tier::enter(&cluster.data(0)) })?;
    let mut content = random(size, &tier.runtime);
    let file = place.join("raw");
    std::fs::write(&file, &content)?;
    let sender = Sender::start(&file)?;
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (mut ours, mut theirs) = ([0.0; 2], [0.0; 2]);
        for _ in 0..count {
            stamp(&mut content, &tier.runtime);
            theirs[0] += raw_writes(place, &content)?;
            let bytes = Bytes::copy_from_slice(&content);
            let expected = bytes.len() as u64;
            clients.block_on(async {
                let began = Instant::now();
                let written = tier.write(bytes).await?;
                ours[0] += began.elapsed().as_secs_f64();
                // Once more than is measured, so that a replica that still
                // fetched what it lacked is not what is measured.
                tier.read(&written, expected).await?;
                let began = Instant::now();
                sender.read(expected).await?;
                theirs[1] += began.elapsed().as_secs_f64();
                let began = Instant::now();
                tier.read(&written, expected).await?;
                ours[1] += began.elapsed().as_secs_f64();
                anyhow::Ok(())
            })?;
        }
        let speed = |seconds: f64| (size * count) as f64 / seconds / 1e6;
        if round > 0 {
            writes.push((speed(ours[0]), speed(theirs[0])));
            reads.push((speed(ours[1]), speed(theirs[1])));
        }
    }
    report.pairs(&format!("write {name}"), "MB/s", &writes, Goal::Least(0.6));
    report.pairs(&format!("read {name}"), "MB/s", &reads, Goal::Least(0.8));
    Ok(())
}

/// How long it takes to write and fsync all copies, in seconds.
fn raw_writes(place: &Path, content: &[u8]) -> anyhow::Result<f64> {
    let began = Instant::now();
    let files: Vec<_> = (0..COPIES)
        .map(|copy| place.join(format!("copy{copy}")))
        .collect();
    thread::scope(|scope| {
        let write = |path| {
            scope.spawn(move || -> std::io::Result<()> {
                let mut file = File::create(path)?;
                for piece in content.chunks(PIECE) {
                    file.write_all(piece)?;
                }
                file.sync_all()
            })
        };
        let threads: Vec<_> = files.iter().map(write).collect();
        for thread in threads {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a writer panicked"))??;
        }
        anyhow::Ok(())
    })?;
    let took = began.elapsed().as_secs_f64();
    for file in files {
        std::fs::remove_file(file)?;
    }
    Ok(took)
}
