use git_services::{ConflictStyle, Labels, merge_text};

use crate::fixture::{directory, run};
use crate::histories::Dice;

const LABELS: Labels<'_> = Labels {
    ours: "ours",
    base: "base",
    theirs: "theirs",
};

/// Changes, removes and adds lines here and there.
fn edited(dice: &mut Dice, base: &[String]) -> Vec<String> {
    let mut text = Vec::new();
    for line in base {
        match dice.roll(14) {
            0 => {}
            1 => text.push(format!("changed {}\n", dice.roll(3))),
            2 => {
                text.push(line.clone());
                text.push(format!("added {}\n", dice.roll(3)));
            }
            _ => text.push(line.clone()),
        }
    }
    text
}

#[test]
fn texts_are_merged_as_git_merges_them() {
    let scratch = directory();
    let (mut clean, mut conflicting) = (0, 0);
    for seed in 0..150 {
        let mut dice = Dice(seed);
        let lines = dice.roll(25);
        let base: Vec<String> = (0..lines)
            .map(|line| format!("line {}\n", line % 17))
            .collect();
        let (ours, theirs) = (edited(&mut dice, &base), edited(&mut dice, &base));
        let (mut base, mut ours, theirs) = (base.concat(), ours.concat(), theirs.concat());
        if dice.roll(5) == 0 {
            ours.truncate(ours.trim_end().len());
            base.truncate(base.trim_end().len());
        }
        for (name, text) in [("base", &base), ("ours", &ours), ("theirs", &theirs)] {
            std::fs::write(scratch.path().join(name), text).unwrap();
        }
        for (style, option) in [
            (ConflictStyle::Merge, None),
            (ConflictStyle::Diff3, Some("--diff3")),
        ] {
            let mut arguments = vec!["merge-file", "-p"];
            arguments.extend(["-L", "ours", "-L", "base", "-L", "theirs"]);
            arguments.extend(option);
            arguments.extend(["ours", "base", "theirs"]);
            let git = run(scratch.path(), "git", &arguments, b"");
            let merged = merge_text(
                base.as_bytes(),
                ours.as_bytes(),
                theirs.as_bytes(),
                &LABELS,
                style,
            );
            let (text, expected) = (
                String::from_utf8(merged.text).unwrap(),
                String::from_utf8(git.stdout).unwrap(),
            );
            assert_eq!(text, expected, "{seed} {style:?}");
            assert_eq!(git.status.code(), Some(merged.conflicts as i32));
            match merged.conflicts {
                0 => clean += 1,
                _ => conflicting += 1,
            }
        }
    }
    assert!(clean > 20 && conflicting > 20, "{clean} {conflicting}");
}
