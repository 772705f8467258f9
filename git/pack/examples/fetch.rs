//! Times answers to fetches from a plain repository beside git's own: `fetch GIT_DIR [ROUNDS] [NAME…]`.
//!
//! Asked for are the days of history before `HEAD`, depth 1, no blobs, and single blobs one by one. Ours
//! is open, plan and write in this process; git's is `git upload-pack --stateless-rpc`, with bitmaps and
//! without. Processor time, the mean of the rounds.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring program"
)]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use git_id::{HashKind, ObjectId};
use git_pack::{Filter, NoProgress, Objects, PackOptions, Selection, plan};

/// The part of a day's work that is asked for.
const DAYS: [u64; 4] = [1, 7, 30, 128];

/// Blobs that are asked for one by one.
const LAZY_BLOBS: usize = 1_000;

/// One request.
struct Case {
    name: String,
    selection: Selection,
    /// The same as lines of protocol 2.
    lines: Vec<String>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let directory = PathBuf::from(&arguments[1]);
    let rounds = arguments.get(2).and_then(|text| text.parse().ok());
    let names = arguments.get(3..).unwrap_or_default();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|other| other == name);
    println!(
        "| | bytes | git, no bitmaps | ratio | git, bitmaps | ratio | CPU | git, bitmaps | ratio | git, none | ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for case in cases(&directory) {
        if wanted(&case.name) {
            compare(&directory, &case, rounds.unwrap_or(5));
        }
    }
    if wanted("lazy") {
        lazy(&directory);
    }
}

fn compare(directory: &Path, case: &Case, rounds: usize) {
    let per_round = |seconds: f64| seconds * 1e3 / rounds as f64;
    let mut bytes = 0;
    let began = processor_seconds();
    for _ in 0..rounds {
        bytes = answer(&open(directory), &case.selection);
    }
    let ours = per_round(processor_seconds() - began);
    let objects = open(directory);
    answer(&objects, &case.selection);
    let began = processor_seconds();
    for _ in 0..rounds {
        answer(&objects, &case.selection);
    }
    let warm = per_round(processor_seconds() - began);
    if std::env::var_os("ALONE").is_some() {
        println!("{}: {bytes} bytes, {ours:.1} ms, {warm:.1} ms", case.name);
        return;
    }
    let theirs = |bitmaps: bool| {
        let began = children_seconds();
        let mut bytes = 0;
        for _ in 0..rounds {
            bytes = upload_pack(directory, &case.lines, bitmaps);
        }
        (bytes, per_round(children_seconds() - began))
    };
    let (with_bytes, with) = theirs(true);
    let (without_bytes, without) = theirs(false);
    println!(
        "| {} | {bytes} | {without_bytes} | {:.3} | {with_bytes} | {:.3} | {ours:.1} ms, {warm:.1} ms | {with:.1} ms | {:.2} | {without:.1} ms | {:.2} |",
        case.name,
        bytes as f64 / without_bytes as f64,
        bytes as f64 / with_bytes as f64,
        warm / with,
        warm / without,
    );
}

/// Single blobs, one request each, with the repository open.
fn lazy(directory: &Path) {
    let blobs = blobs(directory);
    let objects = open(directory);
    let began = processor_seconds();
    for blob in &blobs {
        answer(&objects, &wants(vec![*blob]));
    }
    let ours = processor_seconds() - began;
    let began = children_seconds();
    for blob in &blobs {
        upload_pack(directory, &[format!("want {blob}")], true);
    }
    let theirs = children_seconds() - began;
    let per_request = |seconds: f64| seconds * 1e3 / blobs.len() as f64;
    println!(
        "| lazy blobs, each | | | | | | {:.3} ms | {:.3} ms | {:.3} | | |",
        per_request(ours),
        per_request(theirs),
        ours / theirs
    );
}

fn open(directory: &Path) -> Objects {
    Objects::open_directory(HashKind::Sha1, &directory.join("objects")).expect("a repository")
}

fn answer(objects: &Objects, selection: &Selection) -> u64 {
    let options = PackOptions {
        thin: true,
        ofs_delta: true,
        threads: 1,
    };
    let never = AtomicBool::new(false);
    let plan = plan(objects, selection, &options, &NoProgress, &never).expect("a plan");
    let mut out = std::io::BufWriter::new(match std::env::var_os("KEEP") {
        Some(path) => Box::new(std::fs::File::create(path).expect("a file")) as Box<dyn Write>,
        None => Box::new(std::io::sink()),
    });
    let written = plan.write(&mut out, &NoProgress, &never).expect("written");
    if std::env::var_os("VERBOSE").is_some() {
        eprintln!("{written:?}");
    }
    written.bytes
}

fn wants(wants: Vec<ObjectId>) -> Selection {
    Selection {
        wants,
        ..Selection::default()
    }
}

fn cases(directory: &Path) -> Vec<Case> {
    let head: ObjectId = git(directory, &["rev-parse", "HEAD"])
        .parse()
        .expect("an id");
    let newest: u64 = git(directory, &["log", "-1", "--format=%ct"])
        .parse()
        .expect("a time");
    let mut cases: Vec<Case> = DAYS
        .iter()
        .map(|days| {
            let before = format!("--before={}", newest - days * 86_400);
            let have = git(
                directory,
                &["rev-list", "-1", "--first-parent", &before, "HEAD"],
            );
            Case {
                name: format!("{days}-days"),
                lines: vec![format!("want {head}"), format!("have {have}")],
                selection: Selection {
                    haves: vec![have.parse().expect("an id")],
                    ..wants(vec![head])
                },
            }
        })
        .collect();
    cases.push(Case {
        name: "depth-1".to_owned(),
        lines: vec![format!("want {head}"), "deepen 1".to_owned()],
        selection: Selection {
            boundary: vec![head],
            ..wants(vec![head])
        },
    });
    cases.push(Case {
        name: "blob-none".to_owned(),
        lines: vec![format!("want {head}"), "filter blob:none".to_owned()],
        selection: Selection {
            filter: Filter::default().without_blobs_from(0),
            ..wants(vec![head])
        },
    });
    cases.push(Case {
        name: "clone".to_owned(),
        lines: vec![format!("want {head}")],
        selection: wants(vec![head]),
    });
    cases
}

/// Blobs of the newest tree.
fn blobs(directory: &Path) -> Vec<ObjectId> {
    let listing = git(directory, &["ls-tree", "-r", "--object-only", "HEAD"]);
    let ids = listing.lines().map(|line| line.parse().expect("an id"));
    ids.take(LAZY_BLOBS).collect()
}

/// Bytes of git's pack.
fn upload_pack(directory: &Path, lines: &[String], bitmaps: bool) -> u64 {
    let mut request = packet("command=fetch\n") + &packet("object-format=sha1\n") + "0001";
    for line in ["thin-pack", "ofs-delta", "no-progress"] {
        request += &packet(&format!("{line}\n"));
    }
    for line in lines {
        request += &packet(&format!("{line}\n"));
    }
    request += &(packet("done\n") + "0000");
    let mut child = Command::new("git")
        .args(["-c", &format!("pack.useBitmaps={bitmaps}")])
        .args([
            "-c",
            "uploadpack.allowFilter=true",
            "-c",
            "uploadpack.allowAnySHA1InWant=true",
        ])
        .args(["upload-pack", "--stateless-rpc"])
        .arg(directory)
        .env("GIT_PROTOCOL", "version=2")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(request.as_bytes()).expect("written");
    drop(input);
    let mut answer = Vec::new();
    let mut output = child.stdout.take().expect("piped");
    output.read_to_end(&mut answer).expect("an answer");
    assert!(child.wait().expect("an end").success());
    pack_bytes(&answer)
}

fn packet(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// Bytes on the first side band.
fn pack_bytes(mut answer: &[u8]) -> u64 {
    let mut bytes = 0;
    while let Some((length, rest)) = answer.split_first_chunk::<4>() {
        let text = std::str::from_utf8(length).expect("a length");
        let length = usize::from_str_radix(text, 16).expect("a length");
        let (packet, rest) = rest.split_at(length.saturating_sub(4));
        if packet.first() == Some(&1) {
            bytes += packet.len() as u64 - 1;
        }
        answer = rest;
    }
    bytes
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .output()
        .expect("git");
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

/// Processor time of this thread.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = text.split(' ').next().and_then(|field| field.parse().ok());
    nanoseconds.map_or(0.0, |nanoseconds: f64| nanoseconds / 1e9)
}

/// Processor time of children that have ended; it grows in steps of 10 ms.
fn children_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, rest) = text.rsplit_once(") ").expect("a name");
    // Fields from the third on, as proc(5) counts them: 16 and 17 are the children's times.
    let fields = rest.split(' ').skip(13).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}
