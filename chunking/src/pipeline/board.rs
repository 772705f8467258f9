//! The work that is to be done, shared between the caller and the workers.
//!
//! Each chunk needs its id, and needs to go through every hash of the stream.
//! Ids can be computed in any order; a stream's hash is a *lane* that takes the
//! chunks one after the other, on whichever thread is free. The oldest work is
//! taken first, so that the window of unfinished chunks stays short.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use bytes::Bytes;

use crate::chunk::Chunk;
use crate::digest::{DigestSet, Hasher, Hashes};
use crate::id::ChunkId;

/// A handle on the shared work.
#[derive(Clone, Debug)]
pub(super) struct Board(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Signalled when work arrives or the board closes; workers wait for it.
    posted: Condvar,
    /// Signalled when work is done; the caller waits for it.
    done: Condvar,
}

#[derive(Debug)]
struct State {
    /// Chunks that are not through everything, the oldest first.
    window: VecDeque<Entry>,
    /// Number of the window's first chunk, counted from the stream's start.
    first: u64,
    /// Bytes in the window.
    bytes: usize,
    /// The first chunk whose id nobody has begun to compute.
    next_id: u64,
    /// The first chunk that has not been handed out.
    next_out: u64,
    lanes: Vec<Lane>,
    idle_workers: usize,
    caller_waits: bool,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    bytes: Bytes,
    id: Option<ChunkId>,
}

/// One hash of the whole stream.
#[derive(Debug)]
struct Lane {
    /// Absent while a thread works with it.
    hasher: Option<Box<Hasher>>,
    /// The first chunk that it has not taken in.
    next: u64,
}

#[derive(Debug)]
enum Job {
    Id {
        number: u64,
        bytes: Bytes,
    },
    Digest {
        lane: usize,
        hasher: Box<Hasher>,
        bytes: Bytes,
    },
}

enum Outcome {
    Id { number: u64, id: ChunkId },
    Digest { lane: usize, hasher: Box<Hasher> },
}

impl Board {
    pub(super) fn new(digests: DigestSet) -> Self {
        let lane = |kind| Lane {
            hasher: Some(Box::new(Hasher::new(kind))),
            next: 0,
        };
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                window: VecDeque::new(),
                first: 0,
                bytes: 0,
                next_id: 0,
                next_out: 0,
                lanes: digests.kinds().map(lane).collect(),
                idle_workers: 0,
                caller_waits: false,
                closed: false,
            }),
            posted: Condvar::new(),
            done: Condvar::new(),
        }))
    }

    /// Adds the stream's next chunk.
    pub(super) fn post(&self, bytes: Bytes) {
        let mut state = self.lock();
        state.bytes += bytes.len();
        state.window.push_back(Entry { bytes, id: None });
        if state.idle_workers > 0 {
            self.0.posted.notify_one();
        }
    }

    /// Works along until at most `limit` bytes are in flight, moving what is
    /// finished to `finished` all the while.
    pub(super) fn help_until_at_most(&self, limit: usize, finished: &mut Vec<Chunk>) {
        let mut state = self.lock();
        loop {
            state.take_finished(finished);
            if state.bytes <= limit {
                return;
            }
            if let Some(job) = state.take_job() {
                drop(state);
                let outcome = job.run();
                state = self.lock();
                state.record(outcome);
                // The lane that is free again may be what a worker waits for.
                if state.idle_workers > 0 {
                    self.0.posted.notify_one();
                }
            } else {
                state.caller_waits = true;
                state = wait(&self.0.done, state);
                state.caller_waits = false;
            }
        }
    }

    /// Moves the chunks whose turn it is and whose id is known to `finished`.
    pub(super) fn take_finished(&self, finished: &mut Vec<Chunk>) {
        self.lock().take_finished(finished);
    }

    /// The hashes of all that was posted; called when nothing is in flight.
    pub(super) fn hashes(&self) -> Hashes {
        let mut hashes = Hashes::default();
        for lane in &mut self.lock().lanes {
            lane.hasher
                .take()
                .expect("nothing is in flight, so no thread works with a lane")
                .finish(&mut hashes);
        }
        hashes
    }

    /// Does work until the board is closed; the body of a worker thread.
    pub(super) fn work(&self) {
        let mut state = self.lock();
        while !state.closed {
            if let Some(job) = state.take_job() {
                drop(state);
                let outcome = job.run();
                state = self.lock();
                state.record(outcome);
                if state.caller_waits {
                    self.0.done.notify_one();
                }
            } else {
                state.idle_workers += 1;
                state = wait(&self.0.posted, state);
                state.idle_workers -= 1;
            }
        }
    }

    /// Sends the workers home, after the job that each is at.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.0.posted.notify_all();
    }

    /// How many handles there are, this one included.
    #[cfg(test)]
    pub(super) fn handles(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect(NO_PANIC)
    }
}

const NO_PANIC: &str = "no thread panics while it holds the board";

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condition.wait(state).expect(NO_PANIC)
}

impl State {
    fn end(&self) -> u64 {
        self.first + self.window.len() as u64
    }

    fn entry(&mut self, number: u64) -> &mut Entry {
        let index = usize::try_from(number - self.first)
            .expect("an unfinished chunk is in the window, which fits in memory");
        &mut self.window[index]
    }

    /// The oldest work that can be done now; a lane before an id, because its
    /// chunks can only go one after the other.
    fn take_job(&mut self) -> Option<Job> {
        let end = self.end();
        let lane = (0..self.lanes.len())
            .filter(|&lane| self.lanes[lane].hasher.is_some() && self.lanes[lane].next < end)
            .min_by_key(|&lane| self.lanes[lane].next);
        match lane {
            Some(lane) if self.lanes[lane].next <= self.next_id => {
                let bytes = self.entry(self.lanes[lane].next).bytes.clone();
                let hasher = self.lanes[lane].hasher.take()?;
                Some(Job::Digest {
                    lane,
                    hasher,
                    bytes,
                })
            }
            _ if self.next_id < end => {
                let number = self.next_id;
                self.next_id += 1;
                let bytes = self.entry(number).bytes.clone();
                Some(Job::Id { number, bytes })
            }
            _ => None,
        }
    }

    fn record(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Id { number, id } => self.entry(number).id = Some(id),
            Outcome::Digest { lane, hasher } => {
                self.lanes[lane].hasher = Some(hasher);
                self.lanes[lane].next += 1;
            }
        }
    }

    fn take_finished(&mut self, finished: &mut Vec<Chunk>) {
        while self.next_out < self.end() {
            let entry = self.entry(self.next_out);
            let Some(id) = entry.id else { break };
            let bytes = entry.bytes.clone();
            finished.push(Chunk { id, bytes });
            self.next_out += 1;
        }
        let through = self.lanes.iter().map(|lane| lane.next);
        let through = through.fold(self.next_out, u64::min);
        while self.first < through {
            let Some(entry) = self.window.pop_front() else {
                break;
            };
            self.bytes -= entry.bytes.len();
            self.first += 1;
        }
    }
}

impl Job {
    fn run(self) -> Outcome {
        match self {
            Self::Id { number, bytes } => Outcome::Id {
                number,
                id: ChunkId::of(&bytes),
            },
            Self::Digest {
                lane,
                mut hasher,
                bytes,
            } => {
                hasher.update(&bytes);
                Outcome::Digest { lane, hasher }
            }
        }
    }
}
