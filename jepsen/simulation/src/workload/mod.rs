//! Clients that do what frontends do, at random, and take down the outcomes.

mod blobs;
mod facts;
mod refs;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use git_id::{HashKind, ObjectId, RefName};
use runtime::Runtime;
use storage_node_api::order::{Command, Reply, Request};
use storage_node_api::{DedupDomain, Effect, RepositoryId, RequestId, Slot, Storage};

use crate::history::{Outcome, Recorder};
use crate::trace::Trace;

pub(crate) use blobs::acknowledged;
pub(crate) use refs::{PAIR, branch};

/// Where chunks of the workload are shared.
pub const DOMAIN: DedupDomain = DedupDomain(7);
/// The slots of the repositories and blobs: one in each group.
pub const SLOTS: [Slot; 2] = [Slot(3), Slot(700)];
/// The longest pause between two operations of one client.
const PAUSE_MILLIS: u64 = 400;

/// One client.
#[derive(Debug)]
pub struct Client {
    pub(crate) number: u64,
    pub(crate) runtime: Runtime,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) recorder: Recorder,
    pub(crate) trace: Trace,
    pub(crate) repositories: Vec<RepositoryId>,
    /// Whether it writes facts.
    pub(crate) writes_facts: bool,
    /// How many things it has named so far.
    made: u64,
    /// What it has last seen of the refs of each repository.
    known: BTreeMap<RepositoryId, BTreeMap<String, ObjectId>>,
}

impl Client {
    /// A client of this number.
    pub fn new(
        number: u64,
        (runtime, storage): (Runtime, Arc<dyn Storage>),
        recorder: Recorder,
        trace: Trace,
        writes_facts: bool,
    ) -> Self {
        Self {
            number,
            runtime,
            storage,
            recorder,
            trace,
            repositories: Vec::new(),
            writes_facts,
            made: 0,
            known: BTreeMap::new(),
        }
    }

    /// A number that no other client and no other call gets.
    fn fresh(&mut self) -> u64 {
        self.made += 1;
        self.number * 100_000 + self.made
    }

    fn request(&self, command: Command) -> Request {
        Request {
            id: RequestId::random(&*self.runtime.random),
            time: self.runtime.clock.now(),
            command,
        }
    }

    fn draw(&self, limit: u64) -> u64 {
        self.runtime.random.below(limit)
    }

    fn repository(&self) -> RepositoryId {
        let index = self.draw(self.repositories.len() as u64);
        self.repositories[usize::try_from(index).unwrap_or(0)]
    }

    /// Makes the repositories and the table. While nothing is wrong.
    pub async fn prepare(&mut self) -> anyhow::Result<Vec<RepositoryId>> {
        for slot in SLOTS {
            let id = RepositoryId::in_slot(slot, &*self.runtime.random);
            let create = Command::CreateRepository {
                id,
                hash: HashKind::Sha1,
                head: RefName::branch("main")?,
                domain: DOMAIN,
            };
            let created = self.storage.propose(slot, self.request(create)).await?;
            anyhow::ensure!(created.reply == Reply::Done, "{created:?}");
            self.repositories.push(id);
        }
        self.make_table().await?;
        Ok(self.repositories.clone())
    }

    /// Does one thing after the other until it is told to stop.
    pub async fn run(mut self, stop: Arc<AtomicBool>) -> Self {
        while !stop.load(Ordering::Relaxed) {
            self.step().await;
            let pause = Duration::from_millis(self.draw(PAUSE_MILLIS));
            self.runtime.clock.sleep(pause).await;
        }
        self
    }

    async fn step(&mut self) {
        match self.draw(100) {
            0..20 => self.put_blob().await.map_or((), drop),
            20..24 => self.remove_blob().await,
            24..30 => self.get_some_blob().await,
            30..55 => self.read_refs(self.repository()).await.map_or((), drop),
            55..85 => self.push_something().await,
            85..95 if self.writes_facts => drop(self.add_row().await),
            _ => self.read_rows().await,
        }
    }

    /// Tells the trace and returns the outcome.
    fn told(&self, what: &str, outcome: Outcome) -> Outcome {
        self.trace
            .event(format_args!("client {}: {what}: {outcome:?}", self.number));
        outcome
    }

    /// Writes into the trace what stood in the way.
    fn why(&self, what: &str, why: &dyn std::fmt::Debug) {
        self.trace
            .event(format_args!("client {}: {what}: {why:?}", self.number));
    }
}

/// What an effect means for the history.
fn outcome_of(effect: Effect) -> Outcome {
    match effect {
        Effect::None => Outcome::Fail,
        Effect::Unknown => Outcome::Unknown,
    }
}
