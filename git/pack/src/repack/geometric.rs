/// How many of the smallest packs to make one of, so that afterwards each pack has at least `factor`
/// times as many objects as all smaller ones it follows on: the number of packs stays logarithmic,
/// and each object is copied that often at most.
///
/// `counts` are the numbers of objects, ascending. 0 and 1 mean that there is nothing to do. The rule is that of `git
/// repack --geometric`.
pub fn geometric_split(counts: &[u32], factor: u32) -> usize {
    let factor = u64::from(factor);
    let fits = |before: u64, after: u32| u64::from(after) >= before.saturating_mul(factor);
    let in_order = counts
        .windows(2)
        .rev()
        .take_while(|pair| fits(u64::from(pair[0]), pair[1]))
        .count();
    let mut split = match counts.len() - in_order {
        0 | 1 => return 0,
        split => split,
    };
    let mut combined: u64 = counts[..split].iter().copied().map(u64::from).sum();
    while split < counts.len() && !fits(combined, counts[split]) {
        combined += u64::from(counts[split]);
        split += 1;
    }
    split
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::geometric_split;

    #[test]
    fn what_is_in_progression_stays() {
        for (counts, expected) in [
            (&[][..], 0),
            (&[5], 0),
            (&[1, 2, 4, 8], 0),
            (&[1, 1, 100], 2),
            (&[3, 3, 3, 3], 4),
            (&[1, 2, 3, 100, 200], 3),
            (&[10, 10, 30, 100], 3),
            (&[0, 0, 1], 0),
        ] {
            assert_eq!(geometric_split(counts, 2), expected, "{counts:?}");
        }
    }

    proptest! {
        #[test]
        fn afterwards_there_is_nothing_to_do(counts: Vec<u16>, factor in 2u32..5) {
            let mut counts: Vec<u32> = counts.into_iter().map(u32::from).collect();
            counts.sort_unstable();
            let split = geometric_split(&counts, factor);
            assert!(split <= counts.len() && split != 1);
            let combined: u32 = counts[..split].iter().sum();
            let mut after = counts.split_off(split);
            if split > 0 {
                after.insert(0, combined);
            }
            assert!(after.windows(2).all(|pair| pair[1] >= pair[0] * factor), "{after:?}");
            assert_eq!(geometric_split(&after, factor), 0);
            assert!(after.len() <= 33, "their number is logarithmic");
        }
    }
}
