//! A storage that fails in the ways that a real one does, and pushes that get
//! through it nevertheless.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkRef};
use runtime::Runtime;
use storage_node_api::content::{BeginError, GetError, Held, PutError, Session};
use storage_node_api::map::ClusterMap;
use storage_node_api::metadata::{
    Batch, ExecuteError, Executed, MigrateError, Migration, QueryError, Rows, Statement,
};
use storage_node_api::order::{
    Answer, Command, Committed, ProposeError, Query, ReadError, Refusal, Reply, Request,
};
use storage_node_api::{Content, DedupDomain, GroupId, Metadata, Order, ReadPoint, Slot, Token};
use storage_node_memory::MemoryStorage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::clone_and_push::create;
use crate::forge::TestForge;
use crate::git::{fails, git, inventory, sample};
use crate::http::{self, Answer as HttpAnswer};
use crate::lfs;

/// What a storage does to the next pushes, one each.
#[derive(Clone, Debug)]
enum Trouble {
    /// The collector moved on: the push is refused.
    Expired,
    /// The leader is lost before it does anything.
    LostBefore,
    /// The leader is lost after it did everything.
    LostAfter,
    /// There is no leader.
    NoLeader,
    /// No disk has room.
    Full,
}

#[derive(Debug)]
struct Troubled {
    inner: MemoryStorage,
    pushes: Mutex<Vec<Trouble>>,
    /// So many puts fail.
    failing_puts: AtomicUsize,
    put_error: PutError,
    puts: AtomicUsize,
    ids: Mutex<Vec<storage_node_api::RequestId>>,
}

impl Troubled {
    fn new(pushes: &[Trouble]) -> Arc<Self> {
        Self::with_puts(pushes, 0, PutError::NoQuorum { held: 0, needed: 1 })
    }

    fn with_puts(pushes: &[Trouble], failing_puts: usize, put_error: PutError) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStorage::new(Runtime::real()),
            pushes: Mutex::new(pushes.iter().rev().cloned().collect()),
            failing_puts: AtomicUsize::new(failing_puts),
            put_error,
            puts: AtomicUsize::new(0),
            ids: Mutex::default(),
        })
    }
}

#[async_trait]
impl Content for Troubled {
    async fn begin(&self, domain: DedupDomain) -> Result<Session, BeginError> {
        self.inner.begin(domain).await
    }

    async fn put(&self, session: &Session, chunks: Vec<Chunk>) -> Result<Vec<Held>, PutError> {
        self.puts.fetch_add(1, Ordering::Relaxed);
        let fails = self
            .failing_puts
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
        match fails {
            Ok(_) => Err(self.put_error.clone()),
            Err(_) => self.inner.put(session, chunks).await,
        }
    }

    async fn get(&self, domain: DedupDomain, chunks: &[ChunkRef]) -> Result<Vec<Bytes>, GetError> {
        self.inner.get(domain, chunks).await
    }
}

#[async_trait]
impl Order for Troubled {
    async fn propose(&self, slot: Slot, request: Request) -> Result<Committed, ProposeError> {
        if !matches!(request.command, Command::CheckedPush { .. }) {
            return self.inner.propose(slot, request).await;
        }
        self.ids.lock().unwrap().push(request.id);
        let trouble = self.pushes.lock().unwrap().pop();
        let group = GroupId(16);
        match trouble {
            None => self.inner.propose(slot, request).await,
            Some(Trouble::Expired) => Ok(Committed {
                token: Token { group, index: 1 },
                reply: Reply::Refused(Refusal::SessionExpired),
            }),
            Some(Trouble::LostBefore) => Err(ProposeError::Interrupted { group }),
            Some(Trouble::LostAfter) => {
                self.inner.propose(slot, request).await?;
                Err(ProposeError::Interrupted { group })
            }
            Some(Trouble::NoLeader) => Err(ProposeError::NoLeader { group }),
            Some(Trouble::Full) => Err(ProposeError::Full),
        }
    }

    async fn read(&self, slot: Slot, point: ReadPoint, query: Query) -> Result<Answer, ReadError> {
        self.inner.read(slot, point, query).await
    }

    async fn map(&self) -> Result<ClusterMap, ReadError> {
        Order::map(&self.inner).await
    }
}

#[async_trait]
impl Metadata for Troubled {
    async fn query(&self, point: ReadPoint, statement: Statement) -> Result<Rows, QueryError> {
        self.inner.query(point, statement).await
    }

    async fn execute(&self, batch: Batch) -> Result<Executed, ExecuteError> {
        self.inner.execute(batch).await
    }

    async fn migrate(&self, migrations: &[Migration]) -> Result<(), MigrateError> {
        self.inner.migrate(migrations).await
    }
}

async fn over(storage: Arc<Troubled>) -> TestForge {
    let forge = TestForge::start_over(storage, |_| {}).await;
    let alice = forge.user("alice").await;
    create(&forge, &alice, "project", false).await;
    sample(&forge.path("work")).await;
    forge
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_gets_through_what_passes() {
    use Trouble::{Expired, LostAfter, LostBefore, NoLeader};
    let cases: &[(&[Trouble], usize)] = &[
        (&[NoLeader, NoLeader], 1),
        (&[LostBefore], 1),
        (&[LostAfter], 1),
        (&[Expired, Expired], 3),
        (&[Expired, LostBefore, NoLeader, LostAfter], 2),
    ];
    for (troubles, expected_ids) in cases {
        let storage = Troubled::new(troubles);
        let forge = over(Arc::clone(&storage)).await;
        let work = forge.path("work");
        git(
            &work,
            &[
                "push",
                "-q",
                &forge.url("alice", "alice/project.git"),
                "main",
            ],
        )
        .await;
        let mut ids = storage.ids.lock().unwrap().clone();
        assert_eq!(ids.len(), troubles.len() + 1, "{troubles:?}");
        ids.dedup();
        assert_eq!(
            ids.len(),
            *expected_ids,
            "{troubles:?}: a retry has the same id"
        );
        let clone = forge.path("clone");
        let url = forge.anonymous_url("alice/project.git");
        git(
            forge.scratch.path(),
            &["clone", "-q", &url, clone.to_str().unwrap()],
        )
        .await;
        let tip = git(&work, &["rev-parse", "HEAD"]).await;
        assert_eq!(
            git(&clone, &["rev-parse", "HEAD"]).await,
            tip,
            "{troubles:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_taken_after_a_cycle_of_the_collector() {
    let storage = Troubled::with_puts(&[], 0, PutError::SessionExpired);
    let forge = over(Arc::clone(&storage)).await;
    let content = lfs::bytes(1, 100_000);
    storage.failing_puts.store(1, Ordering::Relaxed);
    let path = format!("/alice/project.git/info/lfs/objects/{}", lfs::oid(&content));
    let put = http::Request::new("PUT", &format!("{path}/100000")).by("alice");
    let put = put.body("application/octet-stream", content.clone());
    assert_eq!(forge.send(put).await.status, 200);
    assert_eq!(forge.get(&path).await.body, content);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_were_not_put_are_put_again_from_quarantine() {
    // A session that is too old is renewed three times before the upload fails.
    for (error, failing) in [
        (PutError::SessionExpired, 2),
        (PutError::SessionExpired, 6),
        (PutError::NoQuorum { held: 1, needed: 2 }, 2),
    ] {
        let storage = Troubled::with_puts(&[], failing, error);
        let mut forge = over(Arc::clone(&storage)).await;
        let work = forge.path("work");
        git(
            &work,
            &[
                "push",
                "-q",
                &forge.url("alice", "alice/project.git"),
                "main",
            ],
        )
        .await;
        assert!(storage.puts.load(Ordering::Relaxed) > failing);
        // From the storage, not from the cache of the frontend that took it.
        forge.restart("second").await;
        let clone = forge.path("clone");
        let url = forge.anonymous_url("alice/project.git");
        git(
            forge.scratch.path(),
            &["clone", "-q", &url, clone.to_str().unwrap()],
        )
        .await;
        git(&work, &["tag", "-d", "v1", "light"]).await;
        git(&work, &["branch", "-q", "-D", "feature/x"]).await;
        assert_eq!(inventory(&clone).await, inventory(&work).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_storage_refuses_the_push_and_serves_the_rest() {
    for storage in [
        Troubled::new(&[Trouble::Full]),
        Troubled::with_puts(&[], usize::MAX, PutError::Full),
    ] {
        let forge = over(storage).await;
        let work = forge.path("work");
        let url = forge.url("alice", "alice/project.git");
        let said = fails(&work, &["push", &url, "main"]).await;
        assert!(
            said.contains("not stored") || said.contains("unavailable"),
            "{said}"
        );
        assert_eq!(git(&work, &["ls-remote", &url]).await, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_during_a_push_pushes_nothing() {
    let forge = over(Troubled::new(&[])).await;
    let alice = forge
        .forge
        .accounts
        .by_name("alice")
        .await
        .unwrap()
        .unwrap();
    let token = forge.token(&alice, &["write:repository"]).await;
    let work = forge.path("work");
    let tip = git(&work, &["rev-parse", "HEAD"]).await;
    std::fs::write(work.join("revisions"), format!("{tip}\n")).unwrap();
    let packed = std::process::Command::new("git")
        .current_dir(&work)
        .args(["pack-objects", "--revs", "--stdout", "-q"])
        .stdin(std::fs::File::open(work.join("revisions")).unwrap())
        .output()
        .unwrap()
        .stdout;
    let line = format!("{} {tip} refs/heads/main\0 report-status\n", "0".repeat(40));
    let mut body = format!("{:04x}{line}0000", line.len() + 4).into_bytes();
    body.extend_from_slice(&packed);
    let request = http::Request::new("POST", "/alice/project.git/git-receive-pack").token(&token);
    let request = request.body("application/x-git-receive-pack-request", body.clone());
    let mut stream = TcpStream::connect(forge.address).await.unwrap();
    stream
        .write_all(format!("{}\r\n", request.head()).as_bytes())
        .await
        .unwrap();
    stream.write_all(&body[..body.len() - 10]).await.unwrap();
    // The push has begun once its quarantine is there.
    while std::fs::read_dir(forge.cache().join("quarantine"))
        .unwrap()
        .count()
        == 0
    {
        tokio::task::yield_now().await;
    }
    forge.forge.tokens.revoke(alice.id, "0").await.unwrap();
    stream.write_all(&body[body.len() - 10..]).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let said = HttpAnswer::parse(&bytes).text();
    assert!(
        said.contains("ng refs/heads/main you may no longer push"),
        "{said}"
    );
    assert_eq!(
        git(
            &work,
            &["ls-remote", &forge.url("alice", "alice/project.git")]
        )
        .await,
        ""
    );
}
