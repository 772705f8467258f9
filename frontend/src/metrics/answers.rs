use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use git_serve::AnswerCounts;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Shows what git-serve counts of packs that several clients are sent.
#[derive(Debug)]
pub(super) struct AnswerCollector(pub(super) AnswerCounts);

impl Collector for AnswerCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.0;
        let counters = [
            ("answers_made", "Packs made for whoever asks", &counts.made),
            (
                "answers_shared",
                "Clients sent a pack that was made for another",
                &counts.shared,
            ),
            (
                "answers_alone",
                "Packs made for one client, for want of room",
                &counts.alone,
            ),
        ];
        for (name, help, count) in counters {
            let counter = ConstCounter::new(read(count));
            let metric = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(metric)?;
        }
        let kept = ConstGauge::new(i64::try_from(read(&counts.kept_bytes)).unwrap_or(i64::MAX));
        let help = "Bytes of packs that are kept since they were asked for again";
        let metric =
            encoder.encode_descriptor("answers_kept_bytes", help, None, kept.metric_type())?;
        kept.encode(metric)
    }
}
