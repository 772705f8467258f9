//! The words of the command line.

mod admin;
mod slots;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use admin::{
    AdminCommand, BackupCommand, ColdArguments, LostArguments, PruneArguments, RecoverArguments,
    RestoreArguments, StoreArguments, TakeArguments, VerifyBackupArguments,
};
pub(crate) use slots::SlotsCommand;

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
    /// What is done by hand: backups of a cluster, and a data directory that is
    /// not in use.
    #[command(subcommand)]
    Admin(AdminCommand),
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

/// Where people and programs are listened to.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ListenArguments {
    /// Where to serve HTTP; port 0 takes a free one [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<SocketAddr>,
    /// Where to serve SSH; port 0 takes a free one [default: 127.0.0.1:2222]
    #[arg(long, value_name = "ADDR")]
    pub(crate) ssh: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) listen: ListenArguments,
}

#[derive(Debug, Args)]
pub(crate) struct FrontendArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) listen: ListenArguments,
}

#[derive(Debug, Args)]
pub(crate) struct NodeArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Where to serve /healthz, /readyz and /metrics; nowhere unless given
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<SocketAddr>,
    /// Sets aside the state and the facts, which are damaged, and rebuilds them from the other
    /// nodes; log, votes and chunks stay
    #[arg(long)]
    pub(crate) rebuild: bool,
    /// A node that runs, beside those that are known
    #[arg(long, value_name = "ADDR")]
    pub(crate) seed: Vec<SocketAddr>,
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
    /// Drains, removes, replaces and moves nodes.
    #[command(subcommand)]
    Node(NodeCommand),
    /// Where the replicas that vote are: the order of voters.
    #[command(subcommand)]
    Order(OrderCommand),
    /// Which group has which slots: more groups, and slots that move between them.
    #[command(subcommand)]
    Slots(SlotsCommand),
    /// Hands the leadership of a group to another node.
    Transfer(TransferArguments),
    /// Has the nodes verify all that they keep, now, and repair it from each other.
    Scrub(ScrubArguments),
    /// Has the nodes drop what nothing names any more, now.
    Collect(CollectArguments),
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
    /// A node that runs, by its control address, to be named beside those that are known; may be
    /// given several times
    #[arg(long, value_name = "ADDR")]
    pub(crate) seed: Vec<SocketAddr>,
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
    /// Prints the progress of nodes every two seconds until all of it is done
    #[arg(long)]
    pub(crate) watch: bool,
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

#[derive(Debug, Args)]
pub(crate) struct CollectArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Only counts what a cycle could drop; changes nothing
    #[arg(long, conflicts_with = "status")]
    pub(crate) dry_run: bool,
    /// Without pauses, rather than at node.collect_bytes_per_second
    #[arg(long, conflicts_with = "status")]
    pub(crate) fast: bool,
    /// Only shows how the cycle under way, or the last one, is
    #[arg(long)]
    pub(crate) status: bool,
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

/// Every change is made for the map as it was seen; if somebody else has changed
/// it in between, nothing is done and that is said.
#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// Moves a node's replicas and content to others. It can be undone.
    Drain(ChangeNode),
    /// Lets a node take part again.
    Undrain(ChangeNode),
    /// Removes a drained node, or one that is lost, for ever.
    Remove(RemoveNodeArguments),
    /// Removes a lost node whose place another has taken.
    Replace(ReplaceNodeArguments),
    /// Changes where a node is, or its share.
    Set(SetNodeArguments),
    /// Rebuilds a node's replicas from the other nodes'. Refused where it would cost a quorum.
    Rebuild(RebuildArguments),
}

#[derive(Debug, Args)]
pub(crate) struct RebuildArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The node's number
    pub(crate) id: u64,
    /// Only the replica of this group
    #[arg(long)]
    pub(crate) group: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ChangeNode {
    #[command(flatten)]
    pub(crate) change: ChangePolicies,
    /// The node's number
    pub(crate) id: u64,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveNodeArguments {
    #[command(flatten)]
    pub(crate) node: ChangeNode,
    /// It is lost for good: what it had is copied again from the others
    #[arg(long)]
    pub(crate) dead: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplaceNodeArguments {
    #[command(flatten)]
    pub(crate) node: ChangeNode,
    /// The number of the node that has joined in its place
    #[arg(long, value_name = "ID")]
    pub(crate) by: u64,
}

#[derive(Debug, Args)]
pub(crate) struct SetNodeArguments {
    #[command(flatten)]
    pub(crate) node: ChangeNode,
    /// Its zone from now on
    #[arg(long, value_name = "NAME")]
    pub(crate) zone: Option<String>,
    /// Its region from now on
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// Its share of the content, relative to the others'
    #[arg(long, value_name = "N")]
    pub(crate) capacity: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrderCommand {
    /// So many voters anywhere, or so many in each region named; other nodes follow.
    ///
    /// One voter in each of three regions, the leader at home:
    /// `devflow cluster order set --survive region --region eu=1 --region us=1 --region ap=1 --home eu`
    Set(SetOrderArguments),
    /// Every node votes again.
    Clear(ChangePolicies),
}

#[derive(Debug, Args)]
pub(crate) struct SetOrderArguments {
    #[command(flatten)]
    pub(crate) change: ChangePolicies,
    /// What voters are spread over, so that one of it may be lost
    #[arg(long, value_enum, default_value = "node")]
    pub(crate) survive: Survive,
    /// Voters on the nodes of all regions
    #[arg(long, value_name = "N", required_unless_present = "region")]
    pub(crate) voters: Option<u8>,
    /// Voters in a region; once for each region that is to have any
    #[arg(long, value_name = "NAME=N", value_parser = share, conflicts_with = "voters")]
    pub(crate) region: Vec<(String, u8)>,
    /// The region where leaders should be
    #[arg(long, value_name = "NAME")]
    pub(crate) home: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TransferArguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The group's number, as `status` prints it
    pub(crate) group: u64,
    /// The node that is to lead
    pub(crate) node: u64,
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
    /// Consolidates the packs of a bare directory and writes commit-graph, bitmaps and
    /// multi-pack-index, in git's own formats.
    Maintain(MaintainArguments),
}

#[derive(Debug, Args)]
pub(crate) struct MaintainArguments {
    /// The repository
    pub(crate) directory: PathBuf,
    /// Make one pack of all, whatever their sizes, and another of what no ref reaches
    #[arg(long)]
    pub(crate) all: bool,
    /// Drop what no ref reaches and was last of use before that time, in seconds since the epoch. Nobody
    /// may be pushing what needs it [default: keep all]
    #[arg(long, requires = "all", value_name = "SECONDS")]
    pub(crate) expire_before: Option<u32>,
    /// Each pack is to have so many times as many objects as all smaller ones
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..), value_name = "FACTOR")]
    pub(crate) geometric: u32,
    /// How many objects an object is compared with to store only the difference
    #[arg(long, default_value_t = 10, value_name = "OBJECTS")]
    pub(crate) window: usize,
    /// How many differences may build on each other
    #[arg(long, default_value_t = 50, value_name = "DELTAS")]
    pub(crate) depth: u32,
    /// Threads [default: as many as the machine has]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
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
