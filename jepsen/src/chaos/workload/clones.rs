use std::fs;
use std::path::Path;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rand::Rng;

use super::packs::{run, url};
use super::{Log, Shared};
use crate::chaos::whole::check_clone;
use crate::harness::Git;
use crate::history::{Action, Outcome};

/// The pause between two clones.
const PAUSE: Duration = Duration::from_millis(300);

/// Clones what the pushers push, by real git, through one frontend after the other while
/// things break. A clone that ends must be whole and have every push that was acknowledged
/// before it began; what is not so is told in the end.
pub(super) fn read(shared: &Shared, directory: &Path) -> anyhow::Result<()> {
    let mut random = rand::rng();
    fs::create_dir_all(directory)?;
    while shared.is_running() {
        let log = &shared.logs[random.random_range(0..shared.logs.len())];
        let door = &shared.doors[random.random_range(0..shared.doors.len())];
        let log = || log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let before = log();
        let mut event = shared.begin("clones".to_owned(), Action::Clone, &before.repository, door);
        let url = url(&door.base, &door.credentials, &before.repository);
        let said = clone(directory, &url)?;
        event.outcome = match said {
            None => Outcome::Ok,
            Some(_) => Outcome::Unknown,
        };
        event.answered = said.is_none();
        event.said = said.unwrap_or_default();
        if event.outcome == Outcome::Ok {
            let found = judge(&Git::at(directory.join("clone")), log().since(&before));
            let found = found.with_context(|| {
                let at = event.invoked_us / 1000;
                format!("{} by {} at {at} ms", before.repository, door.name)
            });
            shared.tell_clone(found);
        }
        shared.end(event)?;
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Clones into `clone`, anew; git's words if that did not come to an end.
pub(super) fn clone(directory: &Path, url: &str) -> anyhow::Result<Option<String>> {
    let place = directory.join("clone");
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    let words = ["clone", "--quiet", "--mirror", url, "clone"];
    let output = run(&Git::at(directory), &words)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((!output.status.success()).then_some(said))
}

fn judge(clone: &Git, log: Log) -> anyhow::Result<()> {
    clone.summary()?;
    check_clone(clone, &log)
}
