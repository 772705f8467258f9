use crate::clone_and_push::create;
use crate::forge::TestForge;
use crate::git::{commit, fails, git, inventory, run, sample};
use crate::ssh::client::{KeyFile, here, url};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_is_cloned_and_fetched_with_every_protocol_version() {
    let forge = TestForge::start().await;
    let (_, key) = KeyFile::of_alice(&forge).await;
    let ssh = key.git(&forge);
    let source = forge.path("source");
    sample(&source).await;
    for version in ["0", "1", "2"] {
        let protocol = format!("protocol.version={version}");
        let with = ["-c", &protocol, "-c", &ssh];
        let address = url(&forge, &format!("alice/over-{version}.git"));
        git(
            &source,
            &[&with[..], &["push", "-q", "--mirror", &address]].concat(),
        )
        .await;
        let copy = format!("copy-{version}");
        let clone = ["clone", "-q", "--mirror", &address, &copy];
        git(here(&forge), &[&with[..], &clone].concat()).await;
        let copy = forge.path(&copy);
        assert_eq!(inventory(&copy).await, inventory(&source).await);
        git(&copy, &["fsck", "--strict"]).await;

        commit(&source, "more.txt", version).await;
        let push = ["push", "-q", &address, "HEAD:refs/heads/main", ":feature/x"];
        git(&source, &[&with[..], &push].concat()).await;
        git(&copy, &[&with[..], &["fetch", "-q", "--prune"]].concat()).await;
        let head = git(&source, &["rev-parse", "HEAD"]).await;
        assert_eq!(git(&copy, &["rev-parse", "refs/heads/main"]).await, head);
        let branches = git(&copy, &["branch", "--list", "feature/x"]).await;
        assert_eq!(branches, "");
        let shallow = format!("shallow-{version}");
        let depth = ["clone", "-q", "--depth=1", &address, &shallow];
        git(here(&forge), &[&with[..], &depth].concat()).await;
        git(&source, &["branch", "-f", "feature/x", "HEAD~1"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_that_is_asked_for_is_spoken() {
    let forge = TestForge::start().await;
    let (alice, key) = KeyFile::of_alice(&forge).await;
    create(&forge, &alice, "r", true).await;
    let command = "git-upload-pack '/alice/r.git'";
    for (version, begins) in [
        (
            None,
            "0000000000000000000000000000000000000000 capabilities^{}",
        ),
        (Some("version=1"), "000eversion 1\n"),
        (Some("version=2"), "000eversion 2\n"),
    ] {
        let set = version.map(|version| format!("SetEnv=GIT_PROTOCOL={version}"));
        let before: Vec<&str> = match &set {
            Some(set) => vec!["-o", set],
            None => vec![],
        };
        let output = key.ssh(&forge, &before, &[command]).await;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let text = said.get(if version.is_some() { 0.. } else { 4.. }).unwrap();
        assert!(text.starts_with(begins), "{version:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_to_what_is_not_there_makes_it_and_looking_does_not() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    forge.user("bob").await;
    let key = KeyFile::new(&forge, "key")
        .await
        .of_account(&forge, &alice)
        .await;
    let ssh = key.git(&forge);
    let source = forge.path("source");
    sample(&source).await;
    let address = url(&forge, "alice/new.git");
    let dry = ["-c", &ssh, "push", "-q", "--dry-run", &address, "main"];
    git(&source, &dry).await;
    let find = async || forge.forge.repositories.find("alice", "new").await.unwrap();
    assert!(find().await.is_none(), "looking made it");
    git(&source, &["-c", &ssh, "push", "-q", &address, "main"]).await;
    assert!(find().await.unwrap().is_private);
    let foreign = url(&forge, "bob/new.git");
    let said = fails(&source, &["-c", &ssh, "push", "-q", &foreign, "main"]).await;
    assert!(said.contains("devflow: repository not found"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_too_large_is_told_so() {
    let forge = TestForge::start_with(|config| config.max_push_bytes = 64 << 10).await;
    let (_, key) = KeyFile::of_alice(&forge).await;
    let ssh = key.git(&forge);
    let source = forge.path("source");
    sample(&source).await;
    let noise = noise(4 << 20);
    commit(&source, "noise.txt", &noise).await;
    let address = url(&forge, "alice/large.git");
    let pushed = run(&source, &["-c", &ssh, "push", &address, "main"]).await;
    let said = String::from_utf8_lossy(&pushed.stderr);
    assert!(!pushed.status.success());
    assert!(said.contains("pack"), "{said}");
    assert!(said.contains("! [remote rejected]"), "{said}");
}

/// Text that does not compress well.
pub(crate) fn noise(bytes: usize) -> String {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'0' + u8::try_from(state >> 58).unwrap())
    };
    (0..bytes).map(|_| next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_kind_sign_in() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "r", true).await;
    for (name, kind) in [
        ("ecdsa256", ["-t", "ecdsa", "-b", "256"]),
        ("ecdsa384", ["-t", "ecdsa", "-b", "384"]),
        ("ecdsa521", ["-t", "ecdsa", "-b", "521"]),
        ("rsa", ["-t", "rsa", "-b", "2048"]),
    ] {
        let key = KeyFile::of_kind(&forge, name, &kind).await;
        let key = key.of_account(&forge, &alice).await;
        let address = url(&forge, "alice/r.git");
        let ssh = key.git(&forge);
        git(here(&forge), &["-c", &ssh, "ls-remote", &address]).await;
        if name == "rsa" {
            let sha1 = ssh + " -o PubkeyAcceptedAlgorithms=ssh-rsa";
            let said = fails(here(&forge), &["-c", &sha1, "ls-remote", &address]).await;
            assert!(said.contains("Permission denied"), "{said}");
        }
    }
}
