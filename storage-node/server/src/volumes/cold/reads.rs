//! Reading what lies in an object.

use std::io;

use bytes::Bytes;
use objects::ObjectError;

use super::super::volume::VolumeId;
use super::shelf::Cold;
use super::ticket::{Ticket, mark};

/// Bytes of an object that are fetched and kept together.
const BLOCK_BYTES: u64 = 1 << 20;
/// Most blocks that one read of an object fetches.
const RUN_BLOCKS: u64 = 8;
/// Blocks that are fetched ahead for somebody who reads one after the other.
const AHEAD_BLOCKS: u64 = 3;

/// Why bytes of a cold volume could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::volumes) enum Fault {
    /// The store says that the object is not there, or not all of it.
    #[error("{volume} is not in the cold store any more")]
    Lost { volume: VolumeId },
    /// The store cannot be asked.
    #[error("the cold store cannot be used: {0}")]
    Away(String),
}

/// What is wrong with a cold volume, if this error comes from one.
pub(in crate::volumes) fn fault_of(error: &io::Error) -> Option<&Fault> {
    error.get_ref()?.downcast_ref()
}

impl Cold {
    /// As [`runtime::File::read_at`].
    pub(super) fn read_at(
        &self,
        ticket: &Ticket,
        buf: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        let end = ticket.length.min(offset.saturating_add(buf.len() as u64));
        let mut at = offset;
        while at < end {
            let block = at / BLOCK_BYTES;
            let run = self.run(ticket, block, (end - 1) / BLOCK_BYTES);
            let fetch = |count| self.fetch(ticket, block, count);
            let (blocks, in_memory) = self.cache.get(ticket.volume, block, run, fetch)?;
            self.metrics.cache_hits.inc_by(u64::from(in_memory));
            for (number, bytes) in (block..).zip(blocks) {
                let skip = index(at.saturating_sub(number * BLOCK_BYTES));
                let wanted = index(end - at).min(bytes.len().saturating_sub(skip));
                let to = index(at - offset);
                buf[to..to + wanted].copy_from_slice(&bytes[skip..skip + wanted]);
                at += wanted as u64;
                if at == end {
                    break;
                }
            }
        }
        Ok(index(at.saturating_sub(offset)))
    }

    /// How many blocks from this one on are worth fetching, if they are not there.
    fn run(&self, ticket: &Ticket, block: u64, last: u64) -> u64 {
        let in_order = block > 0 && self.cache.has(ticket.volume, block - 1);
        let ahead = if in_order { AHEAD_BLOCKS } else { 0 };
        let end = ticket.length.div_ceil(BLOCK_BYTES);
        (last + 1 + ahead)
            .min(end)
            .saturating_sub(block)
            .min(RUN_BLOCKS)
    }

    fn fetch(&self, ticket: &Ticket, block: u64, count: u64) -> io::Result<Vec<Bytes>> {
        let from = block * BLOCK_BYTES;
        let to = (from + count * BLOCK_BYTES).min(ticket.length);
        let name = ticket.object(self.owner);
        let read = self.reach.ask(|objects| objects.read(&name, from..to));
        let mut bytes = read.map_err(|error| self.fault(ticket, error))?;
        self.metrics.range_reads.inc();
        self.metrics.range_bytes.inc_by(to - from);
        self.was_fetched(ticket.volume, to - from);
        let mut blocks = Vec::new();
        while !bytes.is_empty() {
            blocks.push(bytes.split_to(bytes.len().min(index(BLOCK_BYTES))));
        }
        Ok(blocks)
    }

    /// What an answer of the store means for a volume.
    pub(super) fn fault(&self, ticket: &Ticket, error: ObjectError) -> io::Error {
        let volume = ticket.volume;
        if self.ticket(volume).is_none() {
            // Removed meanwhile: its records are elsewhere.
            return io::Error::new(io::ErrorKind::NotFound, error);
        }
        let fault = match error {
            ObjectError::Missing { .. } | ObjectError::Short { .. } => match self.has_mark() {
                Ok(true) => {
                    self.suspect();
                    Fault::Lost { volume }
                }
                Ok(false) => Fault::Away(
                    "it has nothing of this node: is it the right bucket and prefix?".to_owned(),
                ),
                Err(error) => Fault::Away(error.to_string()),
            },
            error => Fault::Away(error.to_string()),
        };
        io::Error::other(fault)
    }

    /// Whether the node's mark is in the store.
    pub(super) fn has_mark(&self) -> Result<bool, ObjectError> {
        let mark = mark(self.owner);
        match self.reach.ask(|objects| objects.length(&mark)) {
            Ok(_) => Ok(true),
            Err(ObjectError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
