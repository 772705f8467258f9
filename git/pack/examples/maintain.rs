//! Times the maintenance of a plain repository: `maintain GIT_DIR OBJECT_FORMAT [THREADS] [all]`, refs
//! on standard input (`git for-each-ref --format='%(objectname)'`), the main line first.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use git_id::HashKind;
use git_pack::{Consolidate, DeltaOptions, Islands, MaintainOptions, Maintenance, Progress};

/// Says how long each stage takes.
struct Stages(Mutex<Option<(String, Instant)>>);

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring program"
)]
impl Progress for Stages {
    fn stage(&self, title: &str, total: Option<u64>) {
        let stage = format!("{title} {total:?}");
        *self.0.lock().expect("no panics") = Some((stage, Instant::now()));
    }

    fn advance(&self, _by: u64) {}

    fn done(&self) {
        if let Some((title, started)) = self.0.lock().expect("no panics").take() {
            println!("{title}: {:?}", started.elapsed());
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring program"
)]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let tips: Vec<_> = std::io::stdin()
        .lines()
        .map(|line| line.expect("text").parse().expect("an id"))
        .collect();
    let threads = arguments
        .get(3)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1);
    let all = arguments.iter().any(|argument| argument == "all");
    let options = MaintainOptions {
        consolidate: match all {
            true => Consolidate::All {
                expire_before: None,
            },
            false => Consolidate::Geometric { factor: 2 },
        },
        commit_graph: !arguments
            .iter()
            .any(|argument| argument == "no-commit-graph"),
        bitmaps: true,
        deltas: DeltaOptions {
            threads,
            ..DeltaOptions::default()
        },
        islands: Islands::default(),
        threads,
    };
    let started = Instant::now();
    let maintenance = Maintenance {
        hash: HashKind::from_name(&arguments[2]).expect("sha1 or sha256"),
        directory: &Path::new(&arguments[1]).join("objects"),
        tips: &tips,
        progress: &Stages(Mutex::default()),
        cancel: &AtomicBool::new(false),
    };
    let done = maintenance.run(&options).expect("it can be maintained");
    println!("{:?} {done:?}", started.elapsed());
}
