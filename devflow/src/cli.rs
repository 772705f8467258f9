//! The words of the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A self-hosted forge on a storage tier of its own.
#[derive(Debug, Parser)]
#[command(name = "devflow", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything in one process: storage, git and web pages.
    Serve(ServeArguments),
    /// One node of the storage tier.
    StorageNode(NodeArguments),
    /// A stateless frontend of a cluster.
    Frontend(FrontendArguments),
    /// Make a cluster, invite to it, join it, look at it.
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Git's server programs over a plain bare directory.
    #[command(subcommand)]
    Git(GitCommand),
}

/// What every long-running command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// Where all data is kept [default: ./devflow-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// A TOML file; flags and DEVFLOW_SECTION__KEY variables go before it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Where to serve HTTP; port 0 takes a free one [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct FrontendArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Where to serve HTTP; port 0 takes a free one [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct NodeArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Where to serve /healthz, /readyz and /metrics; nowhere unless given
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Makes a cluster: its certificate authority, and its first node in --data.
    Init(InitArguments),
    /// Prints an invitation, a secret with which one process may join.
    Invite(InviteArguments),
    /// Makes a data directory for a node or frontend out of an invitation.
    Join(JoinArguments),
    /// Shows nodes, groups, leaders and what is missing.
    Status(StatusArguments),
    /// Reads every chunk from every node that should have it, and checks it.
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Where the first node listens for control and Raft
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7000")]
    pub(crate) listen: SocketAddr,
    /// Where the first node listens for bulk
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7001")]
    pub(crate) bulk: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct InviteArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// What the invited process will be
    #[arg(value_enum)]
    pub(crate) role: Role,
}

/// What a process is in a cluster.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Role {
    /// A storage node.
    Node,
    /// A frontend.
    Frontend,
}

#[derive(Debug, Args)]
pub(crate) struct JoinArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The file that `devflow cluster invite` wrote; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) invitation: PathBuf,
    /// Where this node will listen for control and Raft
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7000")]
    pub(crate) listen: SocketAddr,
    /// Where this node will listen for bulk
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7001")]
    pub(crate) bulk: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Prints JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GitCommand {
    /// git-upload-pack(1) over a bare directory.
    #[command(disable_help_flag = true)]
    UploadPack(Passed),
    /// git-receive-pack(1) over a bare directory.
    #[command(disable_help_flag = true)]
    ReceivePack(Passed),
    /// git-http-backend(1): a CGI program over a directory of bare repositories.
    HttpBackend,
}

#[derive(Debug, Args)]
pub(crate) struct Passed {
    /// The options of git's own program, and the directory.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS"
    )]
    pub(crate) arguments: Vec<std::ffi::OsString>,
}
