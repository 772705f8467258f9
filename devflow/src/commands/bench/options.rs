//! The words of `devflow bench`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use benches_load::Plan;
use clap::{Args, Subcommand};

/// Drives a forge or a storage tier that runs already, and prints throughput,
/// latencies (p50, p95, p99), errors and a chart. What it makes there is named
/// `devflow-bench-…` and removed at the end, also after an interrupt.
///
/// Without --rate it is a closed loop: each worker asks, waits, and asks again,
/// so that a server that stalls is asked less meanwhile and latencies look better
/// than what users would have felt (coordinated omission). With --rate the
/// operations are due by a timetable and latencies count from when they were due.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Writes and reads blobs of some sizes: by --data straight at the storage
    /// nodes, by --url as files in pushes and fetches.
    Blobs(BlobsArguments),
    /// Small commits, each pushed to a branch.
    Refs(RefsArguments),
    /// Full clones, many at a time, over new connections.
    Clones(ClonesArguments),
}

/// What is driven, and by whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    /// A frontend or an all-in-one server, such as http://127.0.0.1:3000
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Who, with --password-file; a token is made for the run and revoked
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub(crate) user: Option<String>,
    /// A file with the password; `-` for standard input
    #[arg(long, value_name = "FILE", requires = "user")]
    pub(crate) password_file: Option<PathBuf>,
    /// A file with an access token that may write repositories; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    pub(crate) token_file: Option<PathBuf>,
}

/// How long and how hard.
#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    /// Operations under way at a time; several numbers make several runs
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "8")]
    pub(crate) concurrency: Vec<usize>,
    /// Operations a second by a timetable, instead of as fast as answers come
    #[arg(long, value_name = "PER SECOND")]
    pub(crate) rate: Option<f64>,
    /// Seconds that each run is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    pub(crate) seconds: f64,
    /// Seconds before, in no figure
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    pub(crate) warm_up: f64,
    /// Seconds that one operation may take before it counts as failed
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    pub(crate) limit: f64,
    /// Writes a page with charts of latency over time
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Prints JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BlobsArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The data directory of a frontend or node of the cluster, for its identity
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    pub(crate) data: Option<PathBuf>,
    /// Sizes, such as 64KiB,1MiB; each is a run of its own
    #[arg(long, value_name = "SIZE,…", value_delimiter = ',', default_value = "1MiB", value_parser = size)]
    pub(crate) size: Vec<usize>,
    /// Writes only
    #[arg(long)]
    pub(crate) write_only: bool,
    #[command(flatten)]
    pub(crate) load: Load,
}

#[derive(Debug, Args)]
pub(crate) struct RefsArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Repositories that the workers push to, each to branches of its own
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(crate) repositories: usize,
    #[command(flatten)]
    pub(crate) load: Load,
}

#[derive(Debug, Args)]
pub(crate) struct ClonesArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// A repository that is there, as OWNER/NAME, instead of one that is made
    #[arg(long, value_name = "OWNER/NAME")]
    pub(crate) repository: Option<String>,
    /// Files in the repository that is made
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) files: usize,
    /// The size of each
    #[arg(long, value_name = "SIZE", default_value = "16KiB", value_parser = size)]
    pub(crate) size: usize,
    #[command(flatten)]
    pub(crate) load: Load,
}

/// The largest file or blob that is made, and the largest repository.
const MAX_SIZE: usize = 1 << 30;

fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|char: char| !char.is_ascii_digit());
    let factor = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        unit => return Err(format!("{unit:?} is no unit: write B, KiB, MiB or GiB")),
    };
    let number: usize = digits.parse().map_err(|error| format!("{text}: {error}"))?;
    let bytes = number.checked_mul(factor);
    bytes
        .filter(|bytes| (1..=MAX_SIZE).contains(bytes))
        .ok_or_else(|| format!("{text}: take 1 B to 1 GiB"))
}

impl Target {
    /// The token, without the line's end.
    pub(super) fn token(&self) -> anyhow::Result<Option<String>> {
        self.token_file.as_deref().map(secret).transpose()
    }

    /// The name and the password.
    pub(super) fn password(&self) -> anyhow::Result<Option<(String, String)>> {
        let (Some(user), Some(file)) = (&self.user, &self.password_file) else {
            return Ok(None);
        };
        Ok(Some((user.clone(), secret(file)?)))
    }
}

fn secret(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    }
    let secret = text.trim_end_matches(['\r', '\n']);
    ensure!(!secret.is_empty(), "{} is empty", file.display());
    Ok(secret.to_owned())
}

impl Load {
    /// One plan for each concurrency, checked before anything is made.
    pub(super) fn plans(&self) -> anyhow::Result<Vec<Plan>> {
        let time = |seconds: f64, name: &str| {
            Duration::try_from_secs_f64(seconds)
                .with_context(|| format!("--{name} {seconds}: give seconds"))
        };
        let plan = |workers: &usize| {
            let plan = Plan {
                workers: *workers,
                rate: self.rate,
                warm_up: time(self.warm_up, "warm-up")?,
                duration: time(self.seconds, "seconds")?,
                limit: time(self.limit, "limit")?,
            };
            plan.check()?;
            Ok(plan)
        };
        self.concurrency.iter().map(plan).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_a_number_and_perhaps_a_unit() {
        assert_eq!(size("17"), Ok(17));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("1GiB"), Ok(1 << 30));
        for wrong in [
            "",
            "KiB",
            "1 KiB",
            "1kb",
            "0",
            "2GiB",
            "99999999999GiB",
            "-1",
        ] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
