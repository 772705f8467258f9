//! Rebuilds all objects of a pack that are stored as deltas, each exactly once,
//! in parallel.
//!
//! Deltas form trees below the objects stored whole. Workers take whole trees from
//! the list of starts and walk them depth first; a worker without work is given
//! the open branches of another. The stack of bases that a worker keeps has a
//! limit in bytes; what was dropped is rebuilt when it is needed again.

mod forest;
mod worker;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use git_id::{HashKind, ObjectId};

pub(crate) use forest::{DeltaForest, ForestBuilder};
use worker::{Frame, Worker};

use crate::defect::Defect;
use crate::{Kind, Progress};

/// Sees every object once, in no particular order; one per thread.
pub(crate) trait Examine: Send {
    type Error: Send;

    /// Looks at the object of an entry and says what its name is.
    fn examine(&mut self, entry: u32, kind: Kind, data: &[u8]) -> Result<ObjectId, Self::Error>;
}

/// Why rebuilding stopped.
#[derive(Debug)]
pub(crate) enum ResolveError<E> {
    Corrupt { offset: u64, defect: Defect },
    Examine(E),
    Cancelled,
}

/// An object stored whole from which deltas can be rebuilt.
pub(crate) struct Start {
    pub(crate) entry: u32,
    pub(crate) kind: Kind,
    /// Its name, if it was examined before.
    pub(crate) id: Option<ObjectId>,
    /// Its content, if it is not in the pack's bytes.
    pub(crate) data: Option<Arc<Vec<u8>>>,
}

/// A pack whose deltas are to be rebuilt.
pub(crate) struct Resolver<'a> {
    pub(crate) hash: HashKind,
    /// The pack from its header to the end of its last entry.
    pub(crate) pack: &'a [u8],
    pub(crate) forest: &'a DeltaForest,
    pub(crate) max_object_bytes: u64,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) cancel: &'a AtomicBool,
}

impl Resolver<'_> {
    /// Examines everything that grows from `starts` (and those that were not
    /// examined before), with as many threads as there are examiners.
    pub(crate) fn run<X: Examine>(
        &self,
        starts: &[Start],
        examiners: &mut [X],
    ) -> Result<(), ResolveError<X::Error>> {
        let crew = Crew::new(examiners.len());
        std::thread::scope(|scope| {
            let workers: Vec<_> = examiners
                .iter_mut()
                .map(|examiner| {
                    let crew = &crew;
                    scope.spawn(move || {
                        let mut leaving = Leaving { crew, failed: true };
                        let result = Worker::new(self, crew, examiner).run(starts);
                        leaving.failed = result.is_err();
                        result
                    })
                })
                .collect();
            let mut outcome = Ok(());
            for worker in workers {
                let result = worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                if outcome.is_ok()
                    || matches!(outcome, Err(ResolveError::Cancelled)) && result.is_err()
                {
                    outcome = result;
                }
            }
            outcome
        })
    }
}

/// What the workers of one run share.
struct Crew {
    next_start: AtomicUsize,
    /// How many wait for work.
    hungry: AtomicUsize,
    /// Somebody failed: everybody stops.
    stopped: AtomicBool,
    offers: Mutex<Offers>,
    changed: Condvar,
}

struct Offers {
    frames: VecDeque<Frame>,
    /// How many may still offer something.
    working: usize,
}

impl Crew {
    fn new(workers: usize) -> Self {
        Self {
            next_start: AtomicUsize::new(0),
            hungry: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            offers: Mutex::new(Offers {
                frames: VecDeque::new(),
                working: workers,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Offers> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_start(&self, count: usize) -> Option<usize> {
        let next = self.next_start.fetch_add(1, Ordering::Relaxed);
        (next < count).then_some(next)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn wants_offers(&self) -> bool {
        self.hungry.load(Ordering::Relaxed) > 0
    }

    /// Hands a branch to whoever waits; there are never more on offer than wait.
    fn offer(&self, frame: Frame) -> Result<(), Frame> {
        let mut offers = self.lock();
        if offers.frames.len() >= self.hungry.load(Ordering::Relaxed) {
            return Err(frame);
        }
        offers.frames.push_back(frame);
        drop(offers);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for a branch of somebody else; `None` when all is done.
    fn beg(&self) -> Option<Frame> {
        let mut offers = self.lock();
        offers.working -= 1;
        self.hungry.fetch_add(1, Ordering::Relaxed);
        let frame = loop {
            if self.is_stopped() {
                break None;
            }
            if let Some(frame) = offers.frames.pop_front() {
                break Some(frame);
            }
            if offers.working == 0 {
                break None;
            }
            offers = self
                .changed
                .wait(offers)
                .unwrap_or_else(PoisonError::into_inner);
        };
        self.hungry.fetch_sub(1, Ordering::Relaxed);
        if frame.is_some() {
            offers.working += 1;
        } else {
            self.changed.notify_all();
        }
        frame
    }
}

/// A worker that ends; if it failed or panicked, nobody goes on.
struct Leaving<'a> {
    crew: &'a Crew,
    failed: bool,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self.failed {
            let offers = self.crew.lock();
            self.crew.stopped.store(true, Ordering::Relaxed);
            drop(offers);
            self.crew.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    use git_id::{HashKind, ObjectId};

    use super::{DeltaForest, Examine, ForestBuilder, ResolveError, Resolver, Start};
    use crate::defect::Defect;
    use crate::entry::{Representation, deflate, push_base_distance, push_type_and_size};
    use crate::hashing::object_id;
    use crate::{Kind, NoProgress};

    /// A pack being made, without header.
    #[derive(Default)]
    struct Made {
        bytes: Vec<u8>,
        builder: ForestBuilder,
    }

    impl Made {
        fn push(&mut self, representation: Representation, data: &[u8]) -> u64 {
            let offset = self.bytes.len() as u64;
            self.builder.push(offset, &representation).unwrap();
            push_type_and_size(&mut self.bytes, &representation, data.len() as u64);
            match representation {
                Representation::Whole(_) => {}
                Representation::Offset(distance) => push_base_distance(&mut self.bytes, distance),
                Representation::Reference(base) => self.bytes.extend_from_slice(base.as_bytes()),
            }
            deflate(data, &mut self.bytes);
            offset
        }

        /// A delta that appends bytes to the object at `base`, which has `size` bytes.
        fn append(&mut self, base: u64, size: usize, tail: &[u8]) -> u64 {
            let mut delta = Vec::new();
            for mut number in [size, size + tail.len()] {
                while number >= 0x80 {
                    delta.push(0x80 | (number & 0x7f) as u8);
                    number >>= 7;
                }
                delta.push(number as u8);
            }
            delta.push(0xf0);
            delta.extend_from_slice(&size.to_le_bytes()[..3]);
            delta.push(tail.len() as u8);
            delta.extend_from_slice(tail);
            let distance = self.bytes.len() as u64 - base;
            self.push(Representation::Offset(distance), &delta)
        }
    }

    struct Names<'a>(&'a Mutex<BTreeSet<(u32, ObjectId)>>);

    impl Examine for Names<'_> {
        type Error = std::convert::Infallible;

        fn examine(
            &mut self,
            entry: u32,
            kind: Kind,
            data: &[u8],
        ) -> Result<ObjectId, Self::Error> {
            let id = object_id(HashKind::Sha1, kind, data).unwrap();
            assert!(
                self.0.lock().unwrap().insert((entry, id)),
                "each object once"
            );
            Ok(id)
        }
    }

    fn run(
        bytes: &[u8],
        forest: &DeltaForest,
        threads: usize,
    ) -> Result<BTreeSet<(u32, ObjectId)>, ResolveError<std::convert::Infallible>> {
        let found = Mutex::default();
        let mut examiners: Vec<_> = (0..threads).map(|_| Names(&found)).collect();
        let cancel = AtomicBool::new(false);
        let resolver = Resolver {
            hash: HashKind::Sha1,
            pack: bytes,
            forest,
            max_object_bytes: 1 << 30,
            progress: &NoProgress,
            cancel: &cancel,
        };
        let start = Start {
            entry: 0,
            kind: Kind::Blob,
            id: None,
            data: None,
        };
        resolver.run(&[start], &mut examiners)?;
        drop(examiners);
        Ok(found.into_inner().unwrap())
    }

    #[test]
    fn a_deep_chain_with_branches_stays_within_memory_and_is_complete() {
        let size = 1 << 20;
        let mut content: Vec<u8> = (0..size).map(|at: u32| (at ^ at >> 7) as u8).collect();
        let mut made = Made::default();
        let mut expected = BTreeSet::new();
        let mut base = made.push(Representation::Whole(Kind::Blob), &content);
        expected.insert((0, object_id(HashKind::Sha1, Kind::Blob, &content).unwrap()));
        let mut number = 0;
        for step in 0..100u8 {
            let next = made.append(base, content.len(), &[step, 1]);
            made.append(base, content.len(), &[step, 2, 3]);
            for tail in [&[step, 1][..], &[step, 2, 3]] {
                number += 1;
                let object = [&content, tail].concat();
                expected.insert((
                    number,
                    object_id(HashKind::Sha1, Kind::Blob, &object).unwrap(),
                ));
            }
            content.extend_from_slice(&[step, 1]);
            base = next;
        }
        let forest = made.builder.finish();
        for threads in [1, 4] {
            assert!(
                run(&made.bytes, &forest, threads).unwrap() == expected,
                "{threads}"
            );
        }
    }

    #[test]
    fn a_failure_in_one_thread_ends_all() {
        let mut made = Made::default();
        let base = made.push(Representation::Whole(Kind::Blob), b"content");
        for tail in 0..100 {
            made.append(base, if tail == 70 { 6 } else { 7 }, &[tail]);
        }
        let forest = made.builder.finish();
        for threads in [1, 3] {
            let error = run(&made.bytes, &forest, threads).unwrap_err();
            assert!(matches!(
                error,
                ResolveError::Corrupt {
                    defect: Defect::BadDelta,
                    ..
                }
            ));
        }
    }
}
