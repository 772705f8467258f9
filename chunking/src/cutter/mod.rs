//! Cuts a stream into chunks, whatever the sizes of the pieces it comes in.

#[cfg(test)]
pub(crate) mod golden;
mod scan;
#[cfg(test)]
mod tests;

use std::mem;

use bytes::{Buf, Bytes};

use crate::profile::Profile;
use scan::Scan;

/// Cuts one stream into chunks as its pieces arrive.
///
/// The cut points are those of the 2020 variant of FastCDC for the profile's
/// sizes. They depend on the bytes alone: any way of splitting the stream into
/// pieces gives the same chunks. The chunks put together are the stream.
///
/// Holds less than one largest chunk beyond the piece that it was given. A
/// chunk that lies within one piece is a view of it; only what spans pieces is
/// copied, once.
#[derive(Debug)]
pub struct Cutter {
    scan: Scan,
    /// The start of the chunk that is not finished, when it came in an
    /// earlier piece.
    carry: Vec<u8>,
}

impl Cutter {
    /// A cutter at the start of a stream.
    pub fn new(profile: Profile) -> Self {
        Self {
            scan: Scan::new(profile.sizes()),
            carry: Vec::new(),
        }
    }

    /// Takes the next piece of the stream and hands every chunk that it
    /// completes to `sink`, in order.
    pub fn push(&mut self, mut piece: Bytes, mut sink: impl FnMut(Bytes)) {
        if piece.is_empty() {
            return;
        }
        if self.scan.take_withheld_cut() {
            let last = self.carry.split_off(self.carry.len() - 1);
            sink(owned(mem::replace(&mut self.carry, last)));
        }
        while let Some(end) = self.scan.advance(&piece) {
            if self.carry.is_empty() {
                sink(piece.split_to(end));
            } else {
                self.carry.reserve_exact(end);
                self.carry.extend_from_slice(&piece[..end]);
                piece.advance(end);
                sink(owned(mem::take(&mut self.carry)));
            }
        }
        self.carry.extend_from_slice(&piece);
    }

    /// Ends the stream and hands its last chunk, if bytes are left, to `sink`.
    /// The last chunk may be shorter than the profile's least length; an empty
    /// stream has no chunk.
    pub fn finish(self, sink: impl FnOnce(Bytes)) {
        if !self.carry.is_empty() {
            sink(owned(self.carry));
        }
    }
}

/// Gives back what the buffer reserved and did not use: chunks wait in queues
/// that are limited by their length, not by their capacity.
fn owned(chunk: Vec<u8>) -> Bytes {
    Bytes::from(chunk.into_boxed_slice())
}
