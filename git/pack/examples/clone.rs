//! Times a full clone of a plain repository: `clone GIT_DIR OBJECT_FORMAT [REPEAT]`, refs
//! on standard input (`git for-each-ref --format='%(objectname)'`).

use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use git_id::HashKind;
use git_pack::{NoProgress, Objects, PackOptions, Selection, plan};

struct Counter {
    started: Instant,
    first: Option<std::time::Duration>,
    bytes: u64,
}

impl Write for Counter {
    #[expect(clippy::disallowed_methods, reason = "a measuring program")]
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.first
            .get_or_insert_with(|| Instant::now() - self.started);
        self.bytes += bytes.len() as u64;
        std::hint::black_box(bytes.iter().step_by(64).fold(0u8, |sum, byte| sum ^ byte));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring program"
)]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let hash = HashKind::from_name(&arguments[2]).expect("sha1 or sha256");
    let wants = std::io::stdin()
        .lines()
        .map(|line| line.expect("text").parse().expect("an id"))
        .collect();
    let selection = Selection {
        wants,
        ..Selection::default()
    };
    let options = PackOptions {
        thin: true,
        ofs_delta: true,
        threads: 2,
    };
    let never = AtomicBool::new(false);
    let started = Instant::now();
    let mut objects = Objects::open_directory(hash, &Path::new(&arguments[1]).join("objects"))
        .expect("a repository");
    if std::env::args().any(|argument| argument == "packs") {
        objects = Objects::open_packs(hash, &objects.packs()).expect("its packs");
    }
    println!("open {:?}", started.elapsed());
    for _ in 0..arguments
        .get(3)
        .and_then(|times| times.parse().ok())
        .unwrap_or(1)
    {
        let started = Instant::now();
        let plan = plan(&objects, &selection, &options, &NoProgress, &never).expect("a plan");
        let planned = started.elapsed();
        let mut out = Counter {
            started,
            first: None,
            bytes: 0,
        };
        let written = plan.write(&mut out, &NoProgress, &never).expect("written");
        println!(
            "planned {planned:?} stored {} first byte {:?} written {:?} {written:?} {}",
            plan.is_stored_pack(),
            out.first,
            started.elapsed(),
            out.bytes
        );
    }
}
