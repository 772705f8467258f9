use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Crew, Examine, ResolveError, Resolver, Start};
use crate::Kind;
use crate::defect::Defect;
use crate::entry::{EntryHeader, Inflater, apply_delta, parse_header};
use crate::objects::MAX_DELTA_CHAIN;

/// Bytes of bases that one worker keeps while their branches are open.
const MAX_HELD_BYTES: usize = 64 << 20;

/// Objects between two looks at whether to go on, and two words to the progress.
const OBJECTS_PER_REPORT: u64 = 64;

/// An object whose deltas are being rebuilt.
pub(super) struct Frame {
    entry: u32,
    kind: Kind,
    /// How many deltas lie between this and the object stored whole.
    depth: usize,
    /// The object; `None` when dropped for want of room or no longer needed.
    data: Option<Arc<Vec<u8>>>,
    /// The next of the deltas that give their distance.
    next: Option<u32>,
    /// The deltas left that name this object.
    named: Vec<u32>,
}

impl Frame {
    fn is_exhausted(&self) -> bool {
        self.next.is_none() && self.named.is_empty()
    }
}

pub(super) struct Worker<'a, X> {
    resolver: &'a Resolver<'a>,
    crew: &'a Crew,
    examiner: &'a mut X,
    inflater: Inflater,
    delta: Vec<u8>,
    spare: Vec<u8>,
    /// Each frame is a delta against the one below.
    stack: Vec<Frame>,
    /// The lowest frame that has its data; all below are exhausted.
    anchor: usize,
    held: usize,
    unreported: u64,
}

type Outcome<T, X> = Result<T, ResolveError<<X as Examine>::Error>>;

impl<'a, X: Examine> Worker<'a, X> {
    pub(super) fn new(resolver: &'a Resolver<'a>, crew: &'a Crew, examiner: &'a mut X) -> Self {
        Self {
            resolver,
            crew,
            examiner,
            inflater: Inflater::new(),
            delta: Vec::new(),
            spare: Vec::new(),
            stack: Vec::new(),
            anchor: 0,
            held: 0,
            unreported: 0,
        }
    }

    /// Works until nobody has anything left to do.
    pub(super) fn run(&mut self, starts: &[Start]) -> Outcome<(), X> {
        while let Some(at) = self.crew.take_start(starts.len()) {
            self.begin(&starts[at])?;
            self.descend()?;
        }
        while let Some(frame) = self.crew.beg() {
            self.push(frame);
            self.descend()?;
        }
        self.report();
        Ok(())
    }

    fn report(&mut self) {
        self.resolver
            .progress
            .advance(std::mem::take(&mut self.unreported));
    }

    fn go_on(&mut self) -> Outcome<(), X> {
        if self.unreported >= OBJECTS_PER_REPORT {
            self.report();
        }
        if self.crew.is_stopped() || self.resolver.cancel.load(Ordering::Relaxed) {
            return Err(ResolveError::Cancelled);
        }
        Ok(())
    }

    fn begin(&mut self, start: &Start) -> Outcome<(), X> {
        self.go_on()?;
        let forest = self.resolver.forest;
        if start
            .id
            .is_some_and(|id| !forest.has_children(start.entry, &id))
        {
            return Ok(());
        }
        let data = match &start.data {
            Some(data) => Arc::clone(data),
            None => {
                let mut data = std::mem::take(&mut self.spare);
                self.inflate_entry(start.entry, &mut data)?;
                Arc::new(data)
            }
        };
        let id = match start.id {
            Some(id) => id,
            None => {
                self.unreported += 1;
                self.examiner
                    .examine(start.entry, start.kind, &data)
                    .map_err(ResolveError::Examine)?
            }
        };
        let named = forest.take_waiting(&id).to_vec();
        let next = forest.first_child(start.entry);
        self.push(Frame {
            entry: start.entry,
            kind: start.kind,
            depth: 0,
            data: Some(data),
            next,
            named,
        });
        Ok(())
    }

    fn descend(&mut self) -> Outcome<(), X> {
        while let Some(top) = self.stack.last_mut() {
            let child = match top.next {
                Some(child) => {
                    top.next = self.resolver.forest.next_sibling(child);
                    child
                }
                None => match top.named.pop() {
                    Some(child) => child,
                    None => {
                        self.pop();
                        continue;
                    }
                },
            };
            self.rebuild_child(child)?;
            if self.crew.wants_offers() {
                self.offer();
            }
        }
        Ok(())
    }

    /// Rebuilds and examines a delta against the top of the stack, and puts it on
    /// top if there are deltas against it.
    fn rebuild_child(&mut self, child: u32) -> Outcome<(), X> {
        self.go_on()?;
        let base = self.top_data()?;
        let mut data = std::mem::take(&mut self.spare);
        self.apply(child, &base, &mut data)?;
        drop(base);
        let top = self.stack.len() - 1;
        let (kind, depth) = (self.stack[top].kind, self.stack[top].depth + 1);
        if depth > MAX_DELTA_CHAIN {
            return Err(self.corrupt(
                child,
                Defect::ChainTooLong {
                    limit: MAX_DELTA_CHAIN,
                },
            ));
        }
        self.unreported += 1;
        let id = self
            .examiner
            .examine(child, kind, &data)
            .map_err(ResolveError::Examine)?;
        let forest = self.resolver.forest;
        let (next, named) = (forest.first_child(child), forest.take_waiting(&id).to_vec());
        if next.is_none() && named.is_empty() {
            self.spare = data;
            return Ok(());
        }
        let exhausted = self.stack[top].is_exhausted();
        self.push(Frame {
            entry: child,
            kind,
            depth,
            data: Some(Arc::new(data)),
            next,
            named,
        });
        if exhausted {
            self.release(top);
            if top == self.anchor {
                self.anchor = top + 1;
            }
        }
        Ok(())
    }

    fn push(&mut self, frame: Frame) {
        self.held += frame.data.as_ref().map_or(0, |data| data.len());
        self.stack.push(frame);
        let top = self.stack.len() - 1;
        let mut lowest = self.anchor + 1;
        while self.held > MAX_HELD_BYTES && lowest < top {
            self.release(lowest);
            lowest += 1;
        }
    }

    fn pop(&mut self) {
        let top = self.stack.len() - 1;
        self.release(top);
        self.stack.pop();
        if top <= self.anchor {
            self.stack.clear();
            self.anchor = 0;
        }
    }

    fn release(&mut self, at: usize) {
        if let Some(data) = self.stack[at].data.take() {
            self.held -= data.len();
            if let Ok(data) = Arc::try_unwrap(data)
                && data.capacity() > self.spare.capacity()
                && data.capacity() <= MAX_HELD_BYTES
            {
                self.spare = data;
            }
        }
    }

    /// The object on top of the stack, rebuilt from the nearest below if it was dropped.
    fn top_data(&mut self) -> Outcome<Arc<Vec<u8>>, X> {
        let top = self.stack.len() - 1;
        let found = (self.anchor..=top)
            .rev()
            .find_map(|at| Some((at, Arc::clone(self.stack[at].data.as_ref()?))));
        let (at, mut data) = found.expect("the anchor keeps its data");
        for dropped in at + 1..=top {
            let mut rebuilt = Vec::new();
            self.apply(self.stack[dropped].entry, &data, &mut rebuilt)?;
            data = Arc::new(rebuilt);
        }
        if at < top {
            self.held += data.len();
            self.stack[top].data = Some(Arc::clone(&data));
        }
        Ok(data)
    }

    /// Gives the largest open branch away, if there is one besides what is on top.
    fn offer(&mut self) {
        let open = self
            .stack
            .iter_mut()
            .find(|frame| !frame.is_exhausted() && frame.data.is_some());
        if let Some(frame) = open {
            let branch = Frame {
                entry: frame.entry,
                kind: frame.kind,
                depth: frame.depth,
                data: frame.data.clone(),
                next: frame.next.take(),
                named: std::mem::take(&mut frame.named),
            };
            if let Err(branch) = self.crew.offer(branch) {
                frame.next = branch.next;
                frame.named = branch.named;
            }
        }
    }

    fn apply(&mut self, entry: u32, base: &[u8], out: &mut Vec<u8>) -> Outcome<(), X> {
        let mut delta = std::mem::take(&mut self.delta);
        self.inflate_entry(entry, &mut delta)?;
        let applied = apply_delta(base, &delta, out, self.resolver.max_object_bytes);
        self.delta = delta;
        applied.map_err(|defect| self.corrupt(entry, defect))
    }

    fn inflate_entry(&mut self, entry: u32, out: &mut Vec<u8>) -> Outcome<(), X> {
        let start = usize::try_from(self.resolver.forest.offset(entry)).unwrap_or(usize::MAX);
        let limit = self.resolver.max_object_bytes;
        let bytes = self.resolver.pack.get(start..).ok_or(Defect::Truncated);
        let result = bytes.and_then(|bytes| {
            let EntryHeader { size, length, .. } = parse_header(bytes, self.resolver.hash)?;
            if size > limit {
                return Err(Defect::TooLarge { size, limit });
            }
            self.inflater.exactly(&bytes[length..], size, out).map(drop)
        });
        result.map_err(|defect| self.corrupt(entry, defect))
    }

    fn corrupt(&self, entry: u32, defect: Defect) -> ResolveError<X::Error> {
        ResolveError::Corrupt {
            offset: self.resolver.forest.offset(entry),
            defect,
        }
    }
}
