use std::collections::BTreeSet;

use storage_node_api::Timestamp;

use crate::format::BackupId;

/// Which backups of a cluster stay. What one rule keeps, no other takes away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// So many of the last.
    pub last: u32,
    /// The last one of each of so many days that have any.
    pub daily: u32,
    /// The same of weeks, which begin on Monday.
    pub weekly: u32,
    /// The same of months.
    pub monthly: u32,
}

const DAY_MILLIS: u64 = 86_400_000;

/// The number of the period in which a backup began.
type Period = fn(BackupId) -> u64;

impl Keep {
    /// Whether it keeps nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Those of these backups of one cluster that stay. All times are UTC.
    pub fn of(&self, backups: impl IntoIterator<Item = BackupId>) -> BTreeSet<BackupId> {
        let mut newest_first: Vec<BackupId> = backups.into_iter().collect();
        newest_first.sort_unstable();
        newest_first.reverse();
        let mut kept = BTreeSet::new();
        let rules: [(u32, Period); 4] = [
            (self.last, |id| unique(id)),
            (self.daily, |id| day(id.began())),
            // The first of January 1970 was a Thursday.
            (self.weekly, |id| (day(id.began()) + 3) / 7),
            (self.monthly, |id| month(day(id.began()))),
        ];
        for (count, period) in rules {
            let mut periods = BTreeSet::new();
            for id in &newest_first {
                if periods.len() as u64 >= u64::from(count) {
                    break;
                }
                if periods.insert(period(*id)) {
                    kept.insert(*id);
                }
            }
        }
        kept
    }
}

/// A period of its own for each backup, as long as no two began in one millisecond.
fn unique(id: BackupId) -> u64 {
    id.began().millis()
}

fn day(time: Timestamp) -> u64 {
    time.millis() / DAY_MILLIS
}

/// Months since the year 0, of a day since 1970 (days of a civil calendar whose years begin in
/// March repeat every 400 years, which have 146,097 days).
fn month(day: u64) -> u64 {
    let days = day + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    (era * 400 + year) * 12 + shifted
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::{any, prop, prop_assert, proptest};

    use super::{DAY_MILLIS, Keep, month};
    use crate::format::BackupId;

    fn id(millis: u64) -> BackupId {
        format!("{millis:013}-00000000").parse().unwrap()
    }

    const HOUR: u64 = DAY_MILLIS / 24;

    #[test]
    fn the_last_of_each_period_stays() {
        // Two a day from Monday the 5th of January 1970 for 60 days.
        let start = 4 * DAY_MILLIS;
        let all: Vec<BackupId> = (0..120).map(|n| id(start + n * 12 * HOUR)).collect();
        let at = |day: u64, half: u64| id(start + (2 * day + half) * 12 * HOUR);
        let none = Keep::default();
        for (keep, expected) in [
            (none, vec![]),
            (
                Keep { last: 3, ..none },
                vec![at(58, 1), at(59, 0), at(59, 1)],
            ),
            (Keep { daily: 2, ..none }, vec![at(58, 1), at(59, 1)]),
            // The 60th day is a Thursday; the week before ended on the 56th.
            (Keep { weekly: 2, ..none }, vec![at(55, 1), at(59, 1)]),
            // January ends on the 27th day, February on the 55th.
            (
                Keep { monthly: 9, ..none },
                vec![at(26, 1), at(54, 1), at(59, 1)],
            ),
            (
                Keep {
                    last: 1,
                    daily: 1,
                    weekly: 1,
                    monthly: 1,
                },
                vec![at(59, 1)],
            ),
        ] {
            let expected: BTreeSet<BackupId> = expected.into_iter().collect();
            assert_eq!(keep.of(all.iter().copied()), expected, "{keep:?}");
        }
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        // 31 January and 1 February 1970; 29 February and 1 March 2000; 31 December 2023.
        for (last, first) in [(30, 31), (11_016, 11_017), (19_722, 19_723)] {
            assert_eq!(month(last) + 1, month(first), "{last}");
            assert_eq!(month(last - 20), month(last));
        }
    }

    proptest! {
        #[test]
        fn more_keeps_no_less_and_the_newest_always_stays(
            times in prop::collection::btree_set(0..2_000_000_000_000_u64, 1..60),
            (last, daily, weekly, monthly) in any::<(u8, u8, u8, u8)>(),
        ) {
            let all: Vec<BackupId> = times.into_iter().map(id).collect();
            let keep = Keep {
                last: u32::from(last) % 5,
                daily: u32::from(daily) % 5,
                weekly: u32::from(weekly) % 5,
                monthly: u32::from(monthly) % 5,
            };
            let kept = keep.of(all.iter().copied());
            prop_assert!(kept.contains(all.last().unwrap()) || keep.is_nothing());
            let more = Keep { daily: keep.daily + 1, ..keep };
            prop_assert!(kept.is_subset(&more.of(all.iter().copied())));
        }
    }
}
