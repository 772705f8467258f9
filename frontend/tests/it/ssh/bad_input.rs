use std::process::Stdio;
use std::time::Duration;

use frontend_ssh::limits::{LOGIN_GRACE, STALL};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::forge::TestForge;
use crate::git::{commit, git, sample};
use crate::http::Request;
use crate::ssh::client::{KeyFile, stderr, url};
use crate::ssh::clone_and_push::noise;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_gits_commands_is_run() {
    let forge = TestForge::start().await;
    let (_, key) = KeyFile::of_alice(&forge).await;
    for (command, reason) in [
        ("ls -la", "\"ls\" is no command of this server"),
        ("git gc", "\"git-gc\" is no command"),
        ("git-upload-pack 'a/b'; id", "plain, properly quoted words"),
        ("git-upload-pack $(id)", "plain, properly quoted words"),
        ("git-upload-pack a", "use OWNER/NAME.git"),
        ("git-upload-archive 'alice/r.git'", "repository not found"),
        ("git-lfs-authenticate alice/r.git remove", "or lock"),
        (
            "git-lfs-transfer alice/r.git download",
            "repository not found",
        ),
    ] {
        let output = key.ssh(&forge, &[], &[command]).await;
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert!(output.stdout.is_empty(), "{command}");
        let said = stderr(&output);
        assert!(said.contains(reason), "{command}: {said}");
    }
    for before in [&["-T"][..], &["-A", "-T"]] {
        let output = key.ssh(&forge, before, &[]).await;
        assert!(!output.status.success(), "{before:?}");
        let said = stderr(&output);
        assert!(
            said.contains("Hi alice") && said.contains("no shell access"),
            "{said}"
        );
    }
    let terminal = stderr(&key.ssh(&forge, &["-tt"], &[]).await);
    assert!(
        terminal.contains("PTY allocation request failed"),
        "{terminal}"
    );
    let output = key.ssh(&forge, &["-s"], &["sftp"]).await;
    assert_eq!(output.status.code(), Some(255), "{}", stderr(&output));
    assert!(stderr(&output).contains("subsystem request failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_forwarded() {
    let forge = TestForge::start().await;
    let (_, key) = KeyFile::of_alice(&forge).await;
    let target = format!("127.0.0.1:{}", forge.address.port());
    let direct = key
        .ssh(&forge, &["-o", "LogLevel=INFO", "-W", &target], &[])
        .await;
    assert!(!direct.status.success());
    let said = stderr(&direct);
    assert!(said.contains("administratively prohibited"), "{said}");
    let remote = format!("0:{target}");
    let options = ["-o", "ExitOnForwardFailure=yes", "-N", "-R", &remote];
    let remote = key.ssh(&forge, &options, &[]).await;
    assert!(!remote.status.success());
    let said = stderr(&remote);
    assert!(said.contains("remote port forwarding failed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn weak_algorithms_are_not_spoken() {
    let forge = TestForge::start().await;
    let (_, key) = KeyFile::of_alice(&forge).await;
    for option in [
        "KexAlgorithms=diffie-hellman-group14-sha1",
        "KexAlgorithms=diffie-hellman-group1-sha1",
        "Ciphers=aes128-cbc",
        "Ciphers=3des-cbc",
        "HostKeyAlgorithms=ssh-rsa",
    ] {
        let output = key
            .ssh(&forge, &["-o", "LogLevel=INFO", "-o", option], &[])
            .await;
        assert_eq!(output.status.code(), Some(255), "{option}");
        assert!(
            stderr(&output).contains("no matching"),
            "{}",
            stderr(&output)
        );
    }
    for option in [
        "Ciphers=chacha20-poly1305@openssh.com",
        "Ciphers=aes256-gcm@openssh.com",
        "Ciphers=aes128-gcm@openssh.com",
        "Ciphers=aes256-ctr",
        "Ciphers=aes128-ctr",
        "KexAlgorithms=curve25519-sha256",
        "HostKeyAlgorithms=ecdsa-sha2-nistp256",
    ] {
        // Each kind of host key is met for the first time.
        let unknown = ["-o", option, "-o", "UserKnownHostsFile=/dev/null"];
        let said = stderr(&key.ssh(&forge, &unknown, &[]).await);
        assert!(said.contains("Hi alice"), "{option}: {said}");
    }
}

/// What a connection is told until it ends.
async fn hear(mut stream: TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    let _broken = stream.read_to_end(&mut heard).await;
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_connections_are_bounded_and_others_still_get_in() {
    let forge = TestForge::start_with(|config| {
        config.ssh.max_connections_of_address = 40;
        config.ssh.max_strangers = 20;
    })
    .await;
    let (_, key) = KeyFile::of_alice(&forge).await;
    let mut streams = Vec::new();
    for _ in 0..1000 {
        let mut stream = TcpStream::connect(forge.ssh).await.unwrap();
        let mut word = [0; 17];
        // Those let in are greeted first, and keep their places.
        if stream.read_exact(&mut word).await.is_ok() {
            assert_eq!(&word, b"SSH-2.0-DevFlow\r\n");
            streams.push(stream);
        }
    }
    assert_eq!(streams.len(), 20);
    let metrics = forge.send(Request::get("/metrics")).await.text();
    assert!(
        metrics.contains("devflow_frontend_ssh_connections 20"),
        "{metrics}"
    );
    let refused = "devflow_frontend_ssh_refused_total{reason=\"strangers\"} 980";
    assert!(metrics.contains(refused), "{metrics}");
    drop(streams);
    let said = loop {
        let output = key.ssh(&forge, &[], &[]).await;
        let said = stderr(&output);
        if !said.contains("closed") && !said.contains("reset") {
            break said;
        }
    };
    assert!(said.contains("Hi alice"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_who_it_is_is_cut() {
    let (forge, clock) = TestForge::start_in_slow_motion().await;
    let silent = TcpStream::connect(forge.ssh).await.unwrap();
    let mut speaks = TcpStream::connect(forge.ssh).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut speaks, b"SSH-2.0-x\r\n")
        .await
        .unwrap();
    let (mut silent, mut speaks) = (tokio::spawn(hear(silent)), tokio::spawn(hear(speaks)));
    let mut left = 2000;
    while !silent.is_finished() || !speaks.is_finished() {
        clock.advance(LOGIN_GRACE / 2);
        tokio::time::sleep(Duration::from_millis(5)).await;
        left -= 1;
        assert!(left > 0, "they are still there");
    }
    assert_eq!((&mut silent).await.unwrap(), b"SSH-2.0-DevFlow\r\n");
    assert!(
        (&mut speaks)
            .await
            .unwrap()
            .starts_with(b"SSH-2.0-DevFlow\r\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_given_up() {
    let (forge, clock) = TestForge::start_in_slow_motion().await;
    let (_, key) = KeyFile::of_alice(&forge).await;
    let source = forge.path("source");
    sample(&source).await;
    commit(&source, "noise.txt", &noise(24 << 20)).await;
    let head = git(&source, &["rev-parse", "HEAD"]).await;
    let ssh = key.git(&forge);
    let address = url(&forge, "alice/large.git");
    git(&source, &["-c", &ssh, "push", "-q", &address, "main"]).await;
    let mut command = key.command(&forge, &[], &["git-upload-pack 'alice/large.git'"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut client = command.spawn().unwrap();
    let want = format!("0032want {head}\n00000009done\n");
    let stdin = client.stdin.as_mut().unwrap();
    tokio::io::AsyncWriteExt::write_all(stdin, want.as_bytes())
        .await
        .unwrap();
    let mut first = [0; 64];
    client
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .await
        .unwrap();
    let mut left = 4000;
    while client.try_wait().unwrap().is_none() {
        clock.advance(STALL / 4);
        tokio::time::sleep(Duration::from_millis(5)).await;
        left -= 1;
        assert!(left > 0, "the client is still served");
    }
    let mut sent = Vec::new();
    client
        .stdout
        .as_mut()
        .unwrap()
        .read_to_end(&mut sent)
        .await
        .unwrap();
    assert!(
        sent.len() < 12 << 20,
        "{} bytes were sent to who took nothing",
        sent.len()
    );
    let metrics = forge.send(Request::get("/metrics")).await.text();
    assert!(
        metrics.contains("devflow_frontend_ssh_sessions 0"),
        "{metrics}"
    );
}
