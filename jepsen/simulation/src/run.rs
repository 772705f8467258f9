//! One run: a cluster, clients, faults, and what it comes to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runtime::{Random, SeededRandom};

use crate::collector;
use crate::divider;
use crate::entropy;
use crate::history::Recorder;
use crate::invariants::{self, Evidence};
use crate::mutation::Mutation;
use crate::nemesis::Nemesis;
use crate::observer::Observer;
use crate::trace::Trace;
use crate::workload::Client;
use crate::world::{Shape, World};

/// How often replicas are held against each other.
const SAMPLE: Duration = Duration::from_millis(50);

/// What a seed decides about a run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Of the cluster.
    pub shape: Shape,
    /// How many clients.
    pub clients: u64,
    /// Whether facts are written, and logs are never cut: facts in memory come
    /// back from the log only.
    pub facts: bool,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Which seed.
    pub seed: u64,
    /// How many events there were.
    pub events: u64,
    /// The hash of the trace.
    pub trace: String,
    /// How many operations of clients were acknowledged.
    pub acknowledged: usize,
    /// How often a replica was seen to have fallen asleep.
    pub sleeps: usize,
    /// How much simulated time passed.
    pub simulated: Duration,
    /// What was found wrong.
    pub faults: Vec<String>,
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64, broken: Option<Mutation>) -> Self {
        let random = SeededRandom::new(seed ^ 0x706c_616e);
        let facts = random.below(4) > 0;
        let nodes = if random.below(5) == 0 { 5 } else { 3 };
        Self {
            shape: Shape {
                seed,
                nodes,
                snapshot_entries: if facts {
                    1_000_000
                } else {
                    20 + random.below(30)
                },
                // So short that groups sleep between two operations of clients.
                hibernate_after: Duration::from_millis(20 + random.below(400)),
                broken,
                timing: None,
            },
            clients: 2 + random.below(3),
            facts,
        }
    }
}

/// Runs one seed. To be called once in a process, on its main thread: see
/// [`entropy`].
pub fn run(seed: u64, broken: Option<Mutation>, shown: bool) -> anyhow::Result<Verdict> {
    entropy::follow(seed);
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    Ok(tokio.block_on(observed(Plan::of(seed, broken), shown)))
}

async fn observed(plan: Plan, shown: bool) -> Verdict {
    let began = tokio::time::Instant::now();
    let trace = Trace::begin(shown);
    let observer = Observer::new(trace.clone());
    let recorder = Recorder::default();
    let result = Box::pin(play(&plan, &observer, &recorder)).await;
    if let Err(error) = result {
        observer.fault("liveness", format!("{error:#}"));
    }
    let (events, hash) = trace.digest();
    let operations = recorder.operations();
    let acknowledged = operations
        .iter()
        .filter(|operation| operation.outcome == crate::history::Outcome::Ok);
    Verdict {
        seed: plan.shape.seed,
        events,
        trace: hash,
        acknowledged: acknowledged.count(),
        sleeps: observer.sleeps(),
        simulated: began.elapsed(),
        faults: observer.faults(),
    }
}

async fn play(plan: &Plan, observer: &Observer, recorder: &Recorder) -> anyhow::Result<()> {
    let mut world = World::new(&plan.shape, observer.clone()).await?;
    let trace = observer.trace();
    let mut clients = Vec::new();
    for number in 0..plan.clients {
        let near = world.nodes().get(usize::try_from(number)?).copied();
        let access = world.client(number, near)?;
        let client = Client::new(number, access, recorder.clone(), trace.clone(), plan.facts);
        clients.push(client);
    }
    let repositories = clients[0].prepare().await?;
    world.network.break_rule(plan.shape.broken);
    let stop = Arc::new(AtomicBool::new(false));
    let mut working = Vec::new();
    for mut client in clients {
        client.repositories.clone_from(&repositories);
        working.push(tokio::spawn(client.run(Arc::clone(&stop))));
    }
    let (network, watcher) = (world.network.clone(), observer.clone());
    let sampling = tokio::spawn(async move {
        loop {
            watcher.replicas(&network.running());
            tokio::time::sleep(SAMPLE).await;
        }
    });
    let collecting = tokio::spawn(collector::run(world.network.clone(), plan.shape.seed));
    let dividing = divider::run(world.network.clone(), plan.shape.seed, plan.shape.broken);
    let dividing = tokio::spawn(dividing);
    let struck = Nemesis::new(plan).run(&mut world).await;
    stop.store(true, Ordering::Relaxed);
    collecting.abort();
    dividing.abort();
    let mut clients = Vec::new();
    for work in working {
        clients.push(work.await?);
    }
    if !observer.faults().is_empty() {
        // What follows from the first fault says no more.
        return Ok(());
    }
    struck?;
    let mut evidence = Evidence {
        plan,
        world: &mut world,
        observer,
        recorder,
        repositories: &repositories,
    };
    invariants::hold(&mut evidence, &mut clients).await?;
    sampling.abort();
    Ok(())
}

impl Verdict {
    /// One line about it.
    pub fn line(&self) -> String {
        format!(
            "seed {}: {}, {} operations acknowledged and {} sleeps in {} s, {} events, trace {}",
            self.seed,
            if self.faults.is_empty() {
                "ok"
            } else {
                "FAILED"
            },
            self.acknowledged,
            self.sleeps,
            self.simulated.as_secs(),
            self.events,
            self.trace
        )
    }
}
