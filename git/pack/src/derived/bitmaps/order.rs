use git_id::ObjectId;

use crate::objects::Objects;

/// Stands for no bit.
const NONE: u32 = u32::MAX;

/// Which object each bit of a bitmap file stands for.
#[derive(Debug)]
pub(crate) struct BitOrder {
    /// Of the pack or multi-pack-index.
    checksum: ObjectId,
    /// For each bit, the object's number.
    numbers: Vec<u32>,
    /// For each bit, the object's position in the index.
    positions: Vec<u32>,
    /// For each number, the bit.
    bits: Vec<u32>,
}

impl BitOrder {
    /// The order of a pack: that of its entries.
    pub(crate) fn of_pack(objects: &Objects, at: usize) -> Self {
        let pack = &objects.pack_list()[at];
        let positions = pack.by_offset().to_vec();
        let number = |position: &u32| canonical(objects, at, *position);
        let numbers = positions.iter().map(number).collect();
        Self::new(objects, pack.checksum(), numbers, positions)
    }

    /// The order in which these objects are, given by number and position in the index.
    pub(crate) fn new(
        objects: &Objects,
        checksum: ObjectId,
        numbers: Vec<u32>,
        positions: Vec<u32>,
    ) -> Self {
        let mut bits = vec![NONE; objects.packed_objects() as usize];
        for (bit, number) in numbers.iter().enumerate() {
            bits[*number as usize] = bit as u32;
        }
        Self {
            checksum,
            numbers,
            positions,
            bits,
        }
    }

    pub(crate) fn checksum(&self) -> ObjectId {
        self.checksum
    }

    /// How many objects have bits.
    pub(crate) fn count(&self) -> u32 {
        self.numbers.len() as u32
    }

    pub(crate) fn number(&self, bit: u32) -> u32 {
        self.numbers[bit as usize]
    }

    /// The position in the index of the object that a bit stands for.
    pub(crate) fn position(&self, bit: u32) -> u32 {
        self.positions[bit as usize]
    }

    /// The bit of an object, if it has one.
    pub(crate) fn bit(&self, number: u32) -> Option<u32> {
        let bit = self.bits.get(number as usize).copied();
        bit.filter(|bit| *bit != NONE)
    }
}

/// The number under which the object at a position of a pack is found.
pub(crate) fn canonical(objects: &Objects, pack: usize, position: u32) -> u32 {
    let held = &objects.pack_list()[pack];
    if pack == 0 && !held.has_duplicates() {
        return objects.number(pack, position);
    }
    let found = objects.find_packed(held.id_bytes(position));
    let (pack, position) = found.unwrap_or((pack, position));
    objects.number(pack, position)
}
