//! The destination that a command names, and how its work is shown.

use std::sync::Arc;

use anyhow::Context;
use backup::{Destination, Progress, Rate, Totals};
use runtime::{Runtime, Timestamp};

use crate::cli::StoreArguments;

/// What the environment may say about an S3 store.
const VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ALLOW_HTTP",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
];

/// The options of a store that the environment has.
pub(in crate::commands) fn environment() -> Vec<(String, String)> {
    let named = std::env::vars().filter(|(name, _)| VARIABLES.contains(&name.as_str()));
    named
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect()
}

/// The options of a store: those of the environment, then those of the command.
pub(super) fn options(arguments: &StoreArguments) -> Vec<(String, String)> {
    let mut options = environment();
    options.extend(arguments.options.iter().cloned());
    options
}

/// Opens the destination of a command that does not make one.
pub(super) fn open(arguments: &StoreArguments) -> anyhow::Result<Destination> {
    let location = arguments.location()?;
    let opened = Destination::open(&location, &options(arguments), false);
    opened.with_context(|| format!("open the destination {}", arguments.text()))
}

pub(super) fn rate(arguments: &StoreArguments, runtime: &Runtime) -> Arc<Rate> {
    Arc::new(Rate::new(arguments.rate, runtime.clone()))
}

/// Prints lines.
pub(super) struct Printed;

impl Progress for Printed {
    fn say(&self, line: &str) {
        println!("{line}");
    }
}

pub(super) fn totals(totals: &Totals) -> String {
    format!(
        "{} repositories, {} refs, {} packs, {} rows in {} tables, {} events, {} blobs of {}",
        totals.repositories,
        totals.refs,
        totals.packs,
        totals.rows(),
        totals.tables.len(),
        totals.events,
        totals.blobs,
        bytes(totals.blob_bytes)
    )
}

pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} B"),
        10_000..=9_999_999 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// A time of the calendar, in UTC, to the second (days from civil in reverse:
/// years of 400 count 146,097 days and begin in March).
pub(super) fn utc(time: Timestamp) -> String {
    let seconds = time.millis() / 1000;
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    let day = day - (153 * shifted + 2) / 5 + 1;
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z",
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use runtime::Timestamp;

    use super::utc;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59Z"),
            (4_102_444_800_000, "2100-01-01T00:00:00Z"),
        ] {
            assert_eq!(utc(Timestamp(millis)), text);
        }
    }
}
