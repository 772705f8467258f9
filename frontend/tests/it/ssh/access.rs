use storage_node_api::ReadPoint;
use storage_node_api::event::Kind;
use storage_node_api::order::{Answer, Query};

use crate::clone_and_push::create;
use crate::forge::TestForge;
use crate::git::{fails, git, sample};
use crate::ssh::client::{KeyFile, here, stderr, url};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_a_key_and_no_name_is_told_from_another() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "public", false).await;
    let stranger = KeyFile::new(&forge, "stranger").await;
    let mut said = Vec::new();
    for login in ["git", "alice", "nobody", "root"] {
        let user = format!("{login}@127.0.0.1");
        let output = stranger
            .ssh(&forge, &[&user], &["git-upload-pack 'alice/public.git'"])
            .await;
        assert_eq!(output.status.code(), Some(255));
        said.push(stderr(&output).replace(login, "LOGIN"));
    }
    assert!(
        said[0].contains("Permission denied (publickey)"),
        "{said:?}"
    );
    assert!(said.iter().all(|text| *text == said[0]), "{said:?}");

    let key = KeyFile::new(&forge, "key")
        .await
        .of_account(&forge, &alice)
        .await;
    for (login, gets_in) in [
        ("git", true),
        ("alice", true),
        ("Alice", true),
        ("bob", false),
    ] {
        let user = format!("{login}@127.0.0.1");
        let output = key.ssh(&forge, &[&user], &[]).await;
        let text = stderr(&output);
        assert_eq!(text.contains("Hi alice"), gets_in, "{login}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_repository_answers_a_stranger_as_if_it_did_not_exist() {
    let forge = TestForge::start().await;
    let (alice, bob) = (forge.user("alice").await, forge.user("bob").await);
    create(&forge, &alice, "secret", true).await;
    create(&forge, &alice, "public", false).await;
    let key = KeyFile::new(&forge, "key")
        .await
        .of_account(&forge, &bob)
        .await;
    let ssh = key.git(&forge);
    let source = forge.path("source");
    sample(&source).await;
    for service in ["git-upload-pack", "git-receive-pack"] {
        let mut said = Vec::new();
        for name in ["secret", "absent"] {
            let command = format!("{service} '/alice/{name}.git'");
            let output = key.ssh(&forge, &[], &[&command]).await;
            assert_eq!(output.status.code(), Some(1));
            assert!(output.stdout.is_empty());
            said.push(stderr(&output));
        }
        assert_eq!(said, ["devflow: repository not found\n"; 2]);
    }
    let public = url(&forge, "alice/public.git");
    git(here(&forge), &["-c", &ssh, "ls-remote", &public]).await;
    let said = fails(&source, &["-c", &ssh, "push", &public, "main"]).await;
    assert!(
        said.contains("devflow: you have no right to do this"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_key_ends_at_once_also_on_an_open_connection() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "r", true).await;
    let file = KeyFile::new(&forge, "key").await;
    let owner = domain::keys::KeyOwner::Account(alice.id);
    let key = file.add(&forge, owner, false).await;
    let socket = forge.path("s");
    let socket = socket.to_str().unwrap();
    let mut master = file.command(&forge, &["-M", "-S", socket, "-N"], &[]);
    let master = master.spawn().unwrap();
    while !std::path::Path::new(socket).exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let command = "git-upload-pack 'alice/r.git'";
    let shared = file.ssh(&forge, &["-S", socket], &[command]).await;
    assert!(!shared.stdout.is_empty(), "{}", stderr(&shared));
    forge.forge.keys.remove(owner, key.id).await.unwrap();
    let shared = file.ssh(&forge, &["-S", socket], &[command]).await;
    assert_eq!(shared.status.code(), Some(1));
    assert!(
        stderr(&shared).contains("no longer valid"),
        "{}",
        stderr(&shared)
    );
    let fresh = file.ssh(&forge, &[], &[command]).await;
    assert!(
        stderr(&fresh).contains("Permission denied"),
        "{}",
        stderr(&fresh)
    );
    drop(master);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_key_is_let_into_its_repository_alone() {
    let forge = TestForge::start().await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", true).await;
    let found = forge.forge.repositories.find("alice", "project").await;
    let repository = found.unwrap().unwrap();
    create(&forge, &alice, "public", false).await;
    let source = forge.path("source");
    sample(&source).await;
    let reads = KeyFile::new(&forge, "reads").await;
    let reads = reads
        .of_repository(&forge, &repository, true)
        .await
        .git(&forge);
    let writes = KeyFile::new(&forge, "writes").await;
    let writes = writes
        .of_repository(&forge, &repository, false)
        .await
        .git(&forge);
    let project = url(&forge, "alice/project.git");
    let said = fails(&source, &["-c", &reads, "push", &project, "main"]).await;
    assert!(
        said.contains("devflow: this deploy key may only fetch"),
        "{said}"
    );
    git(&source, &["-c", &writes, "push", "-q", &project, "main"]).await;
    git(
        here(&forge),
        &["-c", &reads, "clone", "-q", &project, "copy"],
    )
    .await;
    for other in ["alice/public.git", "alice/absent.git"] {
        for arguments in [&["ls-remote"][..], &["push", "--mirror"]] {
            let address = url(&forge, other);
            let with = ["-c", &writes];
            let said = fails(&source, &[&with[..], arguments, &[&address]].concat()).await;
            assert!(said.contains("devflow: repository not found"), "{said}");
        }
    }
    // What was pushed with it is said to be by who added it.
    let slot = repository.slot();
    let query = Query::Events {
        slot,
        after: 0,
        limit: 100,
    };
    let answer = forge
        .storage
        .read(slot, ReadPoint::Linearizable, query)
        .await;
    let Ok(Answer::Events(events)) = answer else {
        panic!("{answer:?}");
    };
    let actors = events.events.iter().filter_map(|event| match event.kind {
        Kind::Pushed { actor, .. } => Some(actor.0),
        _ => None,
    });
    assert_eq!(actors.collect::<Vec<_>>(), [alice.id.0.unsigned_abs()]);
}
