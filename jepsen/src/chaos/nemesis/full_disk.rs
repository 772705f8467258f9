use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use rand::rngs::StdRng;

use super::{Field, Nemesis};
use crate::chaos::field::SMALL_DISK;

/// The file that takes all room.
const BALLAST: &str = "ballast";
/// Bytes written at once; what is left is then taken in smaller pieces.
const PIECE: usize = 1 << 20;

/// A disk without room. Healing makes room and starts the node again, as an
/// operator would: a node whose log could not be written has stopped its replicas.
pub(super) struct FullDisk;

impl Nemesis for FullDisk {
    fn start(&mut self, field: &mut Field, _: &mut StdRng) -> anyhow::Result<String> {
        let bytes = field.at_data(SMALL_DISK, |data| Ok(fill(&data.join(BALLAST))?))?;
        let name = SMALL_DISK + 1;
        Ok(format!("node{name}: {} MiB of ballast", bytes >> 20))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        field.at_data(SMALL_DISK, |data| Ok(fs::remove_file(data.join(BALLAST))?))?;
        field.kill(SMALL_DISK)?;
        field.start_again(SMALL_DISK)
    }
}

fn fill(ballast: &Path) -> std::io::Result<usize> {
    let mut file = File::create(ballast)?;
    let (mut piece, mut total) = (PIECE, 0);
    let zeros = vec![0; PIECE];
    while piece > 0 {
        match file.write(&zeros[..piece]) {
            Ok(count) if count > 0 => total += count,
            _ => piece /= 2,
        }
    }
    Ok(total)
}
