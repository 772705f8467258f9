//! Lists a directory of a bare repository with the commit that changed each entry last, cold and then
//! remembered, and says how long each took: `listing DIRECTORY COMMIT [PATH]`.

#![expect(clippy::print_stdout, reason = "it is what this is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "it measures, outside the runtime"
)]

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use git_id::HashKind;
use git_pack::Objects;
use git_services::{Cache, CachedServices, Services as _};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "listing DIRECTORY COMMIT [PATH]";
    let directory = arguments.next().ok_or(usage)?;
    let commit = arguments.next().ok_or(usage)?.parse()?;
    let path = arguments.next().unwrap_or_default();
    let cache = Cache::default();
    for round in ["cold", "warm"] {
        let begun = Instant::now();
        let objects = Objects::open_directory(
            HashKind::Sha1,
            &std::path::Path::new(&directory).join("objects"),
        )?;
        let services = CachedServices {
            objects: &objects,
            cache: &cache,
            cancel: &AtomicBool::new(false),
        };
        let changes = services.last_changes(&commit, path.as_bytes())?;
        let changes = changes.ok_or("there is no directory at the path")?;
        let commits: std::collections::BTreeSet<_> =
            changes.iter().map(|change| change.commit).collect();
        println!(
            "{round}: {} entries, {} commits, {:?}",
            changes.len(),
            commits.len(),
            begun.elapsed()
        );
    }
    Ok(())
}
