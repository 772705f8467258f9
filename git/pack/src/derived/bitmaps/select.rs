use super::super::Commits;

/// The newest commits all get bitmaps, and so does one in as many as a commit's age in commits
/// divided by this.
const DENSITY: usize = 100;

/// The longest stretch of history without a bitmap, in commits.
const MAX_STRETCH: usize = 5000;

/// The most tips that get bitmaps for being tips.
const MAX_TIPS: usize = 1000;

/// Which commits get bitmaps: the newest tips, and others ever farther apart the older they are, so
/// that a walk from anywhere soon meets one. Gives places in the list, oldest first.
///
/// Of each stretch it takes a commit on the line of first parents from the first tip if there is one:
/// it reaches most.
pub(super) fn select(commits: &Commits, tips: &[u32]) -> Vec<u32> {
    let mut main = vec![false; commits.len()];
    let mut at = tips.first().copied();
    while let Some(place) = at {
        main[place as usize] = true;
        at = commits.parents(place as usize).first().copied();
    }
    let mut newest = tips.to_vec();
    newest.sort_unstable();
    newest.dedup();
    newest.truncate(MAX_TIPS);
    let mut selected = newest;
    let mut start = 0;
    while start < commits.len() {
        let stretch = (start / DENSITY).clamp(1, MAX_STRETCH);
        let end = commits.len().min(start + stretch);
        let on_main = (start..end).rev().find(|place| main[*place]);
        selected.push(on_main.unwrap_or(end - 1) as u32);
        start = end;
    }
    selected.sort_unstable_by_key(|place| std::cmp::Reverse(*place));
    selected.dedup();
    selected
}
