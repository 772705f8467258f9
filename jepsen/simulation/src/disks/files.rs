use std::io;

use runtime::{File, FileHooks};

/// How far ahead of what is written space is reserved: volumes ask for much
/// more, and every node of every seed would pay for it.
const RESERVED_BYTES: u64 = 256 << 10;

/// What a simulated disk does with files, whose syncs may be told to do nothing.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) syncs: bool,
}

impl FileHooks for Disk {
    fn sync_data(&self, file: &dyn File) -> io::Result<()> {
        if self.syncs { file.sync_data() } else { Ok(()) }
    }

    fn allocate(&self, file: &dyn File, up_to: u64) -> io::Result<()> {
        let reserved = file.len()?.saturating_add(RESERVED_BYTES);
        file.allocate(up_to.min(reserved))
    }
}
