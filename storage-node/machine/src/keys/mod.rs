//! The keys of a group's state, one file per family, and what each holds.
//!
//! A key is the family's tag and then its parts, numbers big-endian, so that
//! keys order as their parts do. What belongs to a slot has the slot first, so
//! that a slot is one range of each family.

mod blob;
mod borders;
mod event;
mod group;
mod hold;
mod pack;
mod reference;
mod replaced;
mod repository;
mod request;
mod upload;

#[cfg(test)]
mod tests;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use blob::{BlobHeader, BlobKey, BlobPartKey, OwnerKey, RemovedKey};
pub(crate) use borders::BordersKey;
pub(crate) use event::{EventKey, Feed, FeedKey};
pub(crate) use group::{CycleKey, HeadKey, MapKey, Seal, Sealed};
pub(crate) use hold::HoldKey;
pub(crate) use pack::{PackKey, PackNumberKey};
pub(crate) use reference::RefKey;
pub(crate) use replaced::ReplacedKey;
pub(crate) use repository::{Record, RepositoryKey};
pub(crate) use request::{Remembered, RequestKey, RequestOrderKey};
use storage_node_api::{RepositoryId, Slot};
pub(crate) use upload::{PartKey, UploadKey, UploadOrderKey};

use crate::fault::Fault;
use crate::reader::Span;

/// The first byte of every key. Stable: stored, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Family {
    Seal = 0x00,
    Head = 0x01,
    Map = 0x02,
    Cycle = 0x03,
    Borders = 0x04,
    Hold = 0x07,
    Request = 0x08,
    RequestOrder = 0x09,
    Upload = 0x0a,
    UploadOrder = 0x0b,
    Part = 0x0c,
    Repository = 0x10,
    Ref = 0x11,
    Pack = 0x12,
    PackNumber = 0x13,
    Replaced = 0x14,
    Blob = 0x20,
    BlobPart = 0x21,
    Owner = 0x22,
    Removed = 0x23,
    Feed = 0x30,
    Event = 0x31,
}

/// The families whose keys begin with a slot, by tag: all that a group has of a slot.
pub(crate) const SLOT_FAMILIES: [Family; 11] = [
    Family::Repository,
    Family::Ref,
    Family::Pack,
    Family::PackNumber,
    Family::Replaced,
    Family::Blob,
    Family::BlobPart,
    Family::Owner,
    Family::Removed,
    Family::Feed,
    Family::Event,
];

/// A key of one family.
pub(crate) trait Key: Sized {
    /// Its tag.
    const FAMILY: Family;

    /// What is stored under it.
    type Value: Serialize + DeserializeOwned;

    /// Appends the parts.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads the parts back.
    fn read(parts: &mut Parts<'_>) -> Option<Self>;

    /// The whole key.
    fn encode(&self) -> Vec<u8> {
        let mut out = vec![Self::FAMILY as u8];
        self.write(&mut out);
        out
    }

    /// The key of its stored form.
    fn decode(key: &[u8]) -> Result<Self, Fault> {
        let family = Self::FAMILY as u8;
        let fault = Fault::Key { family };
        let mut parts = match key.split_first() {
            Some((tag, rest)) if *tag == family => Parts(rest),
            _ => return Err(fault),
        };
        match Self::read(&mut parts) {
            Some(read) if parts.0.is_empty() => Ok(read),
            _ => Err(fault),
        }
    }
}

/// What is left of a key that is being read.
pub(crate) struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn slot(&mut self) -> Option<Slot> {
        self.array().map(u16::from_be_bytes).map(Slot)
    }

    fn repository(&mut self) -> Option<RepositoryId> {
        let slot = self.slot()?;
        let id = self.array().map(RepositoryId)?;
        (id.slot() == slot).then_some(id)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// The keys of a family whose keys begin with a slot, for these slots.
pub(crate) fn of_slots(family: Family, first: Slot, last: Slot) -> Span {
    let key = |slot: u16| {
        let mut key = vec![family as u8];
        write_slot(Slot(slot), &mut key);
        key
    };
    let from = key(first.0);
    Span {
        to: key(last.0.saturating_add(1)).max(from.clone()),
        from,
    }
}

fn write_slot(slot: Slot, out: &mut Vec<u8>) {
    out.extend(slot.0.to_be_bytes());
}

fn write_repository(id: RepositoryId, out: &mut Vec<u8>) {
    write_slot(id.slot(), out);
    out.extend(id.0);
}
