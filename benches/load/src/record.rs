use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Kinds of errors that are told apart; the rest is counted as one.
pub const MAX_KINDS: usize = 16;
/// Stretches of time that a chart shows.
const BUCKETS: u32 = 60;
/// Microseconds in the longest latency that is told apart.
const LONGEST_MICROS: u64 = 3_600_000_000;
/// Decimal digits of a latency that are kept.
const DIGITS: u8 = 3;
const OTHERS: &str = "errors of other kinds";

/// What has been measured so far.
pub(crate) struct Record {
    latencies: Histogram<u64>,
    buckets: Vec<(Histogram<u64>, u64)>,
    bucket: Duration,
    bytes: u64,
    errors: BTreeMap<String, u64>,
    failed: u64,
    warm_up: u64,
    warm_up_failed: u64,
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct Measured {
    /// How long was measured.
    pub elapsed: Duration,
    /// Whether the operations came by a timetable and waited for no answer.
    pub timetable: bool,
    /// Operations that succeeded.
    pub operations: u64,
    /// Operations that did not.
    pub failed: u64,
    /// The same, by message.
    pub errors: BTreeMap<String, u64>,
    /// Operations of the warm-up, failed ones among them; in no other figure.
    pub warm_up: u64,
    /// Failed operations of the warm-up.
    pub warm_up_failed: u64,
    /// Bytes that the operations moved, as they say.
    pub bytes: u64,
    /// The latencies of those that succeeded.
    pub latencies: Figures,
    /// Counts by latency, from the least; bounds in microseconds.
    pub histogram: Vec<(u64, u64)>,
    /// How it went over time.
    pub buckets: Vec<Bucket>,
}

/// Latencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The mean.
    pub mean: Duration,
    /// Half were faster.
    pub p50: Duration,
    /// One in twenty was slower.
    pub p95: Duration,
    /// One in a hundred was slower.
    pub p99: Duration,
    /// The slowest.
    pub max: Duration,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// When it began, after the warm-up.
    pub from: Duration,
    /// Operations that succeeded in it.
    pub operations: u64,
    /// Operations that failed in it.
    pub failed: u64,
    /// Latencies of those that ended in it.
    pub latencies: Figures,
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_MICROS, DIGITS).expect("the bounds are right")
}

impl Record {
    pub(crate) fn new(duration: Duration) -> Self {
        let buckets = (0..BUCKETS).map(|_| {
            let coarse =
                Histogram::new_with_bounds(1, LONGEST_MICROS, 2).expect("the bounds are right");
            (coarse, 0)
        });
        Self {
            latencies: empty(),
            buckets: buckets.collect(),
            bucket: (duration / BUCKETS).max(Duration::from_nanos(1)),
            bytes: 0,
            errors: BTreeMap::new(),
            failed: 0,
            warm_up: 0,
            warm_up_failed: 0,
        }
    }

    /// An operation ended `at` this time after the warm-up, or in it.
    pub(crate) fn ended(
        &mut self,
        at: Option<Duration>,
        latency: Duration,
        result: Result<u64, String>,
    ) {
        let Some(at) = at else {
            self.warm_up += 1;
            self.warm_up_failed += u64::from(result.is_err());
            return;
        };
        let index = usize::try_from(at.as_nanos() / self.bucket.as_nanos()).unwrap_or(usize::MAX);
        let index = index.min(self.buckets.len() - 1);
        match result {
            Ok(bytes) => {
                let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
                let micros = micros.clamp(1, LONGEST_MICROS);
                self.latencies.saturating_record(micros);
                self.buckets[index].0.saturating_record(micros);
                self.bytes += bytes;
            }
            Err(kind) => {
                self.failed += 1;
                self.buckets[index].1 += 1;
                let known = self.errors.len() < MAX_KINDS || self.errors.contains_key(&kind);
                let kind = if known { kind } else { OTHERS.to_owned() };
                *self.errors.entry(kind).or_default() += 1;
            }
        }
    }

    /// Succeeded and failed operations, and bytes.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        (self.latencies.len(), self.failed, self.bytes)
    }

    pub(crate) fn figures(&self) -> Figures {
        figures(&self.latencies)
    }

    pub(crate) fn finish(&self, elapsed: Duration, timetable: bool) -> Measured {
        let started = (0u32..).map(|number| self.bucket * number);
        let buckets = started.zip(&self.buckets);
        let buckets = buckets.take_while(|(from, _)| *from < elapsed);
        Measured {
            elapsed,
            timetable,
            operations: self.latencies.len(),
            failed: self.failed,
            errors: self.errors.clone(),
            warm_up: self.warm_up,
            warm_up_failed: self.warm_up_failed,
            bytes: self.bytes,
            latencies: self.figures(),
            histogram: self
                .latencies
                .iter_log(1, 2.0)
                .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
                .collect(),
            buckets: buckets
                .map(|(from, (latencies, failed))| Bucket {
                    from,
                    operations: latencies.len(),
                    failed: *failed,
                    latencies: figures(latencies),
                })
                .collect(),
        }
    }
}

fn figures(latencies: &Histogram<u64>) -> Figures {
    if latencies.is_empty() {
        return Figures::default();
    }
    let at = |quantile| Duration::from_micros(latencies.value_at_quantile(quantile));
    Figures {
        mean: Duration::from_secs_f64(latencies.mean() / 1e6),
        p50: at(0.5),
        p95: at(0.95),
        p99: at(0.99),
        max: Duration::from_micros(latencies.max()),
    }
}

impl Measured {
    /// Operations that succeeded, a second.
    pub fn per_second(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Bytes a second.
    pub fn bytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// All of it, times in microseconds.
    pub fn to_json(&self) -> Value {
        let figures = |figures: &Figures| {
            json!({
                "mean_us": micros(figures.mean), "p50_us": micros(figures.p50),
                "p95_us": micros(figures.p95), "p99_us": micros(figures.p99),
                "max_us": micros(figures.max),
            })
        };
        let bucket = |bucket: &Bucket| {
            json!({
                "from_us": micros(bucket.from), "operations": bucket.operations,
                "failed": bucket.failed, "latency": figures(&bucket.latencies),
            })
        };
        json!({
            "elapsed_us": micros(self.elapsed),
            "loop": if self.timetable { "open" } else { "closed" },
            "operations": self.operations,
            "failed": self.failed,
            "errors": self.errors,
            "warm_up_operations": self.warm_up,
            "warm_up_failed": self.warm_up_failed,
            "bytes": self.bytes,
            "per_second": self.per_second(),
            "bytes_per_second": self.bytes_per_second(),
            "latency": figures(&self.latencies),
            "histogram": self.histogram,
            "over_time": self.buckets.iter().map(bucket).collect::<Vec<_>>(),
        })
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MAX_KINDS, OTHERS, Record};

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let second = Duration::from_secs(1);
        let mut record = Record::new(60 * second);
        for number in 1..=1000 {
            let latency = Duration::from_millis(number);
            record.ended(Some(second), latency, Ok(10));
        }
        record.ended(None, 9 * second, Ok(1));
        record.ended(None, 9 * second, Err("no".to_owned()));
        let measured = record.finish(10 * second, false);
        assert_eq!((measured.operations, measured.bytes), (1000, 10_000));
        assert_eq!((measured.warm_up, measured.warm_up_failed), (2, 1));
        let close = |actual: Duration, millis: u64| {
            let off = actual.abs_diff(Duration::from_millis(millis));
            assert!(off <= Duration::from_millis(millis) / 100, "{actual:?}");
        };
        close(measured.latencies.p50, 500);
        close(measured.latencies.p95, 950);
        close(measured.latencies.p99, 990);
        close(measured.latencies.max, 1000);
        let counted: u64 = measured.histogram.iter().map(|(_, count)| count).sum();
        assert_eq!(counted, 1000);
        assert_eq!(measured.buckets.len(), 10);
        assert_eq!(measured.buckets[1].operations, 1000);
        assert!((measured.per_second() - 100.0).abs() < 0.001);
    }

    #[test]
    fn failures_are_counted_by_kind_and_have_no_latency() {
        let mut record = Record::new(Duration::from_secs(1));
        for number in 0..100 {
            record.ended(
                Some(Duration::ZERO),
                Duration::ZERO,
                Err(format!("{number}")),
            );
        }
        let measured = record.finish(Duration::from_secs(1), true);
        assert_eq!((measured.operations, measured.failed), (0, 100));
        assert_eq!(measured.errors.len(), MAX_KINDS + 1);
        assert_eq!(measured.errors[OTHERS], 100 - MAX_KINDS as u64);
        assert_eq!(measured.latencies, super::Figures::default());
    }
}
