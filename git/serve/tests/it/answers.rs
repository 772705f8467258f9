//! Packs that several clients are sent.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use git_id::HashKind;
use git_pack::Objects;
use git_serve::bare::{BareRepository, Caller};
use git_serve::{
    AnswerCounts, Answers, Mode, Output, Policy, ProtocolVersion, PushSession, RefSnapshot,
    Repository, RepositoryError, Shared, upload_pack,
};
use git_wire::pkt::{put_data, put_delimiter, put_flush};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;

use crate::sandbox::Sandbox;

const ROOM: u64 = 1 << 30;

/// A bare repository whose answers are shared.
struct Sharing {
    repository: BareRepository,
    shared: Shared,
}

#[async_trait]
impl Repository for Sharing {
    fn hash(&self) -> HashKind {
        self.repository.hash()
    }

    async fn refs(&self) -> Result<Arc<RefSnapshot>, RepositoryError> {
        self.repository.refs().await
    }

    async fn objects(&self) -> Result<Objects, RepositoryError> {
        self.repository.objects().await
    }

    fn shared(&self) -> Option<Shared> {
        Some(self.shared.clone())
    }

    async fn begin_push(&self) -> Result<Box<dyn PushSession>, RepositoryError> {
        self.repository.begin_push().await
    }
}

struct World {
    sandbox: Sandbox,
    runtime: Runtime,
    answers: Arc<Answers>,
    counts: AnswerCounts,
}

impl World {
    fn new(room: u64) -> Self {
        let sandbox = Sandbox::new();
        // Two packs, so that no stored pack is the answer.
        let served = sandbox.history("served.git", 40);
        sandbox.at(&served, &["repack", "-dq"]);
        sandbox.import(&served, 40..60);
        sandbox.at(&served, &["repack", "-dq"]);
        let counts = AnswerCounts::default();
        let directory = sandbox.path("answers");
        std::fs::create_dir(&directory).unwrap();
        Self {
            answers: Arc::new(Answers::new(directory, room, counts.clone())),
            counts,
            sandbox,
            runtime: Runtime::new().unwrap(),
        }
    }

    /// The request of a clone.
    fn request(&self, more: &[&str]) -> Vec<u8> {
        let served = self.sandbox.path("served.git");
        let tips = ["for-each-ref", "--format=want %(objectname)"];
        let tips = self.sandbox.at(&served, &tips);
        let mut request = BytesMut::new();
        put_data(&mut request, b"command=fetch\n");
        put_delimiter(&mut request);
        let rest = ["ofs-delta", "no-progress", "done"];
        for line in tips.lines().chain(rest).chain(more.iter().copied()) {
            put_data(&mut request, format!("{line}\n").as_bytes());
        }
        put_flush(&mut request);
        request.to_vec()
    }

    /// Begins to serve a client.
    fn ask(&self, scope: &str, request: Vec<u8>) -> Receiver<Bytes> {
        let path = self.sandbox.path("served.git");
        let sharing = Sharing {
            repository: BareRepository::open(&path, &Caller::default()).unwrap(),
            shared: Shared {
                answers: Arc::clone(&self.answers),
                scope: scope.as_bytes().to_vec(),
            },
        };
        let (output, receiver) = Output::channel();
        self.runtime.spawn(async move {
            let version = ProtocolVersion::V2;
            let policy = Policy::default();
            upload_pack(
                &sharing,
                &policy,
                version,
                Mode::Stateless,
                &*request,
                output,
            )
            .await
        });
        receiver
    }

    fn read(&self, mut receiver: Receiver<Bytes>) -> Vec<u8> {
        self.runtime.block_on(async {
            let mut bytes = Vec::new();
            while let Some(piece) = receiver.recv().await {
                bytes.extend_from_slice(&piece);
            }
            bytes
        })
    }

    fn clone(&self, scope: &str) -> Vec<u8> {
        self.read(self.ask(scope, self.request(&[])))
    }

    fn made_and_shared(&self) -> (u64, u64) {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (count(&self.counts.made), count(&self.counts.shared))
    }
}

fn nothing_is_left_in(directory: &Path) -> bool {
    directory.read_dir().unwrap().next().is_none()
}

#[test]
fn identical_clones_share_one_pack_and_one_that_does_not_read_holds_up_nobody() {
    let world = World::new(ROOM);
    let stuck = world.ask("one", world.request(&[]));
    let waiting: Vec<_> = (0..8)
        .map(|_| world.ask("one", world.request(&[])))
        .collect();
    let answers: Vec<_> = waiting
        .into_iter()
        .map(|client| world.read(client))
        .collect();
    let stuck = world.read(stuck);
    assert!(stuck.len() > 1000 && stuck.ends_with(b"0000"));
    assert!(answers.iter().all(|answer| *answer == stuck));
    let (made, shared) = world.made_and_shared();
    assert_eq!(made + shared, 9);
    assert!(made < 9, "{made} were made");
    assert!(nothing_is_left_in(&world.sandbox.path("answers")));
}

#[test]
fn what_is_asked_for_again_is_kept_and_others_ask_for_something_else() {
    let world = World::new(ROOM);
    let first = world.clone("one");
    assert_eq!(world.made_and_shared(), (1, 0));
    assert_eq!(world.clone("one"), first);
    assert_eq!(world.made_and_shared(), (2, 0), "once was not enough");
    assert_eq!(world.clone("one"), first);
    assert_eq!(world.made_and_shared(), (2, 1), "twice is");
    // Another repository, and another request.
    assert_eq!(world.clone("two"), first);
    assert_eq!(world.made_and_shared(), (3, 1));
    let shallow = world.read(world.ask("one", world.request(&["deepen 1"])));
    assert!(shallow.len() < first.len());
    assert_eq!(world.made_and_shared(), (4, 1));
}

#[test]
fn without_room_each_client_has_its_own() {
    let world = World::new(10);
    let first = world.clone("one");
    assert_eq!(world.clone("one"), first);
    assert_eq!(world.made_and_shared(), (0, 0));
    assert_eq!(world.counts.alone.load(Ordering::Relaxed), 2);
}

#[test]
fn one_who_goes_away_takes_nothing_from_those_who_stay() {
    let world = World::new(ROOM);
    let gone = world.ask("one", world.request(&[]));
    let stays = world.ask("one", world.request(&[]));
    drop(gone);
    let answer = world.read(stays);
    assert!(answer.ends_with(b"0000"));
    assert_eq!(world.clone("one"), answer);
}

#[test]
fn a_stored_pack_is_sent_as_it_lies() {
    let world = World::new(ROOM);
    let served = world.sandbox.path("served.git");
    world.sandbox.at(&served, &["repack", "-adq"]);
    let first = world.clone("one");
    assert_eq!(world.clone("one"), first);
    assert_eq!(world.clone("one"), first);
    assert_eq!(world.made_and_shared(), (3, 0));
    assert_eq!(world.counts.kept_bytes.load(Ordering::Relaxed), 0);
}
