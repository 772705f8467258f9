//! Partial clones, whose files come when they are needed.

use crate::clone_and_push::filled;
use crate::git::{commit, git};

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_clone_fetches_its_files_one_by_one() {
    let forge = filled().await;
    let work = forge.path("work");
    // Something unreachable beside, so that no pack can go out whole.
    commit(&work, "gone.txt", "gone").await;
    git(&work, &["push", "-q", "origin", "main"]).await;
    git(&work, &["reset", "-q", "--hard", "HEAD~1"]).await;
    commit(&work, "kept.txt", "kept").await;
    git(&work, &["push", "-q", "--force", "origin", "main"]).await;
    let everything = git(&work, &["log", "-p", "main"]).await;
    for (version, filter) in [("2", "blob:none"), ("2", "tree:0"), ("0", "blob:none")] {
        let clone = forge.path(&format!("{version}-{}", filter.replace(':', "-")));
        let url = forge.anonymous_url("alice/project.git");
        let protocol = format!("protocol.version={version}");
        let option = format!("--filter={filter}");
        let target = clone.to_str().unwrap();
        let settings = ["-c", &protocol, "clone", "-q", "-c", &protocol];
        let what = [option.as_str(), "--branch=main", &url, target];
        git(forge.scratch.path(), &[&settings[..], &what[..]].concat()).await;
        assert_eq!(git(&clone, &["status", "--porcelain"]).await, "");
        let lacking = ["rev-list", "--objects", "--missing=print", "--all"];
        assert!(git(&clone, &lacking).await.contains("\n?"), "all came");
        assert_eq!(git(&clone, &["log", "-p", "main"]).await, everything);
    }
}
