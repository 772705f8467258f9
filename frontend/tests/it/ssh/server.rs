use std::fs;

use crate::forge::TestForge;
use crate::git::{git, sample};
use crate::ssh::client::{KeyFile, stderr, url};

#[tokio::test(flavor = "multi_thread")]
async fn another_frontend_is_known_by_the_same_keys() {
    let mut forge = TestForge::start().await;
    let (_, key) = KeyFile::of_alice(&forge).await;
    let first = forge.host_keys.clone();
    assert_eq!(first.len(), 2);
    let known = forge.path("known_hosts");
    let strict = [
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        "HostKeyAlias=forge",
    ];
    let learn = ["-o", "HostKeyAlias=forge"];
    let said = stderr(&key.ssh(&forge, &learn, &[]).await);
    assert!(said.contains("Hi alice"), "{said}");
    assert!(fs::read_to_string(known).unwrap().starts_with("forge "));
    forge.restart("second").await;
    assert_eq!(forge.host_keys, first);
    let said = stderr(&key.ssh(&forge, &strict, &[]).await);
    assert!(said.contains("Hi alice"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_under_way_ends_before_the_frontend_does() {
    let mut forge = TestForge::start().await;
    let (_, key) = KeyFile::of_alice(&forge).await;
    let source = forge.path("source");
    sample(&source).await;
    let (ssh, address) = (key.git(&forge), url(&forge, "alice/r.git"));
    git(&source, &["-c", &ssh, "push", "-q", &address, "main"]).await;
    let mut command = key.command(&forge, &[], &["git-upload-pack 'alice/r.git'"]);
    command.stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped());
    let mut client = command.spawn().unwrap();
    let mut first = [0; 4];
    let stdout = client.stdout.as_mut().unwrap();
    tokio::io::AsyncReadExt::read_exact(stdout, &mut first)
        .await
        .unwrap();
    let stopping = forge.stop();
    tokio::pin!(stopping);
    // It waits for the client, which says that it wants nothing.
    let early = tokio::time::timeout(std::time::Duration::from_millis(50), &mut stopping).await;
    assert!(early.is_err());
    let stdin = client.stdin.as_mut().unwrap();
    tokio::io::AsyncWriteExt::write_all(stdin, b"0000")
        .await
        .unwrap();
    let output = client.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    stopping.await;
}
