//! How fast nodes are, for `devflow cluster status`.

use std::time::Duration;

use serde_json::{Value, json};
use storage_node_api::health::HealthReport;

/// In words.
pub(super) fn line(report: &HealthReport) -> String {
    let figure = |took: Option<Duration>| match took {
        Some(took) => format!("{:.1} ms", took.as_secs_f64() * 1000.0),
        None => "nothing to measure".to_owned(),
    };
    let figures = format!(
        "log syncs {}, volume writes {}, a majority answers in {}",
        figure(report.log),
        figure(report.volumes),
        figure(report.peers),
    );
    match report.slow {
        Some(of) => format!("SLOW at {of}, leads only where no other can; {figures}"),
        None => figures,
    }
}

/// For programs: milliseconds, null where there was too little to measure.
pub(super) fn to_json(report: &HealthReport) -> Value {
    let millis = |took: Option<Duration>| took.map(|took| took.as_secs_f64() * 1000.0);
    json!({
        "slow": report.slow.map(|of| of.to_string()),
        "log_sync_ms": millis(report.log),
        "volume_write_ms": millis(report.volumes),
        "majority_answer_ms": millis(report.peers),
    })
}
