use std::path::PathBuf;

use backup::{BackupId, Location};
use clap::{Args, Subcommand};

use super::Common;

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Writes a backup of the whole cluster, while it runs: only what the
    /// destination does not have yet. `backup list` shows those that there are.
    Backup(BackupArguments),
    /// Brings a backup back into an empty cluster of any size.
    Restore(RestoreArguments),
    /// Reads every byte of a backup and proves that it is whole.
    Verify(VerifyBackupArguments),
    /// Shows, and with --delete removes, what a node that was removed has left in a cold store.
    Cold(ColdArguments),
    /// Makes a cluster again from one survivor, when the quorum is lost for good.
    Recover(RecoverArguments),
    /// Lists repositories and blobs of which no node has some chunk any more, and what a recovery
    /// has given up.
    Lost(LostArguments),
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct BackupArguments {
    #[command(subcommand)]
    pub(crate) command: Option<BackupCommand>,
    #[command(flatten)]
    pub(crate) take: TakeArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Shows the backups of a destination, oldest first.
    List(StoreArguments),
    /// Removes backups that no rule keeps, of each cluster for itself, and what only they needed.
    Prune(PruneArguments),
}

#[derive(Debug, Args)]
pub(crate) struct PruneArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// Keeps so many of the last
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) keep: u32,
    /// Keeps the last of each of so many days (UTC)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) keep_daily: u32,
    /// Keeps the last of each of so many weeks
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) keep_weekly: u32,
    /// Keeps the last of each of so many months
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) keep_monthly: u32,
    /// Removes backups that cannot be read as well
    #[arg(long)]
    pub(crate) damaged: bool,
    /// A backup or a run of prune that was killed and does not run any more
    #[arg(long, value_name = "ID")]
    pub(crate) abandoned: Vec<BackupId>,
    /// Removes nothing, and says what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TakeArguments {
    /// Of a node or a frontend of the cluster, or of `devflow serve`.
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) store: StoreArguments,
}

/// Where backups are.
#[derive(Debug, Args)]
pub(crate) struct StoreArguments {
    /// A directory, file:///path or s3://bucket/prefix
    #[arg(value_name = "DESTINATION", required = true)]
    pub(crate) destination: Option<String>,
    /// An option of an S3 store, such as `endpoint=http://host:9000`,
    /// `region=eu-1` or `allow_http=true`; the environment is asked for AWS_ENDPOINT_URL,
    /// AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the like
    #[arg(long = "option", value_name = "KEY=VALUE", value_parser = option)]
    pub(crate) options: Vec<(String, String)>,
    /// The most bytes a second to read from or write to the destination
    #[arg(long, value_name = "BYTES")]
    pub(crate) rate: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// Of a node or a frontend of an empty cluster, or for `devflow serve`,
    /// which must not run.
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// Which backup [default: the last]
    #[arg(long, value_name = "ID")]
    pub(crate) backup: Option<BackupId>,
    /// Sets the backup's policies first. Their regions must be this cluster's
    #[arg(long)]
    pub(crate) policies: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyBackupArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// Which backup [default: the last]
    #[arg(long, value_name = "ID")]
    pub(crate) backup: Option<BackupId>,
}

impl StoreArguments {
    /// The destination as it was written.
    pub(crate) fn text(&self) -> &str {
        self.destination.as_deref().unwrap_or_default()
    }

    /// The destination, with a relative path made absolute, so that another
    /// process can be told.
    pub(crate) fn location(&self) -> anyhow::Result<Location> {
        Ok(match self.text().parse()? {
            Location::Directory(path) => Location::Directory(std::path::absolute::<PathBuf>(path)?),
            other => other,
        })
    }
}

fn option(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("an option is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[derive(Debug, Args)]
pub(crate) struct ColdArguments {
    /// Of a node or a frontend of the cluster.
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    /// The number that the removed node had
    #[arg(long, value_name = "ID")]
    pub(crate) node: u64,
    /// Delete the objects
    #[arg(long)]
    pub(crate) delete: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// What the survivor never received is lost, and the other nodes can never come back
    #[arg(long, required = true)]
    pub(crate) accept_loss: bool,
    /// Does not look what content is missing, which asks for every chunk
    #[arg(long)]
    pub(crate) skip_content: bool,
    /// Says what is missing as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LostArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}
