use std::fs;

use crate::clone_and_push::create;
use crate::forge::TestForge;
use crate::git::{git, sample};
use crate::ssh::client::{KeyFile, here, keygen, stderr, url};

/// A forge that believes one authority, and the authority's key.
async fn certified_forge() -> (TestForge, KeyFile) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ca");
    keygen(&[
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-f",
        path.to_str().unwrap(),
    ])
    .await;
    let public = fs::read_to_string(path.with_extension("pub")).unwrap();
    let forge = TestForge::start_with(|config| config.ssh.user_authorities = vec![public]).await;
    let kept = forge.path("ca");
    fs::copy(&path, &kept).unwrap();
    fs::copy(path.with_extension("pub"), kept.with_extension("pub")).unwrap();
    (forge, KeyFile(kept))
}

impl KeyFile {
    /// A fresh key with a certificate beside it, where ssh looks for one.
    async fn certified(&self, forge: &TestForge, name: &str, options: &[&str]) -> Self {
        let key = Self::new(forge, name).await;
        let public = key.0.with_extension("pub");
        let sign = ["-q", "-s", self.0.to_str().unwrap(), "-I", name];
        keygen(&[&sign[..], options, &[public.to_str().unwrap()]].concat()).await;
        key
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_stands_for_the_account_that_it_names() {
    let (forge, ca) = certified_forge().await;
    let alice = forge.user("alice").await;
    forge.user("bob").await;
    create(&forge, &alice, "r", true).await;
    let key = ca
        .certified(&forge, "key", &["-n", "alice", "-V", "+1h"])
        .await;
    let source = forge.path("source");
    sample(&source).await;
    let (ssh, address) = (key.git(&forge), url(&forge, "alice/r.git"));
    git(&source, &["-c", &ssh, "push", "-q", &address, "main"]).await;
    git(here(&forge), &["-c", &ssh, "clone", "-q", &address, "copy"]).await;
    // Keys still sign in beside certificates.
    let plain = KeyFile::new(&forge, "plain")
        .await
        .of_account(&forge, &alice)
        .await;
    let said = stderr(&plain.ssh(&forge, &[], &[]).await);
    assert!(said.contains("Hi alice"), "{said}");
    let stranger = KeyFile::new(&forge, "stranger").await;
    let said = stderr(&stranger.ssh(&forge, &[], &[]).await);
    assert!(said.contains("Permission denied"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_wrong_with_a_certificate_keeps_it_out() {
    let (forge, ca) = certified_forge().await;
    forge.user("alice").await;
    forge.user("bob").await;
    let other = KeyFile::new(&forge, "other-ca").await;
    let cases: &[(&str, &KeyFile, &[&str], &str)] = &[
        ("good", &ca, &["-n", "alice"], "Hi alice"),
        ("second", &ca, &["-n", "nobody,bob"], "Hi bob"),
        ("unknown", &ca, &["-n", "nobody"], "Permission denied"),
        ("unnamed", &ca, &[], "Permission denied"),
        (
            "over",
            &ca,
            &["-n", "alice", "-V", "-2h:-1h"],
            "Permission denied",
        ),
        (
            "early",
            &ca,
            &["-n", "alice", "-V", "+1h:+2h"],
            "Permission denied",
        ),
        ("host", &ca, &["-h", "-n", "alice"], "Permission denied"),
        ("foreign", &other, &["-n", "alice"], "Permission denied"),
        (
            "elsewhere",
            &ca,
            &["-n", "alice", "-O", "source-address=192.0.2.0/24"],
            "Permission denied",
        ),
        (
            "here",
            &ca,
            &[
                "-n",
                "alice",
                "-O",
                "source-address=127.0.0.0/8,192.0.2.0/24",
            ],
            "Hi alice",
        ),
        (
            "unheard",
            &ca,
            &["-n", "alice", "-O", "critical:unheard-of=x"],
            "Permission denied",
        ),
        (
            "forced",
            &ca,
            &[
                "-n",
                "alice",
                "-O",
                "force-command=git-upload-pack 'alice/none.git'",
            ],
            "devflow: repository not found",
        ),
    ];
    for (name, authority, options, expected) in cases {
        let key = authority.certified(&forge, name, options).await;
        let said = stderr(&key.ssh(&forge, &[], &[]).await);
        assert!(said.contains(expected), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_that_one_signs_in_under_picks_one_of_the_principals() {
    let (forge, ca) = certified_forge().await;
    forge.user("alice").await;
    forge.user("bob").await;
    let key = ca.certified(&forge, "both", &["-n", "alice,bob"]).await;
    for (login, expected) in [
        ("git", "Hi alice"),
        ("bob", "Hi bob"),
        ("root", "Permission denied"),
    ] {
        let user = format!("{login}@127.0.0.1");
        let said = stderr(&key.ssh(&forge, &[&user], &[]).await);
        assert!(said.contains(expected), "{login}: {said}");
    }
}
