//! Real git.

use std::path::Path;
use std::process::Output;

use tokio::process::Command;

/// Runs git in a directory, without any configuration but this.
pub(crate) async fn run(directory: &Path, args: &[&str]) -> Output {
    Command::new("git")
        .current_dir(directory)
        .args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "gc.auto=0",
            "-c",
            "protocol.version=2",
        ])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_AUTHOR_NAME", "A U Thor")
        .env("GIT_AUTHOR_EMAIL", "author@example.org")
        .env("GIT_AUTHOR_DATE", "1700000000 +0100")
        .env("GIT_COMMITTER_NAME", "C O Mitter")
        .env("GIT_COMMITTER_EMAIL", "committer@example.org")
        .env("GIT_COMMITTER_DATE", "1700000000 +0100")
        .output()
        .await
        .unwrap()
}

/// Runs git and returns what it says; panics if it fails.
pub(crate) async fn git(directory: &Path, args: &[&str]) -> String {
    let output = run(directory, args).await;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "git {args:?}: {said}\n{complained}"
    );
    said
}

/// Runs git, which must fail, and returns what it complains about.
pub(crate) async fn fails(directory: &Path, args: &[&str]) -> String {
    let output = run(directory, args).await;
    assert!(!output.status.success(), "git {args:?} succeeded");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A repository with a few commits, files and an annotated tag.
pub(crate) async fn sample(directory: &Path) {
    std::fs::create_dir_all(directory.join("docs")).unwrap();
    git(directory, &["init", "-q"]).await;
    for number in 0..5 {
        commit(directory, "counter.txt", &format!("{number}\n").repeat(200)).await;
    }
    std::fs::write(directory.join("docs/guide.md"), "# Guide\n").unwrap();
    commit(
        directory,
        "README.md",
        "# Sample\n\nSee [the guide](docs/guide.md). <script>x</script>\n",
    )
    .await;
    git(directory, &["tag", "-a", "v1", "-m", "first release"]).await;
    git(directory, &["tag", "light"]).await;
    git(directory, &["branch", "feature/x", "HEAD~2"]).await;
}

/// Writes a file and commits everything.
pub(crate) async fn commit(directory: &Path, file: &str, content: &str) {
    std::fs::write(directory.join(file), content).unwrap();
    git(directory, &["add", "-A"]).await;
    git(
        directory,
        &["commit", "-q", "-m", &format!("change {file}")],
    )
    .await;
}

/// All that a repository has: its refs, and all objects that they reach.
pub(crate) async fn inventory(directory: &Path) -> (String, String) {
    let refs = git(
        directory,
        &[
            "for-each-ref",
            "--format=%(objectname) %(refname)",
            "refs/heads",
            "refs/tags",
        ],
    )
    .await;
    let mut objects: Vec<String> = git(
        directory,
        &["rev-list", "--objects", "--no-object-names", "--all"],
    )
    .await
    .lines()
    .map(str::to_owned)
    .collect();
    objects.sort_unstable();
    (refs, objects.join("\n"))
}
