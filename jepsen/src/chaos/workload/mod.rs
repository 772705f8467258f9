//! What clients do while things break, and how they record it.

mod door;
mod names;
mod packs;
mod probe;
mod refs;
mod setup;
mod wire;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::history::{Action, Event, Outcome, Recorder};
use crate::network::Host;

pub(crate) use door::{Door, Stale};
pub(crate) use names::Names;
pub(crate) use packs::{Log, url};
pub(crate) use probe::Probe;
pub(crate) use refs::Refs;
pub(crate) use setup::prepare;

/// The clients of refs, of groups of refs, and of names.
const CLIENTS: [usize; 3] = [3, 2, 2];
/// Those that push packs by real git.
const PUSHERS: usize = 2;

/// What all clients share.
pub(crate) struct Shared {
    pub(crate) doors: Vec<Door>,
    pub(crate) owner: String,
    pub(crate) recorder: Recorder,
    pub(crate) stop: AtomicBool,
    /// Where they live; nothing for the network of this machine.
    pub(crate) host: Option<Arc<Host>>,
    pub(crate) refs: Refs,
    pub(crate) groups: Refs,
    pub(crate) names: Names,
}

/// Running clients.
pub(crate) struct Workload {
    clients: Vec<JoinHandle<anyhow::Result<()>>>,
    pushers: Vec<JoinHandle<anyhow::Result<Log>>>,
}

impl Workload {
    /// Starts all clients; their git repositories lie below `directory`.
    pub(crate) fn start(shared: &Arc<Shared>, directory: &Path) -> Self {
        let mut clients = Vec::new();
        for number in 0..CLIENTS[0] {
            clients.push(client(shared, move |shared| {
                shared.refs.work(shared, number)
            }));
        }
        for number in 0..CLIENTS[1] {
            clients.push(client(shared, move |shared| {
                shared.groups.work(shared, number)
            }));
        }
        for number in 0..CLIENTS[2] {
            clients.push(client(shared, move |shared| {
                shared.names.work(shared, number)
            }));
        }
        let pushers = (0..PUSHERS).map(|number| {
            let directory = directory.join(format!("pusher{number}"));
            client(shared, move |shared| {
                packs::push(shared, number, &directory)
            })
        });
        let pushers = pushers.collect();
        Self { clients, pushers }
    }

    /// Stops them, and returns what was pushed.
    pub(crate) fn stop(self, shared: &Shared) -> anyhow::Result<Vec<Log>> {
        shared.stop.store(true, Ordering::SeqCst);
        let panicked = |_| anyhow::anyhow!("a client panicked");
        for client in self.clients {
            client.join().map_err(panicked)??;
        }
        let logs = self.pushers.into_iter();
        logs.map(|pusher| pusher.join().map_err(panicked)?)
            .collect()
    }
}

/// Reads every register once more through every frontend, when all is well.
pub(crate) fn read_all(shared: &Shared) -> anyhow::Result<()> {
    for door in &shared.doors {
        shared.refs.read_all(shared, door)?;
        shared.groups.read_all(shared, door)?;
        shared.names.read_all(shared, door)?;
    }
    Ok(())
}

fn client<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> anyhow::Result<T> + Send + 'static,
) -> JoinHandle<anyhow::Result<T>> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        if let Some(host) = &shared.host {
            host.enter()?;
        }
        work(&shared)
    })
}

impl Shared {
    pub(crate) fn is_running(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    /// An event that begins now.
    fn begin(&self, process: String, action: Action, key: &str, door: &Door) -> Event {
        Event {
            process,
            action,
            key: key.to_owned(),
            expected: None,
            value: None,
            through: door.name.clone(),
            invoked_us: self.recorder.now_us(),
            completed_us: 0,
            outcome: Outcome::Unknown,
            answered: false,
            said: String::new(),
        }
    }

    /// Ends and records it.
    fn end(&self, mut event: Event) -> anyhow::Result<()> {
        event.completed_us = self.recorder.now_us();
        self.recorder.add(event)
    }
}
