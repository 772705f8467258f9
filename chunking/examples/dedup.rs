//! Measures what chunk sizes do to real data, for choosing profiles.
//!
//! ```text
//! cargo run -p chunking --example dedup -- FILE...
//! ```
//!
//! The files are successive versions of one thing, oldest first. Prints two
//! tables in Markdown: for each candidate how much of each file is new after
//! those before it, with the number of chunks and the speed of one thread that
//! cuts and names them; and the speed of the whole pipeline beside that of
//! BLAKE3 and SHA-256 alone, over the last file. Best of three runs; processor
//! time is that of all threads together, where the system tells it.

#![expect(
    clippy::print_stdout,
    reason = "a program whose product is what it prints"
)]

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use chunking::{ChunkId, Cutter, DigestKind, DigestSet, Digests, Pipeline, Profile};
use fastcdc::v2020::{FastCDC, Normalization};

const KIB: usize = 1024;
const RUNS: usize = 3;
/// Size of the pieces that a stream comes in: what a frontend reads at once.
const PIECE: usize = 256 * KIB;

#[derive(Clone, Copy)]
struct Candidate {
    min: usize,
    avg: usize,
    max: usize,
    level: Normalization,
}

fn main() -> anyhow::Result<()> {
    let mut files = Vec::new();
    for path in std::env::args_os().skip(1) {
        let path = Path::new(&path);
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let name = path.file_name().context("a file has a name")?;
        files.push((name.to_string_lossy().into_owned(), Bytes::from(bytes)));
    }
    let (_, last) = files.last().context("name at least one file")?;
    sharing(&files);
    println!();
    throughput(last);
    Ok(())
}

fn candidates() -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for avg in (13..=20).map(|bits| 1 << bits) {
        candidates.push(Candidate {
            min: avg / 4,
            avg,
            max: avg * 4,
            level: Normalization::Level1,
        });
    }
    for avg in [64 * KIB, 128 * KIB, 256 * KIB] {
        for (min, max, level) in [
            (avg / 2, avg * 4, Normalization::Level1),
            (avg / 4, avg * 4, Normalization::Level2),
            (avg / 4, avg * 8, Normalization::Level0),
        ] {
            candidates.push(Candidate {
                min,
                avg,
                max,
                level,
            });
        }
    }
    candidates
}

/// Prints how much of each file is new, for every candidate.
fn sharing(files: &[(String, Bytes)]) {
    print!("| min / avg / max KiB, level |");
    for (name, bytes) in files {
        print!(" new in {name} ({:.1} MiB) |", mib(bytes.len()));
    }
    println!(" chunks per MiB | cut and name, GB/s CPU |");
    println!("|---|{}---|---|", "---|".repeat(files.len()));
    for candidate in candidates() {
        let Candidate {
            min,
            avg,
            max,
            level,
        } = candidate;
        let mut seen = HashSet::new();
        let (mut chunks, mut length, mut time) = (0, 0, Cost::default());
        print!("| {} / {} / {}, {level} |", min / KIB, avg / KIB, max / KIB);
        for (_, bytes) in files {
            let mut ids = Vec::new();
            time += measure(|| {
                let cuts = FastCDC::with_level(bytes, min, avg, max, level);
                ids.extend(cuts.map(|cut| {
                    let chunk = &bytes[cut.offset..][..cut.length];
                    (ChunkId::of(chunk), cut.length)
                }));
            });
            chunks += ids.len();
            length += bytes.len();
            let new = ids.into_iter().filter(|&(id, _)| seen.insert(id));
            let new: usize = new.map(|(_, length)| length).sum();
            print!(" {:.1} MiB, {:.1} % |", mib(new), percent(new, bytes.len()));
        }
        println!(
            " {:.1} | {} |",
            chunks as f64 / mib(length),
            rate(length, time.cpu)
        );
    }
}

/// Prints the speed of the pipeline beside that of its parts.
fn throughput(bytes: &Bytes) {
    let hash = |kind| {
        best(|| {
            let mut digests = Digests::new(DigestSet::from(kind));
            pieces(bytes).for_each(|piece| digests.update(&piece));
            std::hint::black_box(digests.finish());
        })
    };
    let blake3 = hash(DigestKind::Blake3);
    let sha256 = hash(DigestKind::Sha256);
    let slower = blake3.wall.max(sha256.wall);
    println!(
        "| over {:.0} MiB | wall s | CPU s | GB/s | of the slower hash alone |",
        mib(bytes.len())
    );
    println!("|---|---|---|---|---|");
    let row = |name: &str, cost: Cost| {
        println!(
            "| {name} | {:.3} | {:.2} | {:.2} | {:.2} |",
            cost.wall.as_secs_f64(),
            cost.cpu.as_secs_f64(),
            gigabytes(bytes.len()) / cost.wall.as_secs_f64(),
            slower.as_secs_f64() / cost.wall.as_secs_f64(),
        );
    };
    row("BLAKE3 alone", blake3);
    row("SHA-256 alone", sha256);
    for kind in [DigestKind::Sha1, DigestKind::Sha512, DigestKind::Md5] {
        row(&format!("{kind:?} alone"), hash(kind));
    }
    for profile in Profile::ALL {
        row(&format!("{profile:?}: cut"), best(|| cut(profile, bytes)));
        for (digests, name) in [
            (DigestSet::SHA256, "SHA-256"),
            (DigestSet::ALL, "all hashes"),
        ] {
            for threads in [1, 2] {
                row(
                    &format!("{profile:?}: cut, name, {name}, threads: {threads}"),
                    best(|| run(profile, digests, threads, bytes)),
                );
            }
        }
    }
}

fn cut(profile: Profile, bytes: &Bytes) {
    let mut cutter = Cutter::new(profile);
    let mut sink = |chunk| drop(std::hint::black_box(chunk));
    pieces(bytes).for_each(|piece| cutter.push(piece, &mut sink));
    cutter.finish(sink);
}

fn run(profile: Profile, digests: DigestSet, threads: usize, bytes: &Bytes) {
    let mut pipeline = Pipeline::new(profile, digests, threads);
    pieces(bytes).for_each(|piece| drop(pipeline.push(piece)));
    std::hint::black_box(pipeline.finish());
}

fn pieces(bytes: &Bytes) -> impl Iterator<Item = Bytes> {
    let starts = (0..bytes.len()).step_by(PIECE);
    starts.map(|start| bytes.slice(start..bytes.len().min(start + PIECE)))
}

#[derive(Clone, Copy, Default)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.cpu += other.cpu;
    }
}

fn best(mut work: impl FnMut()) -> Cost {
    let costs: Vec<Cost> = (0..RUNS).map(|_| measure(&mut work)).collect();
    Cost {
        wall: costs.iter().map(|cost| cost.wall).min().unwrap_or_default(),
        cpu: costs.iter().map(|cost| cost.cpu).min().unwrap_or_default(),
    }
}

fn measure(work: impl FnOnce()) -> Cost {
    #[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
    let start = Instant::now();
    let cpu = processor_time();
    work();
    Cost {
        wall: start.elapsed(),
        cpu: processor_time().saturating_sub(cpu),
    }
}

/// User and system time of this process so far, in steps of 10 ms; see
/// proc(5), fields 14 and 15 of `stat`. Zero where there is no such file.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// In GB/s; nothing where the clock's steps are too coarse to tell.
fn rate(bytes: usize, time: Duration) -> String {
    if time < Duration::from_millis(50) {
        return "too short".to_owned();
    }
    format!("{:.2}", gigabytes(bytes) / time.as_secs_f64())
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

fn gigabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e9
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
