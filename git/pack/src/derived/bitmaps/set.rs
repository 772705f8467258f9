use std::path::Path;

use super::super::file::Damage;
use super::super::midx::{load_midx_order, midx_bitmap_path};
use super::{BitOrder, BitmapFile};
use crate::objects::Objects;

/// The bitmaps of a set of packs.
#[derive(Debug)]
pub(crate) struct Bitmaps {
    order: BitOrder,
    file: BitmapFile,
}

impl Bitmaps {
    /// Reads those of the multi-pack-index of a `pack` directory, or else those beside a pack, of the
    /// largest that has some.
    pub(crate) fn load(objects: &Objects, directory: Option<&Path>) -> Option<Self> {
        directory
            .and_then(|directory| Self::of_midx(objects, directory))
            .or_else(|| {
                let packs = 0..objects.pack_list().len();
                packs.into_iter().find_map(|at| Self::of_pack(objects, at))
            })
    }

    fn of_midx(objects: &Objects, directory: &Path) -> Option<Self> {
        let order = load_midx_order(directory, objects)?;
        let path = midx_bitmap_path(directory, order.checksum());
        Self::with_order(objects, order, &path)
    }

    fn of_pack(objects: &Objects, at: usize) -> Option<Self> {
        let path = objects.pack_list()[at].path().with_extension("bitmap");
        if !path.is_file() {
            return None;
        }
        Self::with_order(objects, BitOrder::of_pack(objects, at), &path)
    }

    fn with_order(objects: &Objects, order: BitOrder, path: &Path) -> Option<Self> {
        let file = BitmapFile::load(path, objects.hash(), order.checksum(), order.count())?;
        Some(Self { order, file })
    }

    /// How many words of 64 bits a bitmap has.
    pub(crate) fn words(&self) -> usize {
        self.order.count().div_ceil(64) as usize
    }

    /// The bit of an object, if it has one.
    pub(crate) fn bit(&self, number: u32) -> Option<u32> {
        self.order.bit(number)
    }

    /// The object that a bit stands for.
    pub(crate) fn number(&self, bit: u32) -> u32 {
        self.order.number(bit)
    }

    /// The bits of all that a commit reaches; `None` if it has no bitmap.
    pub(crate) fn reached_from(&self, bit: u32) -> Option<Result<Vec<u64>, Damage>> {
        let place = self.file.find(self.order.position(bit))?;
        Some(self.file.words(place))
    }
}
