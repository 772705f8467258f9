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
    /// Measure a forge or a storage tier that runs already.
    #[command(subcommand)]
    Bench(crate::commands::bench::BenchCommand),
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
    /// How many copies of content are where, and what a success survives.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Has the nodes verify all that they keep, now, and repair it from each other.
    Scrub(ScrubArguments),
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

#[derive(Debug, Args)]
pub(crate) struct ScrubArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Only the node of this number
    #[arg(long, value_name = "N")]
    pub(crate) node: Option<u64>,
    /// Without pauses, rather than at node.scrub_bytes_per_second
    #[arg(long)]
    pub(crate) fast: bool,
}

/// Content of a dedup domain is kept by the policy that the domain is assigned,
/// or by the one called `default`. A policy that the nodes there are cannot keep
/// is refused with the reason, and so is any change of a map that somebody else
/// has changed in between.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Shows the policies, what they come to, and the nodes that they place on.
    Show(ShowPolicyArguments),
    /// Makes a policy, or changes it.
    ///
    /// Three copies in each of two regions, of which one may be lost:
    /// `devflow cluster policy set --survive region --region eu=3 --region us=3 --home eu`
    Set(SetPolicyArguments),
    /// Removes a policy that no domain is assigned.
    Remove(RemovePolicyArguments),
    /// Gives a dedup domain a policy of its own, or `default` again.
    Assign(AssignPolicyArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ShowPolicyArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Prints JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// What every change of policies takes.
#[derive(Debug, Args)]
pub(crate) struct ChangePolicies {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Changes nothing unless the map is still at this epoch, as `show` printed it
    #[arg(long, value_name = "EPOCH")]
    pub(crate) epoch: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct SetPolicyArguments {
    #[command(flatten)]
    pub(crate) change: ChangePolicies,
    /// Which policy
    #[arg(default_value = "default")]
    pub(crate) name: String,
    /// What may be lost without losing anything acknowledged
    #[arg(long, value_enum)]
    pub(crate) survive: Survive,
    /// Copies of every chunk on the nodes of all regions
    #[arg(long, value_name = "N", required_unless_present = "region")]
    pub(crate) copies: Option<u8>,
    /// Copies of every chunk in a region; once for each region that is to have any
    #[arg(long, value_name = "NAME=N", value_parser = share, conflicts_with = "copies")]
    pub(crate) region: Vec<(String, u8)>,
    /// The region that comes first where regions are alike
    #[arg(long, value_name = "NAME")]
    pub(crate) home: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RemovePolicyArguments {
    #[command(flatten)]
    pub(crate) change: ChangePolicies,
    /// Which policy
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct AssignPolicyArguments {
    #[command(flatten)]
    pub(crate) change: ChangePolicies,
    /// The domain's number
    pub(crate) domain: u64,
    /// Which policy
    pub(crate) name: String,
}

/// What a policy survives the loss of.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Survive {
    /// Any one node.
    Node,
    /// Any one zone of a region.
    Zone,
    /// Any one region.
    Region,
}

fn share(text: &str) -> Result<(String, u8), String> {
    let (region, copies) = text
        .rsplit_once('=')
        .ok_or("a region and its copies are written NAME=N")?;
    match copies.parse() {
        Ok(copies) => Ok((region.to_owned(), copies)),
        Err(error) => Err(format!("the copies of region {region}: {error}")),
    }
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
