use std::time::Duration;

use crate::record::Measured;
use crate::text::duration;

/// Columns of the longest bar.
const WIDEST: u64 = 50;

/// How many operations took how long, as bars of text.
pub fn histogram(measured: &Measured) -> String {
    let all = &measured.histogram;
    let Some(first) = all.iter().position(|(_, count)| *count > 0) else {
        return String::new();
    };
    let most = all.iter().map(|(_, count)| *count).max().unwrap_or(1);
    let mut text = String::new();
    for (bound, count) in &all[first..] {
        let bar = "█".repeat(usize::try_from((count * WIDEST).div_ceil(most)).unwrap_or(0));
        let bound = duration(Duration::from_micros(*bound));
        text.push_str(&format!("up to {bound:>9} {count:>9} {bar}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::histogram;
    use crate::record::Record;

    #[test]
    fn the_longest_bar_is_that_of_the_most() {
        let mut record = Record::new(Duration::from_secs(1));
        for (millis, times) in [(1, 10), (10, 100), (100, 1)] {
            for _ in 0..times {
                record.ended(Some(Duration::ZERO), Duration::from_millis(millis), Ok(0));
            }
        }
        let text = histogram(&record.finish(Duration::from_secs(1), false));
        let bars: Vec<usize> = text.lines().map(|line| line.matches('█').count()).collect();
        assert_eq!(bars.iter().max(), Some(&50), "{text}");
        assert_eq!(bars.iter().filter(|bar| **bar > 0).count(), 3, "{text}");
        assert_eq!(bars.first(), Some(&5), "{text}");
        let empty = Record::new(Duration::from_secs(1));
        assert_eq!(histogram(&empty.finish(Duration::from_secs(1), false)), "");
    }
}
