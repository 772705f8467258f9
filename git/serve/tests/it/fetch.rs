//! Clones and fetches.

use crate::sandbox::{FETCH_WAYS, Over, Sandbox};

#[test]
fn a_mirror_is_the_same_in_every_protocol_version() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 60);
    for way in FETCH_WAYS {
        let copy = sandbox.clone(way, "served.git", &format!("{way:?}"), &["--mirror"]);
        sandbox.assert_same(&served, &copy);
    }
    // The same from a repository that git has packed into one pack with tags peeled.
    sandbox.at(&served, &["repack", "-adq"]);
    sandbox.at(&served, &["pack-refs", "--all"]);
    for way in FETCH_WAYS {
        let copy = sandbox.clone(way, "served.git", &format!("packed {way:?}"), &["--mirror"]);
        sandbox.assert_same(&served, &copy);
    }
}

#[test]
fn a_fetch_brings_what_is_new_with_its_tags() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 20);
    let ways = FETCH_WAYS.map(|way| {
        (
            way,
            sandbox.clone(way, "served.git", &format!("{way:?}"), &[]),
        )
    });
    sandbox.import(&served, 20..45);
    for (way, copy) in &ways {
        let before = sandbox.at(copy, &["count-objects", "-v"]);
        sandbox.at(copy, &["fetch", "-q", "origin"]);
        assert_ne!(before, sandbox.at(copy, &["count-objects", "-v"]));
        assert_eq!(
            sandbox.id(copy, "origin/main"),
            sandbox.id(&served, "main"),
            "{way:?}"
        );
        assert_eq!(
            sandbox.id(copy, "v39"),
            sandbox.id(&served, "v39"),
            "{way:?}"
        );
        sandbox.at(copy, &["fsck", "--strict"]);
        // Nothing new: nothing comes.
        sandbox.at(copy, &["fetch", "-q", "origin"]);
    }
}

#[test]
fn both_sides_have_something_of_their_own() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 20);
    for way in FETCH_WAYS {
        let copy = sandbox.clone(way, "served.git", &format!("{way:?}"), &["-b", "main"]);
        for n in 0..40 {
            let message = format!("{way:?} local {n}");
            sandbox.at(&copy, &["commit", "-q", "--allow-empty", "-m", &message]);
        }
        let next = sandbox.at(&served, &["rev-list", "--count", "main"]);
        let next: usize = next.trim().parse().unwrap();
        sandbox.import(&served, 100 + next..103 + next);
        sandbox.at(&copy, &["fetch", "-q"]);
        assert_eq!(
            sandbox.id(&copy, "origin/main"),
            sandbox.id(&served, "main"),
            "{way:?}"
        );
        sandbox.at(&copy, &["fsck", "--strict"]);
    }
}

#[test]
fn a_single_branch_and_a_detached_head_are_served() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 30);
    for way in FETCH_WAYS {
        let options = ["--single-branch", "-b", "side", "--no-tags"];
        let copy = sandbox.clone(way, "served.git", &format!("{way:?}"), &options);
        assert_eq!(sandbox.id(&copy, "HEAD"), sandbox.id(&served, "side"));
        assert_eq!(
            sandbox.refs(&copy).lines().count(),
            2,
            "the branch and what it tracks"
        );
    }
    let id = sandbox.id(&served, "side");
    sandbox.at(&served, &["update-ref", "--no-deref", "HEAD", &id]);
    for way in FETCH_WAYS {
        let copy = sandbox.clone(way, "served.git", &format!("detached {way:?}"), &[]);
        assert_eq!(sandbox.id(&copy, "HEAD"), id);
    }
}

#[test]
fn an_empty_repository_says_its_branch() {
    let sandbox = Sandbox::new();
    let served = sandbox.init("served.git", "sha1");
    sandbox.at(&served, &["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    for way in FETCH_WAYS {
        let copy = sandbox.clone(way, "served.git", &format!("{way:?}"), &[]);
        if way.1 == 2 {
            let head = sandbox.at(&copy, &["symbolic-ref", "HEAD"]);
            assert_eq!(head.trim(), "refs/heads/trunk");
        }
    }
}

#[test]
fn ls_remote_shows_what_git_shows() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 30);
    sandbox.at(&served, &["config", "transfer.hideRefs", "refs/hidden"]);
    sandbox.at(&served, &["update-ref", "refs/hidden/x", "main"]);
    sandbox.at(
        &served,
        &["symbolic-ref", "refs/heads/link", "refs/heads/main"],
    );
    let expected = sandbox.ok(&[
        "ls-remote",
        "--symref",
        &format!("file://{}", served.display()),
    ]);
    for way in FETCH_WAYS {
        let copy = sandbox.clone(way, "served.git", &format!("{way:?}"), &["--bare"]);
        let version = format!("protocol.version={}", way.1);
        let shown = sandbox.at(&copy, &["-c", &version, "ls-remote", "--symref", "origin"]);
        let symrefs = |text: &str, name: &str| {
            text.lines()
                .filter(|line| line.starts_with("ref:") && line.ends_with(name))
                .count()
        };
        assert_eq!(symrefs(&shown, "HEAD"), 1);
        let plain = |text: &str| -> Vec<String> {
            text.lines()
                .filter(|line| !line.starts_with("ref:"))
                .map(str::to_owned)
                .collect()
        };
        assert_eq!(plain(&shown), plain(&expected), "{way:?}");
        if way.1 == 2 {
            assert_eq!(shown, expected);
        }
    }
}

#[test]
fn a_repository_with_sha256_is_served() {
    let sandbox = Sandbox::new();
    let served = sandbox.init("served.git", "sha256");
    sandbox.import(&served, 0..20);
    for way in FETCH_WAYS {
        let copy = sandbox.clone(way, "served.git", &format!("{way:?}"), &["--mirror"]);
        sandbox.assert_same(&served, &copy);
        sandbox.import(&served, 100 + usize::from(way.1)..103 + usize::from(way.1));
        sandbox.at(&copy, &["fetch", "-q"]);
        assert_eq!(sandbox.id(&copy, "main"), sandbox.id(&served, "main"));
    }
}

#[test]
fn wants_follow_the_configuration() {
    let sandbox = Sandbox::new();
    let served = sandbox.history("served.git", 12);
    let old = sandbox.id(&served, "main~3");
    for way in [(Over::Pipes, 0), (Over::Http, 0)] {
        let copy = sandbox.clone(
            way,
            "served.git",
            &format!("{way:?}"),
            &["--single-branch", "-b", "side", "--depth=1"],
        );
        let fetch = ["-c", "protocol.version=0", "fetch", "-q", "origin", &old];
        let refused = sandbox.git_in(&copy, &fetch, b"");
        assert!(
            !refused.success && refused.err.contains("not allow request"),
            "{refused:?}"
        );
        sandbox.at(
            &served,
            &["config", "uploadpack.allowReachableSHA1InWant", "true"],
        );
        sandbox.at(&copy, &fetch);
        sandbox.at(
            &served,
            &["config", "--unset", "uploadpack.allowReachableSHA1InWant"],
        );
    }
    let copy = sandbox.clone((Over::Http, 2), "served.git", "any", &["--depth=1"]);
    sandbox.at(&copy, &["fetch", "-q", "origin", &old]);
    let missing = "1234567890123456789012345678901234567890";
    let refused = sandbox.git_in(&copy, &["fetch", "-q", "origin", missing], b"");
    let expected = format!("remote error: upload-pack: not our ref {missing}");
    assert!(refused.err.contains(&expected), "{refused:?}");
}

#[test]
fn progress_reads_like_git_s() {
    let sandbox = Sandbox::new();
    sandbox.history("served.git", 30);
    for way in [(Over::Pipes, 0), (Over::Http, 2)] {
        let version = format!("protocol.version={}", way.1);
        let upload = format!(
            "--upload-pack={} upload-pack",
            crate::sandbox::server_program().display()
        );
        let (url, target) = (sandbox.url(way.0, "served.git"), format!("{way:?}"));
        let printed = sandbox.run(&[
            "-c",
            &version,
            "clone",
            "--progress",
            &upload,
            &url,
            &target,
        ]);
        assert!(printed.success, "{printed:?}");
        for text in ["remote: Enumerating objects: ", "remote: Total ", ", done."] {
            assert!(printed.err.contains(text), "{text} in {}", printed.err);
        }
    }
}

#[test]
fn a_directory_that_is_no_repository_is_said_so() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    let upload = format!(
        "--upload-pack={} upload-pack",
        crate::sandbox::server_program().display()
    );
    let printed = sandbox.run(&["ls-remote", &upload, &sandbox.url(Over::Pipes, "empty")]);
    assert!(
        printed
            .err
            .contains("does not appear to be a git repository"),
        "{printed:?}"
    );
    let printed = sandbox.run(&["ls-remote", &sandbox.url(Over::Http, "empty")]);
    assert!(printed.err.contains("not found"), "{printed:?}");
}
