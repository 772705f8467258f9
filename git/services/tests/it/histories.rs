//! Histories that follow a seed.

use std::fmt::Write as _;

use crate::fixture::Repository;

/// Numbers that follow a seed (Knuth's linear congruential generator).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Commits on three branches with merges of up to three parents, clocks that go wrong now and then, files
/// that are changed, deleted, renamed and brought back.
pub(crate) fn random(seed: u64, commits: u32) -> Repository {
    let mut dice = Dice(seed);
    let (mut script, mut tips) = (String::new(), [0u32; 3]);
    for number in 1..=commits {
        let branch = dice.roll(3) as usize;
        let wrong = if dice.roll(20) == 0 {
            dice.roll(3000)
        } else {
            0
        };
        let when = 1_500_000_000 + u64::from(number) * 600 - wrong;
        writeln!(script, "commit refs/heads/branch{branch}\nmark :{number}").unwrap();
        let who = format!("<c@example.com> {when} +0000");
        writeln!(
            script,
            "author A {who}\ncommitter C {who}\ndata <<E\nnumber {number}\nE"
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
            change(&mut script, &mut dice, number);
        }
        tips[branch] = number;
    }
    let repository = Repository::new();
    repository.git_bytes(&["fast-import", "--quiet", "--force"], script.as_bytes());
    repository
}

fn change(script: &mut String, dice: &mut Dice, number: u32) {
    let path = format!(
        "dir{}/sub{}/file{}",
        dice.roll(4),
        dice.roll(3),
        dice.roll(6)
    );
    match dice.roll(14) {
        0 if number > 1 => writeln!(script, "D {path}").unwrap(),
        1 if number > 1 => writeln!(script, "D dir{}/sub{}", dice.roll(4), dice.roll(3)).unwrap(),
        2 => {
            let version = dice.roll(3);
            writeln!(script, "M 100755 inline top{version}\ndata 2\nx\n").unwrap();
        }
        _ => {
            let version = dice.roll(50);
            let lines = 1 + version % 7 * 20;
            let content: String = (0..lines)
                .map(|line| format!("line {line} as of {}\n", version * (line % 9 / 8)))
                .collect();
            let length = content.len();
            writeln!(script, "M 100644 inline {path}\ndata {length}\n{content}").unwrap();
        }
    }
}
