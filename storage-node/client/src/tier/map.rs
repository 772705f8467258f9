//! The cluster map as this process knows it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use runtime::Runtime;
use storage_node_api::map::ClusterMap;
use storage_node_api::node::Node;
use storage_node_api::{Generation, MapEpoch};
use tokio::sync::OwnedMutexGuard;

use super::config::Checked;
use super::links::Links;
use super::pace::{Backoff, Deadline};

/// A map older than this is asked for again, behind the back of whoever uses it.
const AGE: Duration = Duration::from_secs(3);
/// A doubted map is not asked for again sooner than this after the last answer.
const DOUBT_AGE: Duration = Duration::from_millis(200);
/// How many nodes are asked at a time.
const ASKED: usize = 5;
/// How long the others are waited for once one node has answered.
const GRACE: Duration = Duration::from_millis(50);

/// The newest map that was seen.
#[derive(Debug)]
pub(super) struct Maps {
    links: Arc<dyn Links>,
    runtime: Runtime,
    config: Checked,
    known: Mutex<Known>,
    /// Held while nodes are asked, so that one asks for all.
    asking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Known {
    map: Option<Arc<ClusterMap>>,
    /// When nodes were last asked; nothing if that was too long ago for sure.
    at: Option<Duration>,
    doubted: bool,
}

/// What can be said of the known map without asking.
enum State {
    Good(Arc<ClusterMap>),
    /// Usable, but old.
    Aged(Arc<ClusterMap>),
    Doubted,
    Nothing,
}

impl Maps {
    pub(super) fn new(links: Arc<dyn Links>, runtime: Runtime, config: Checked) -> Arc<Self> {
        Arc::new(Self {
            links,
            runtime,
            config,
            known: Mutex::default(),
            asking: Arc::default(),
        })
    }

    /// The map, asked for again first if it is doubted; nothing if none was
    /// ever seen and no node answers now.
    pub(super) async fn current(self: &Arc<Self>, deadline: &Deadline) -> Option<Arc<ClusterMap>> {
        match self.state() {
            State::Good(map) => return Some(map),
            State::Aged(map) => {
                self.refresh_behind();
                return Some(map);
            }
            State::Doubted | State::Nothing => {}
        }
        let asking = Arc::clone(&self.asking);
        let guard = deadline.within(deadline.left(), asking.lock_owned()).await;
        // Another may have asked while this waited.
        if let (Some(guard), State::Doubted | State::Nothing) = (guard, self.state()) {
            self.refresh(guard, deadline).await;
        }
        self.known().map.clone()
    }

    /// The map, waited for until one is there.
    pub(super) async fn wait(
        self: &Arc<Self>,
        deadline: &Deadline,
        backoff: &mut Backoff,
    ) -> Option<Arc<ClusterMap>> {
        loop {
            if let Some(map) = self.current(deadline).await {
                return Some(map);
            }
            if !backoff.pause(deadline).await {
                return None;
            }
        }
    }

    /// A node behaves as if the map were old: it is asked for again before the
    /// next use, unless that was done a moment ago.
    pub(super) fn doubt(&self) {
        self.known().doubted = true;
    }

    /// A node says that it knows a newer map.
    pub(super) fn outdated(&self) {
        let mut known = self.known();
        known.doubted = true;
        known.at = None;
    }

    fn state(&self) -> State {
        let known = self.known();
        let now = self.runtime.clock.monotonic();
        let age = known.at.map_or(Duration::MAX, |at| now.saturating_sub(at));
        match &known.map {
            None => State::Nothing,
            Some(_) if known.doubted && age >= DOUBT_AGE => State::Doubted,
            Some(map) if age >= AGE => State::Aged(Arc::clone(map)),
            Some(map) => State::Good(Arc::clone(map)),
        }
    }

    fn refresh_behind(self: &Arc<Self>) {
        let Ok(guard) = Arc::clone(&self.asking).try_lock_owned() else {
            return;
        };
        let maps = Arc::clone(self);
        let deadline = Deadline::after(&self.runtime.clock, self.config.deadline);
        self.runtime.tasks.spawn(
            "refresh the cluster map",
            Box::pin(async move { maps.refresh(guard, &deadline).await }),
        );
    }

    async fn refresh(&self, _asking: OwnedMutexGuard<()>, deadline: &Deadline) {
        let known = self.known().map.clone();
        let answered = match known {
            Some(map) => self.ask(self.some_of(&map), deadline).await,
            None => false,
        };
        if !answered {
            let mut seeds = self.links.seeds();
            seeds.truncate(ASKED);
            self.ask(seeds, deadline).await;
        }
        let mut known = self.known();
        known.at = Some(self.runtime.clock.monotonic());
        known.doubted = false;
    }

    /// The near node and some others, drawn at random.
    fn some_of(&self, map: &ClusterMap) -> Vec<Arc<dyn Node>> {
        let mut nodes: Vec<_> = map
            .nodes
            .iter()
            .map(|node| {
                let far = self.config.near != Some(node.id);
                (far, self.runtime.random.u64(), node)
            })
            .collect();
        nodes.sort_unstable_by_key(|(far, drawn, node)| (*far, *drawn, node.id));
        nodes.truncate(ASKED);
        nodes
            .into_iter()
            .map(|(_, _, node)| self.links.node(node))
            .collect()
    }

    /// Asks until one answers with a newer map, or all have answered, or one
    /// has and the others had their grace. Whether any answered.
    async fn ask(&self, nodes: Vec<Arc<dyn Node>>, deadline: &Deadline) -> bool {
        let mut asked: FuturesUnordered<_> = nodes.iter().map(|node| node.map()).collect();
        let mut answered = false;
        loop {
            let limit = if answered {
                GRACE
            } else {
                self.config.patience
            };
            match deadline.within(limit, asked.next()).await {
                Some(Some(Ok(map))) => {
                    answered = true;
                    if self.learn(map) {
                        return true;
                    }
                }
                Some(Some(Err(error))) => tracing::debug!(%error, "no cluster map from a node"),
                Some(None) | None => return answered,
            }
        }
    }

    /// Takes a map if it is newer; whether it was.
    fn learn(&self, map: ClusterMap) -> bool {
        let mut known = self.known();
        if let Some(current) = &known.map {
            if current.cluster != map.cluster {
                tracing::warn!(found = %map.cluster, "a node has the map of another cluster");
                return false;
            }
            if version(&map) <= version(current) {
                return false;
            }
        }
        known.map = Some(Arc::new(map));
        true
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(map: &ClusterMap) -> (MapEpoch, Generation) {
    (map.epoch, map.generation)
}
