use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Bug;

/// What to run.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Which faults (all that this machine allows but `region`, unless given): kill, pause,
    /// partition, one-way, bridge, region, slow-link, slow-disk, clock, power, full-disk,
    /// corruption, rot, replace, transfer, slots, collect. Of a cluster of your own: transfer,
    /// slots and collect, with --data, and whatever names your --hook knows.
    #[arg(long, value_delimiter = ',', value_name = "FAULT,…")]
    pub faults: Vec<String>,
    /// For how long, such as 60s or 10m.
    #[arg(long = "for", default_value = "60s", value_parser = duration, value_name = "TIME")]
    pub length: Duration,
    /// How long clients work before the first fault, and again after the last.
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "TIME")]
    pub calm: Duration,
    /// The seed of what is broken, when, and for how long.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Frontends of a cluster of your own, such as `http://10.0.0.1:3000`; no
    /// cluster is started then.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "URL,…",
        requires = "user",
        requires = "password_file"
    )]
    pub cluster: Vec<String>,
    /// The user of that cluster for whom repositories are made.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// A file with the user's password, or a token.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The data directory of a process of that cluster, such as a frontend: its identity
    /// orders the faults that go over the wire, and asks in the end whether all replicas
    /// agree and every node holds what it should (while nobody else uses the cluster).
    #[arg(long, value_name = "DIR", requires = "cluster")]
    pub data: Option<PathBuf>,
    /// The command that breaks your cluster: called as `HOOK start FAULT NODE`, and
    /// later as `HOOK heal FAULT NODE`, by a shell.
    #[arg(
        long,
        value_name = "COMMAND",
        requires = "cluster",
        requires = "faults"
    )]
    pub hook: Option<String>,
    /// The nodes that the hook can break, one at a time, by names that it knows; it is
    /// called without a node unless given.
    #[arg(long, value_delimiter = ',', value_name = "NODE,…", requires = "hook")]
    pub nodes: Vec<String>,
    /// Where the history is written.
    #[arg(long, default_value = "chaos-history.jsonl", value_name = "FILE")]
    pub history: PathBuf,
    /// Where a page with the chart and the verdict is written.
    #[arg(long, value_name = "FILE")]
    pub page: Option<PathBuf>,
    /// A bug put back, to see that a checker sees it.
    #[arg(long, value_enum)]
    pub bug: Option<Bug>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            faults: Vec::new(),
            length: Duration::from_secs(60),
            calm: Duration::from_secs(5),
            seed: 1,
            cluster: Vec::new(),
            user: None,
            password_file: None,
            data: None,
            hook: None,
            nodes: Vec::new(),
            history: PathBuf::from("chaos-history.jsonl"),
            page: None,
            bug: None,
        }
    }
}

/// Reads `90s`, `10m` or `500ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("{text} is not a time such as 60s or 10m"))?;
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        "h" => Ok(Duration::from_secs(number * 3600)),
        unit => Err(format!("{unit} is not a unit of time: ms, s, m or h")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn times_are_read() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        for wrong in ["", "s", "1d", "-1s", "1.5s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
