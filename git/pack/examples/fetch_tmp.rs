//! tmp
use git_id::HashKind;
use git_pack::*;
use std::path::Path;
use std::sync::atomic::AtomicBool;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let o = Objects::open_directory(HashKind::Sha1, &Path::new(&a[1]).join("objects")).expect("x");
    let ids = |s: &str| {
        s.split(',')
            .filter(|s| !s.is_empty())
            .map(|s| s.parse().expect("id"))
            .collect()
    };
    let sel = Selection {
        wants: ids(&a[2]),
        haves: ids(&a[3]),
        ..Selection::default()
    };
    let never = AtomicBool::new(false);
    #[expect(clippy::disallowed_methods)]
    let t = std::time::Instant::now();
    let p = plan(
        &o,
        &sel,
        &PackOptions {
            thin: true,
            ofs_delta: true,
            threads: 2,
        },
        &NoProgress,
        &never,
    )
    .expect("plan");
    let t1 = t.elapsed();
    let w = p
        .write(
            &mut std::io::BufWriter::new(std::fs::File::create(&a[4]).expect("f")),
            &NoProgress,
            &never,
        )
        .expect("w");
    eprintln!("{t1:?} {:?} {w:?}", t.elapsed());
}
