//! Logging. The only place that knows where events go.

use serde::Deserialize;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// How much is logged, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogConfig {
    /// `text` for people, `json` for machines.
    pub(crate) format: LogFormat,
    /// Levels as in `info` or `info,raft=debug`.
    pub(crate) level: String,
}

/// The shape of log lines.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info".to_owned(),
        }
    }
}

/// Starts logging to standard error, for the life of the process.
pub(crate) fn start(config: &LogConfig) -> anyhow::Result<()> {
    let given: Targets = config.level.parse().map_err(|error| {
        anyhow::anyhow!(
            "log.level {:?}: {error}; write for example info,raft=debug",
            config.level
        )
    })?;
    // The consensus library tells its every step at info; it matters only when asked for.
    let targets = if config.level.contains("openraft") {
        given
    } else {
        given.with_target("openraft", LevelFilter::ERROR)
    };
    let layer = match config.format {
        LogFormat::Text => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
            fmt::layer()
                .with_ansi(colour)
                .with_writer(std::io::stderr)
                .boxed()
        }
        LogFormat::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(targets))
        .try_init()?;
    Ok(())
}
