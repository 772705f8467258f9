//! What clients do while things break, and how they record it.

mod churn;
mod clones;
mod door;
mod names;
mod packs;
mod probe;
mod refs;
mod setup;
mod wire;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::history::{Action, Event, Outcome, Recorder};
use crate::network::Host;

pub(crate) use churn::Kept;
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
    /// What each pusher did, so far.
    pub(crate) logs: Vec<Mutex<Log>>,
    /// What clones came to while things broke.
    pub(crate) clones: Mutex<Clones>,
}

/// Clones by real git that came to an end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clones {
    /// How many were whole.
    pub(crate) whole: usize,
    /// What was wrong with the others.
    pub(crate) wrong: Vec<String>,
}

/// Running clients.
pub(crate) struct Workload {
    clients: Vec<JoinHandle<anyhow::Result<()>>>,
    churn: JoinHandle<anyhow::Result<Vec<Kept>>>,
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
        for number in 0..PUSHERS {
            let directory = directory.join(format!("pusher{number}"));
            clients.push(client(shared, move |shared| {
                packs::push(shared, number, &directory)
            }));
        }
        let reader = directory.join("reader");
        clients.push(client(shared, move |shared| clones::read(shared, &reader)));
        let churner = directory.join("churner");
        let churn = client(shared, move |shared| churn::churn(shared, &churner));
        Self { clients, churn }
    }

    /// Stops them, and returns what must be there.
    pub(crate) fn stop(self, shared: &Shared) -> anyhow::Result<Vec<Kept>> {
        shared.stop.store(true, Ordering::SeqCst);
        let panicked = |_| anyhow::anyhow!("a client panicked");
        for client in self.clients {
            client.join().map_err(panicked)??;
        }
        self.churn.join().map_err(panicked)?
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

    /// Notes what a clone came to.
    fn tell_clone(&self, found: anyhow::Result<()>) {
        let mut clones = self.clones.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(()) => clones.whole += 1,
            Err(error) => clones.wrong.push(format!("{error:#}")),
        }
    }

    /// What clones came to so far.
    pub(crate) fn clones(&self) -> Clones {
        let clones = self.clones.lock().unwrap_or_else(PoisonError::into_inner);
        clones.clone()
    }

    /// What each pusher did so far.
    pub(crate) fn logs(&self) -> Vec<Log> {
        let logs = self.logs.iter();
        logs.map(|log| log.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect()
    }

    /// Logs of nothing, one for each pusher.
    pub(crate) fn empty_logs(owner: &str, run: &str) -> Vec<Mutex<Log>> {
        let logs = (0..PUSHERS).map(|number| Mutex::new(Log::of(owner, run, number)));
        logs.collect()
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
