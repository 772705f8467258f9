//! Histories that follow a seed.

use std::fmt::Write as _;

use git_id::HashKind;

use crate::fixture::{Repository, git_bytes};

/// Numbers that follow a seed (Knuth's linear congruential generator).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A script for `git fast-import`: commits on three branches with merges of up to three parents, clocks
/// that go wrong now and then, files that are changed, deleted, renamed and brought back.
fn script(dice: &mut Dice, commits: u32) -> String {
    let mut script = String::new();
    let mut tips = [0u32; 3];
    for number in 1..=commits {
        let branch = dice.roll(3) as usize;
        let wrong = if dice.roll(20) == 0 {
            dice.roll(1_000_000)
        } else {
            0
        };
        let when = 1_500_000_000 + u64::from(number) * 600 - wrong;
        writeln!(script, "commit refs/heads/branch{branch}\nmark :{number}").unwrap();
        writeln!(
            script,
            "committer C <c@example.com> {when} +0000\ndata 1\n{}",
            number % 10
        )
        .unwrap();
        let parent = if tips[branch] == 0 {
            number - 1
        } else {
            tips[branch]
        };
        if parent > 0 {
            writeln!(script, "from :{parent}").unwrap();
            for (other, tip) in tips.iter().enumerate() {
                if other != branch && *tip > 0 && *tip != parent && dice.roll(8) == 0 {
                    writeln!(script, "merge :{tip}").unwrap();
                }
            }
        }
        for _ in 0..=dice.roll(3) {
            let path = format!(
                "dir{}/sub{}/file{}",
                dice.roll(4),
                dice.roll(3),
                dice.roll(6)
            );
            match dice.roll(12) {
                0 if number > 1 => writeln!(script, "D {path}").unwrap(),
                1 if number > 1 => writeln!(script, "D dir{}", dice.roll(4)).unwrap(),
                _ => {
                    let version = dice.roll(50);
                    let lines = 1 + version % 7 * 40;
                    let content: String = (0..lines)
                        .map(|line| {
                            format!("line {line} of {path} as of {}\n", version * (line % 9 / 8))
                        })
                        .collect();
                    writeln!(
                        script,
                        "M 100644 inline {path}\ndata {}\n{content}",
                        content.len()
                    )
                    .unwrap();
                }
            }
        }
        tips[branch] = number;
    }
    script
}

/// A repository with a history that follows a seed, in several packs as pushes leave them behind: thin
/// ones, completed.
pub(crate) fn random(hash: HashKind, seed: u64, commits: u32, pushes: usize) -> Repository {
    let mut dice = Dice(seed);
    let source = Repository::empty(hash);
    let input = script(&mut dice, commits);
    git_bytes(
        source.path(),
        &["fast-import", "--quiet", "--force"],
        input.as_bytes(),
    );
    source.git(&["repack", "-q", "-adf"]);
    let target = Repository::empty(hash);
    let order = source.git(&["rev-list", "--all", "--reverse", "--topo-order"]);
    let order: Vec<&str> = order.lines().collect();
    let mut before = String::new();
    for push in 1..=pushes {
        let tip = order[order.len() * push / pushes - 1];
        let pack = source.pack(
            &format!("{tip}\n{before}"),
            &["--thin", "--delta-base-offset"],
        );
        if pack.len() > 32 && pack[8..12] != [0; 4] {
            target.index(&pack);
        }
        writeln!(before, "^{tip}").unwrap();
    }
    for branch in ["branch0", "branch1", "branch2"] {
        let tip = source.id(branch);
        let pack = source.pack(
            &format!("{tip}\n{before}"),
            &["--thin", "--delta-base-offset"],
        );
        if pack[8..12] != [0; 4] {
            target.index(&pack);
        }
        writeln!(before, "^{tip}").unwrap();
        target.git(&[
            "update-ref",
            &format!("refs/heads/{branch}"),
            &tip.to_string(),
        ]);
    }
    target.git(&["symbolic-ref", "HEAD", "refs/heads/branch0"]);
    target.git(&["tag", "-a", "-m", "annotated", "v1", order[order.len() / 2]]);
    target.git(&["tag", "-a", "-m", "of a tag", "v2", "v1"]);
    target
}
