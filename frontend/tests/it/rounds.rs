//! How often a request waits for the storage. What is asked at once may cross an
//! ocean together; what is asked after an answer crosses it once more. These
//! bounds are exact: who adds a wait changes them knowingly.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chunking::{Chunk, ChunkRef};
use runtime::{ManualClock, Runtime};
use storage_node_api::content::{BeginError, GetError, Held, PutError, Session};
use storage_node_api::map::ClusterMap;
use storage_node_api::metadata::{
    Batch, ExecuteError, Executed, MigrateError, Migration, QueryError, Rows, Statement,
};
use storage_node_api::order::{Answer, Committed, ProposeError, Query, ReadError, Request};
use storage_node_api::{Content, DedupDomain, Metadata, Order, ReadPoint, Slot};
use storage_node_memory::MemoryStorage;
use tokio::sync::{Notify, oneshot};

use crate::clone_and_push::create;
use crate::forge::TestForge;
use crate::git::{commit, git, sample};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A storage whose calls that may leave the region wait until the test has seen
/// all of one round. Those that the nearest replica answers do not wait.
#[derive(Debug)]
struct Gate {
    inner: MemoryStorage,
    closed: AtomicBool,
    waiting: Mutex<Vec<(&'static str, oneshot::Sender<()>)>>,
    changed: Notify,
    /// Whether the chores of the frontend's start are over.
    swept: Notify,
    /// The nearest replica has heard of no facts.
    behind: AtomicBool,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStorage::new(Runtime::real()),
            closed: AtomicBool::new(false),
            waiting: Mutex::default(),
            changed: Notify::new(),
            swept: Notify::new(),
            behind: AtomicBool::new(false),
        })
    }

    async fn pass(&self, what: &'static str) {
        if !self.closed.load(Ordering::SeqCst) {
            return;
        }
        let (go, gone) = oneshot::channel();
        self.waiting.lock().unwrap().push((what, go));
        self.changed.notify_one();
        gone.await.unwrap();
    }

    fn names(&self) -> Vec<&'static str> {
        let waiting = self.waiting.lock().unwrap();
        let mut names: Vec<_> = waiting.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    }

    /// Answers one call that waits.
    fn let_go(&self, what: &str) {
        let mut waiting = self.waiting.lock().unwrap();
        let at = waiting.iter().position(|(name, _)| *name == what);
        let (_, go) = waiting.remove(at.unwrap());
        go.send(()).unwrap();
    }

    /// Waits until exactly these calls wait, and answers them.
    async fn round(&self, expected: &[&str]) {
        let all_wait = async {
            while self.names() != expected {
                self.changed.notified().await;
            }
        };
        let all_wait = tokio::time::timeout(PATIENCE, all_wait).await;
        assert!(all_wait.is_ok(), "{:?}, not {expected:?}", self.names());
        for (_, go) in self.waiting.lock().unwrap().drain(..) {
            go.send(()).unwrap();
        }
    }

    /// Lets the calls of a request go round by round, in which it must end.
    async fn rounds<T>(&self, request: impl Future<Output = T>, expected: &[&[&str]]) -> T {
        self.closed.store(true, Ordering::SeqCst);
        let rounds = async {
            for round in expected {
                self.round(round).await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, async { tokio::join!(request, rounds).0 }).await;
        let Ok(done) = done else {
            panic!("{:?} waits after the last round", self.names());
        };
        self.closed.store(false, Ordering::SeqCst);
        done
    }
}

#[async_trait]
impl Content for Gate {
    async fn begin(&self, domain: DedupDomain) -> Result<Session, BeginError> {
        self.inner.begin(domain).await
    }

    async fn put(&self, session: &Session, chunks: Vec<Chunk>) -> Result<Vec<Held>, PutError> {
        self.pass("put").await;
        self.inner.put(session, chunks).await
    }

    async fn get(&self, domain: DedupDomain, chunks: &[ChunkRef]) -> Result<Vec<Bytes>, GetError> {
        self.pass("get").await;
        self.inner.get(domain, chunks).await
    }
}

#[async_trait]
impl Order for Gate {
    async fn propose(&self, slot: Slot, request: Request) -> Result<Committed, ProposeError> {
        self.pass("propose").await;
        self.inner.propose(slot, request).await
    }

    async fn read(&self, slot: Slot, point: ReadPoint, query: Query) -> Result<Answer, ReadError> {
        if point != ReadPoint::Stale {
            self.pass(match query {
                Query::Refs { .. } => "refs",
                Query::Packs { .. } => "packs",
                _ => "read",
            })
            .await;
        }
        self.inner.read(slot, point, query).await
    }

    async fn map(&self) -> Result<ClusterMap, ReadError> {
        Order::map(&self.inner).await
    }
}

#[async_trait]
impl Metadata for Gate {
    async fn query(&self, point: ReadPoint, statement: Statement) -> Result<Rows, QueryError> {
        if point != ReadPoint::Stale {
            self.pass("facts").await;
        } else if self.behind.load(Ordering::SeqCst) {
            return Ok(Rows {
                rows: Vec::new(),
                changed: 0,
            });
        }
        self.inner.query(point, statement).await
    }

    async fn execute(&self, batch: Batch) -> Result<Executed, ExecuteError> {
        let first = &batch.statements[0].sql;
        let sweeps = first.starts_with("DELETE FROM tokens WHERE kind = 'session'");
        self.pass("execute").await;
        let executed = self.inner.execute(batch).await;
        if sweeps {
            self.swept.notify_one();
        }
        executed
    }

    async fn migrate(&self, migrations: &[Migration]) -> Result<(), MigrateError> {
        self.inner.migrate(migrations).await
    }
}

/// A forge behind a gate, with alice's repository `project` that was pushed to
/// through it, and the URLs with her token and without.
struct Far {
    gate: Arc<Gate>,
    forge: TestForge,
    clock: ManualClock,
    url: String,
}

impl Far {
    async fn start() -> Self {
        let gate = Gate::new();
        let (forge, clock) = TestForge::start_slowly_over(Arc::clone(&gate) as _).await;
        gate.swept.notified().await;
        let alice = forge.user("alice").await;
        create(&forge, &alice, "project", false).await;
        let token = forge.token(&alice, &["write:repository"]).await;
        let url = format!("http://alice:{token}@{}/alice/project.git", forge.address);
        let far = Self {
            gate,
            forge,
            clock,
            url,
        };
        sample(&far.forge.path("work")).await;
        far.push().await;
        far
    }

    async fn push(&self) -> String {
        let work = self.forge.path("work");
        git(&work, &["push", "-q", &self.url, "main"]).await
    }

    async fn change(&self) {
        commit(&self.forge.path("work"), "change", "once more\n").await;
    }
}

/// Git asks first without its credentials, which takes no look at anything, then
/// for the refs, and then it pushes.
const WHO_WHAT_AND_REFS: &[&str] = &["facts", "facts", "refs"];
const PACK_AND_INDEX: &[&str] = &["put", "put"];

#[tokio::test(flavor = "multi_thread")]
async fn a_push_waits_for_what_is_there_for_copies_and_for_the_commit() {
    let far = Far::start().await;
    far.change().await;
    let rounds = [
        WHO_WHAT_AND_REFS,
        WHO_WHAT_AND_REFS,
        PACK_AND_INDEX,
        &["propose"],
    ];
    far.gate.rounds(far.push(), &rounds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_takes_long_has_its_rights_read_anew_as_new_as_can_be() {
    let far = Far::start().await;
    far.change().await;
    let gate = &far.gate;
    let rounds = async {
        for round in [WHO_WHAT_AND_REFS, WHO_WHAT_AND_REFS] {
            gate.round(round).await;
        }
        while gate.names() != PACK_AND_INDEX {
            gate.changed.notified().await;
        }
        far.clock.advance(frontend::limits::RIGHTS_AGE);
        for round in [PACK_AND_INDEX, &["facts", "facts"], &["propose"]] {
            gate.round(round).await;
        }
    };
    let push = async { tokio::join!(far.push(), rounds) };
    gate.rounds(push, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_of_which_the_nearest_replica_has_not_heard_are_read_as_new_as_can_be() {
    let far = Far::start().await;
    far.change().await;
    far.gate.behind.store(true, Ordering::SeqCst);
    let rounds = [
        WHO_WHAT_AND_REFS,
        WHO_WHAT_AND_REFS,
        PACK_AND_INDEX,
        &["facts", "facts"],
        &["propose"],
    ];
    far.gate.rounds(far.push(), &rounds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_waits_once_for_each_of_gits_requests() {
    let far = Far::start().await;
    let url = far.forge.anonymous_url("alice/project.git");
    let list = async || git(far.forge.scratch.path(), &["ls-remote", &url]).await;
    // The advertisement of protocol v2 has no refs in it.
    let rounds: [&[&str]; 2] = [&["facts"], &["facts", "refs"]];
    let listed = far.gate.rounds(list(), &rounds).await;
    assert!(listed.contains("refs/heads/main"), "{listed}");
    // A frontend that has just started learns of the name by the first request.
    let mut far = far;
    far.forge.restart("second").await;
    far.gate.swept.notified().await;
    let url = far.forge.anonymous_url("alice/project.git");
    let list = async || git(far.forge.scratch.path(), &["ls-remote", &url]).await;
    let again = far.gate.rounds(list(), &rounds).await;
    assert_eq!(again, listed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_refused_without_a_wait_for_the_refs_of_a_private_repository() {
    let far = Far::start().await;
    let alice = far.forge.forge.accounts.by_name("alice").await.unwrap();
    create(&far.forge, &alice.unwrap(), "secret", true).await;
    let secret = far.url.replace("project", "secret");
    let work = far.forge.path("work");
    git(&work, &["push", "-q", &secret, "main"]).await;
    // Of protocol v0, whose advertisement has refs in it.
    let path = "/alice/secret.git/info/refs?service=git-upload-pack";
    let gate = &far.gate;
    gate.closed.store(true, Ordering::SeqCst);
    let answered = async {
        let refused = tokio::spawn({
            let address = far.forge.address;
            async move { crate::http::Request::get(path).send(address).await }
        });
        while gate.names() != ["facts", "refs"] {
            gate.changed.notified().await;
        }
        gate.let_go("facts");
        refused.await.unwrap()
    };
    let answer = tokio::time::timeout(PATIENCE, answered).await.unwrap();
    assert_eq!(answer.status, 401);
    assert_eq!(gate.names(), ["refs"]);
    gate.round(&["refs"]).await;
}
