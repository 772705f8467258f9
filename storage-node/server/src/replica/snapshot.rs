//! A group's state as a stream of bytes: the machine's pairs in order, each as
//! two lengths (u32, little-endian), key and value.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use kv::{Batch, Direction, Durability, KeyValue, View};
use raft::{Fault, GroupId, SnapshotRead, SnapshotWrite};

use super::{REPLICAS, STATE, prefix, record};

/// Bytes of received pairs in one write to the store.
const BATCH_BYTES: usize = 1 << 20;
/// The most bytes of one key or value; more means a damaged stream.
const MAX_ITEM_BYTES: usize = 64 << 20;

/// Reads one copy out of a consistent view.
pub(super) struct Reading {
    view: Box<dyn View>,
    prefix: Vec<u8>,
    /// The last key that was read, or where to begin.
    after: Bound<Vec<u8>>,
    buffer: BytesMut,
    ended: bool,
}

impl Reading {
    pub(super) fn new(view: Box<dyn View>, group: GroupId, copy: u32) -> Self {
        let prefix = prefix(group, copy);
        let after = Bound::Included(prefix.clone());
        Self {
            view,
            prefix,
            after,
            buffer: BytesMut::new(),
            ended: false,
        }
    }

    fn fill(&mut self, wanted: usize) -> Result<(), Fault> {
        let mut end = self.prefix.clone();
        end.push(u8::MAX);
        let from = match &self.after {
            Bound::Included(key) => Bound::Included(key.as_slice()),
            Bound::Excluded(key) => Bound::Excluded(key.as_slice()),
            Bound::Unbounded => Bound::Unbounded,
        };
        let mut last = None;
        let buffer = &mut self.buffer;
        let skip = self.prefix.len();
        self.view
            .scan(
                STATE,
                (from, Bound::Excluded(end.as_slice())),
                Direction::Ascending,
                &mut |key, value| {
                    put_item(buffer, &key[skip..], value);
                    last = Some(key.to_vec());
                    if buffer.len() >= wanted {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                },
            )
            .map_err(|error| Fault::new("read the state for a snapshot", error))?;
        self.ended = self.buffer.len() < wanted;
        if let Some(key) = last {
            self.after = Bound::Excluded(key);
        }
        Ok(())
    }
}

impl SnapshotRead for Reading {
    fn next(&mut self, max_bytes: usize) -> Result<Option<Bytes>, Fault> {
        if self.buffer.len() < max_bytes && !self.ended {
            self.fill(max_bytes)?;
        }
        let length = self.buffer.len().min(max_bytes);
        Ok((length > 0).then(|| self.buffer.split_to(length).freeze()))
    }
}

/// Writes a received state as a second copy, then switches to it.
pub(super) struct Writing {
    store: Arc<dyn KeyValue>,
    group: GroupId,
    new: u32,
    buffer: BytesMut,
    batch: Batch,
    batch_bytes: usize,
}

impl Writing {
    pub(super) fn begin(store: Arc<dyn KeyValue>, group: GroupId, old: u32) -> Result<Self, Fault> {
        let new = old.wrapping_add(1);
        let mut batch = Batch::new();
        batch.delete_range(STATE, prefix(group, new), end_of(group, new));
        let writing = Self {
            store,
            group,
            new,
            buffer: BytesMut::new(),
            batch,
            batch_bytes: 0,
        };
        Ok(writing)
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.batch_bytes = 0;
        self.store
            .write(std::mem::take(&mut self.batch), Durability::Buffered)
            .map_err(|error| Fault::new("write a received state", error))
    }
}

impl SnapshotWrite for Writing {
    fn part(&mut self, bytes: Bytes) -> Result<(), Fault> {
        self.buffer.extend_from_slice(&bytes);
        while let Some((key, value)) = take_item(&mut self.buffer)? {
            self.batch_bytes += key.len() + value.len();
            let key = [prefix(self.group, self.new).as_slice(), &key].concat();
            self.batch.put(STATE, key, value);
            if self.batch_bytes >= BATCH_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, marker: Bytes) -> Result<(), Fault> {
        if !self.buffer.is_empty() {
            return Err(Fault::new("receive a state", "it ends within a pair"));
        }
        // Earlier writes are never lost while a later one is kept, so the switch proves the copy.
        self.flush()?;
        let mut switch = Batch::new();
        switch.put(
            REPLICAS,
            self.group.0.to_be_bytes().to_vec(),
            record(self.new, &marker),
        );
        // All others, also one of a record that could not be read.
        let first = prefix(self.group, 0);
        switch.delete_range(STATE, first, prefix(self.group, self.new));
        let end = self.group.0.saturating_add(1).to_be_bytes().to_vec();
        switch.delete_range(STATE, end_of(self.group, self.new), end);
        self.store
            .write(switch, Durability::Synced)
            .map_err(|error| Fault::new("switch to a received state", error))
    }
}

fn end_of(group: GroupId, copy: u32) -> Vec<u8> {
    match copy.checked_add(1) {
        Some(next) => prefix(group, next),
        None => group.0.saturating_add(1).to_be_bytes().to_vec(),
    }
}

fn put_item(buffer: &mut BytesMut, key: &[u8], value: &[u8]) {
    for part in [key, value] {
        let length = u32::try_from(part.len()).expect("keys and values are far below 4 GiB");
        buffer.extend_from_slice(&length.to_le_bytes());
    }
    buffer.extend_from_slice(key);
    buffer.extend_from_slice(value);
}

fn take_item(buffer: &mut BytesMut) -> Result<Option<(Bytes, Bytes)>, Fault> {
    let Some((lengths, _)) = buffer.split_first_chunk::<8>() else {
        return Ok(None);
    };
    let length = |at: usize| {
        u32::from_le_bytes([
            lengths[at],
            lengths[at + 1],
            lengths[at + 2],
            lengths[at + 3],
        ]) as usize
    };
    let (key, value) = (length(0), length(4));
    if key > MAX_ITEM_BYTES || value > MAX_ITEM_BYTES {
        return Err(Fault::new(
            "receive a state",
            "a pair is longer than any can be",
        ));
    }
    if buffer.len() < 8 + key + value {
        return Ok(None);
    }
    buffer.advance(8);
    Ok(Some((
        buffer.split_to(key).freeze(),
        buffer.split_to(value).freeze(),
    )))
}
