//! `devflow cluster node …`, `order …` and `transfer`: who is in the cluster, and who leads.

use anyhow::{bail, ensure};
use runtime::Runtime;
use storage_node_api::map::{
    ClusterMap, Copies, FailureDomain, MEMBERS_VERSION, MembersChange, Policy, RegionShare,
    Standing,
};
use storage_node_api::node::NodeFailure;
use storage_node_api::order::{Command, Reply, Request};
use storage_node_api::{GroupId, MapEpoch, NodeId, RequestId};
use storage_node_client::tier::Links;

use super::policy::{connect, propose};
use super::rebuild;
use super::status::newest_map;
use crate::cli::{
    ChangePolicies, NodeCommand, OrderCommand, SetOrderArguments, Survive, TransferArguments,
};

/// Runs one of the commands about nodes.
pub(super) async fn run(command: &NodeCommand) -> anyhow::Result<()> {
    let (arguments, change) = match command {
        NodeCommand::Drain(node) => (node, MembersChange::Drain(NodeId(node.id))),
        NodeCommand::Undrain(node) => (node, MembersChange::Undrain(NodeId(node.id))),
        NodeCommand::Remove(arguments) => {
            let (node, dead) = (NodeId(arguments.node.id), arguments.dead);
            (&arguments.node, MembersChange::Remove { node, dead })
        }
        NodeCommand::Replace(arguments) => {
            let (node, dead) = (NodeId(arguments.node.id), true);
            (&arguments.node, MembersChange::Remove { node, dead })
        }
        NodeCommand::Set(arguments) => {
            let change = MembersChange::Set {
                node: NodeId(arguments.node.id),
                zone: arguments.zone.clone(),
                region: arguments.region.clone(),
                capacity: arguments.capacity,
            };
            (&arguments.node, change)
        }
        NodeCommand::Rebuild(arguments) => return rebuild::run(arguments).await,
    };
    let by = match command {
        NodeCommand::Replace(arguments) => Some(NodeId(arguments.by)),
        _ => None,
    };
    make(&arguments.change, change, by).await
}

/// Runs one of the commands about voters.
pub(super) async fn order(command: &OrderCommand) -> anyhow::Result<()> {
    match command {
        OrderCommand::Set(arguments) => {
            let order = Some(policy(arguments));
            make(&arguments.change, MembersChange::Order(order), None).await
        }
        OrderCommand::Clear(change) => make(change, MembersChange::Order(None), None).await,
    }
}

fn policy(arguments: &SetOrderArguments) -> Policy {
    let shares = arguments.region.iter().map(|(region, copies)| RegionShare {
        region: region.clone(),
        copies: *copies,
    });
    Policy {
        copies: match arguments.voters {
            Some(voters) => Copies::Anywhere(voters),
            None => Copies::Regions(shares.collect()),
        },
        survive: match arguments.survive {
            Survive::Node => FailureDomain::Node,
            Survive::Zone => FailureDomain::Zone,
            Survive::Region => FailureDomain::Region,
        },
        home: arguments.home.clone(),
    }
}

/// Makes a change for the map as it is, or as it was seen.
async fn make(
    arguments: &ChangePolicies,
    change: MembersChange,
    by: Option<NodeId>,
) -> anyhow::Result<()> {
    let runtime = Runtime::real();
    let links = connect(&arguments.common, &runtime)?;
    let map = newest_map(&*links).await?;
    check_version(&map, MEMBERS_VERSION)?;
    if let Some(by) = by {
        let standing = map.standing(by);
        ensure!(
            standing == Standing::Active,
            "node {by} is {standing}: start the node that is to take the place first"
        );
    }
    if let MembersChange::Remove { node, dead: true } = change
        && let Some(known) = map.node(node)
        && links.node(known).status().await.is_ok()
    {
        bail!("node {node} answers, so it is not dead: drain it and remove it then");
    }
    let seen = arguments.epoch.map_or(map.epoch, MapEpoch);
    let command = Command::ChangeMembers { seen, change };
    order_change(&*links, &map, &runtime, command).await
}

/// Has the cluster group change the map.
pub(super) async fn order_change(
    links: &dyn Links,
    map: &ClusterMap,
    runtime: &Runtime,
    command: Command,
) -> anyhow::Result<()> {
    let request = Request {
        id: RequestId::random(&*runtime.random),
        time: runtime.clock.now(),
        command,
    };
    match propose(links, map, &request).await? {
        Reply::Done => {}
        Reply::Refused(refusal) => bail!("nothing was changed: {refusal}"),
        other => bail!("the cluster answered something else: {other:?}"),
    }
    println!("changed; the cluster does the rest by itself: see `devflow cluster status --watch`");
    Ok(())
}

/// Whether every node knows what a machine version brought.
pub(super) fn check_version(map: &ClusterMap, needed: u32) -> anyhow::Result<()> {
    ensure!(
        map.machine_version >= needed,
        "the cluster is at machine version {}, this takes {needed}: upgrade all nodes first",
        map.machine_version
    );
    Ok(())
}

/// Hands the leadership of a group on.
pub(super) async fn transfer(arguments: &TransferArguments) -> anyhow::Result<()> {
    let runtime = Runtime::real();
    let links = connect(&arguments.common, &runtime)?;
    let map = newest_map(&*links).await?;
    check_version(&map, MEMBERS_VERSION)?;
    let (group, to) = (GroupId(arguments.group), NodeId(arguments.node));
    ensure!(map.node(to).is_some(), "node {to} is not in the cluster");
    let began = runtime.clock.monotonic();
    for node in &map.nodes {
        match links.node(node).transfer(group, to).await {
            Ok(()) => {
                let took = runtime.clock.monotonic() - began;
                println!(
                    "node {to} leads group {group}, after {} ms",
                    took.as_millis()
                );
                return Ok(());
            }
            Err(NodeFailure::Failed(error)) => return Err(error.into()),
            Err(NodeFailure::NotLeader { .. } | NodeFailure::Node(_)) => {}
        }
    }
    bail!("no node leads group {group} at the moment: try again")
}
