use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::ensure;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Field, Nemesis};

/// A volume's first block, which holds its own header.
const FIRST_BLOCK: u64 = 4096;
/// How many bytes change.
const FLIPS: usize = 8;

/// Bit rot in the volumes of one node. Healing is a scrub, which must find the
/// damage and mend it from the other nodes.
pub(super) struct Corruption;

impl Nemesis for Corruption {
    fn start(&mut self, field: &mut Field, random: &mut StdRng) -> anyhow::Result<String> {
        let node = field.choose_node(random);
        field.kill(node)?;
        let seed = random.random();
        let flipped = field.at_data(node, move |data| {
            flip(data.join("volumes"), seed, FIRST_BLOCK)
        })?;
        field.start_again(node)?;
        Ok(format!("node{}: {flipped} bytes of volumes", node + 1))
    }

    fn heal(&mut self, field: &mut Field) -> anyhow::Result<()> {
        let said = field.cluster.scrub();
        // It fails if something stays damaged, or if a node does not answer.
        ensure!(said.is_ok(), "scrub after corruption: {said:?}");
        Ok(())
    }
}

/// Changes some bytes behind `from` of each file of a directory, where something
/// was written. Returns how many.
pub(super) fn flip(directory: PathBuf, seed: u64, from: u64) -> anyhow::Result<usize> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut flipped = 0;
    for entry in fs::read_dir(directory)? {
        let file = File::options().read(true).write(true).open(entry?.path())?;
        let length = file.metadata()?.len();
        for _ in 0..FLIPS {
            if length <= from {
                break;
            }
            let offset = random.random_range(from..length);
            let mut byte = [0];
            file.read_exact_at(&mut byte, offset)?;
            // Zeros are room that was reserved and not written.
            if byte[0] != 0 {
                file.write_all_at(&[byte[0] ^ (1 << random.random_range(0..8))], offset)?;
                flipped += 1;
            }
        }
    }
    Ok(flipped)
}
