use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::json;

use super::door::{Door, Request};
use super::{PUSHERS, packs};
use crate::harness::Git;

/// How many values refs can have.
const COMMITS: usize = 1500;

/// Makes the repositories of a run behind a frontend, and fills those of the
/// refs with commits. Returns the commits.
pub(crate) fn prepare(
    door: &Door,
    owner: &str,
    run: &str,
    directory: &Path,
) -> anyhow::Result<Vec<String>> {
    let refs = [format!("refs-{run}"), format!("groups-{run}")];
    for name in &refs {
        create(door, name)?;
    }
    for number in 0..PUSHERS {
        let repository = packs::repository(owner, run, number);
        create(door, repository.rsplit('/').next().unwrap_or_default())?;
    }
    let git = Git::at(directory.join("pool"));
    if !git.directory().exists() {
        make_commits(directory)?;
    }
    let listed = git.run(&["rev-list", "main"])?;
    for name in &refs {
        let url = packs::url(&door.base, &door.credentials, &format!("{owner}/{name}"));
        git.run(&["push", "--quiet", &url, "main:refs/heads/pool"])?;
    }
    Ok(listed.lines().map(str::to_owned).collect())
}

fn create(door: &Door, name: &str) -> anyhow::Result<()> {
    let answer = door.send(&Request {
        method: "POST",
        path: "/api/v1/user/repos".to_owned(),
        headers: vec!["Content-Type: application/json".to_owned()],
        body: json!({ "name": name }).to_string().into_bytes(),
        reads: false,
    })?;
    ensure!(
        answer.status == 201,
        "make the repository {name} through {}: {} {}",
        door.base,
        answer.status,
        answer.text()
    );
    Ok(())
}

/// A chain of commits without content.
fn make_commits(directory: &Path) -> anyhow::Result<()> {
    let git = Git::init(directory.join("pool"), true)?;
    let mut stream = String::new();
    for number in 0..COMMITS {
        let who = format!(
            "committer C O Mitter <committer@example.org> {} +0000",
            1_700_000_000 + number
        );
        let message = number.to_string();
        writeln!(
            stream,
            "commit refs/heads/main\n{who}\ndata {}\n{message}",
            message.len()
        )?;
    }
    let file = directory.join("pool.stream");
    std::fs::write(&file, stream)?;
    let mut import = std::process::Command::new("git");
    let output = import
        .args(["fast-import", "--quiet"])
        .current_dir(git.directory())
        .stdin(std::fs::File::open(&file)?)
        .output()
        .context("run git fast-import")?;
    ensure!(
        output.status.success(),
        "git fast-import: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
