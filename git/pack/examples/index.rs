//! Times `receive` on a pack: `index PACK OBJECT_FORMAT THREADS [check]`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use git_id::HashKind;
use git_pack::{NoProgress, Objects, ReceiveOptions, receive};

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring program"
)]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let hash = HashKind::from_name(&arguments[2]).expect("sha1 or sha256");
    let options = ReceiveOptions {
        hash,
        max_bytes: 1 << 40,
        max_objects: u32::MAX,
        max_object_bytes: 1 << 31,
        check: arguments.get(4).is_some(),
        threads: arguments[3].parse().expect("a number of threads"),
        sync: false,
    };
    let directory =
        tempfile::tempdir_in(Path::new(&arguments[1]).parent().expect("a path to a pack"))
            .expect("a directory");
    let mut input =
        BufReader::with_capacity(64 << 10, File::open(&arguments[1]).expect("the pack"));
    let started = Instant::now();
    let result = receive(
        &mut input,
        directory.path(),
        &Objects::empty(hash),
        &options,
        &NoProgress,
        &AtomicBool::new(false),
    );
    println!(
        "{:?} in {:?}",
        result.map(|pack| (pack.objects, pack.bytes)),
        started.elapsed()
    );
}
