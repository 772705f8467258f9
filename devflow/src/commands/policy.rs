//! `devflow cluster policy …`: where copies are, and what a success survives.

use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use runtime::Runtime;
use serde_json::{Value, json};
use storage_node_api::map::{
    Assigned, CLUSTER_GROUP, ClusterMap, Copies, FailureDomain, NamedPolicy, POLICIES_VERSION,
    Policies, Policy, RegionShare,
};
use storage_node_api::node::NodeFailure;
use storage_node_api::order::{Command, Reply, Request};
use storage_node_api::{DedupDomain, MapEpoch, NodeId, RequestId};
use storage_node_client::tier::Links;

use super::block_on;
use super::cluster::links;
use super::status::newest_map;
use crate::cli::{
    ChangePolicies, Common, PolicyCommand, SetPolicyArguments, ShowPolicyArguments, Survive,
};
use crate::config::Config;

/// Runs one of the commands.
pub(super) fn run(command: &PolicyCommand) -> anyhow::Result<()> {
    match command {
        PolicyCommand::Show(arguments) => block_on(show(arguments)),
        PolicyCommand::Set(arguments) => {
            let policy = policy_of(arguments);
            let set = |policies: &mut Policies| {
                put(policies, &arguments.name, policy);
                Ok(())
            };
            block_on(change(&arguments.change, set))
        }
        PolicyCommand::Remove(arguments) => {
            let remove = |policies: &mut Policies| remove(policies, &arguments.name);
            block_on(change(&arguments.change, remove))
        }
        PolicyCommand::Assign(arguments) => {
            let domain = DedupDomain(arguments.domain);
            let assign = |policies: &mut Policies| {
                assign(policies, domain, &arguments.name);
                Ok(())
            };
            block_on(change(&arguments.change, assign))
        }
    }
}

fn policy_of(arguments: &SetPolicyArguments) -> Policy {
    let copies = match arguments.copies {
        Some(copies) => Copies::Anywhere(copies),
        None => {
            let shares = arguments.region.iter();
            let shares = shares.map(|(region, copies)| RegionShare {
                region: region.clone(),
                copies: *copies,
            });
            Copies::Regions(shares.collect())
        }
    };
    Policy {
        copies,
        survive: match arguments.survive {
            Survive::Node => FailureDomain::Node,
            Survive::Zone => FailureDomain::Zone,
            Survive::Region => FailureDomain::Region,
        },
        home: arguments.home.clone(),
    }
}

fn put(policies: &mut Policies, name: &str, policy: Policy) {
    if name == Policies::DEFAULT {
        policies.default = policy;
        return;
    }
    match policies.named.iter_mut().find(|named| named.name == name) {
        Some(named) => named.policy = policy,
        None => policies.named.push(NamedPolicy {
            name: name.to_owned(),
            policy,
        }),
    }
}

fn remove(policies: &mut Policies, name: &str) -> anyhow::Result<()> {
    let before = policies.named.len();
    policies.named.retain(|named| named.name != name);
    ensure!(
        policies.named.len() < before,
        "there is no policy {name:?} that could be removed"
    );
    Ok(())
}

fn assign(policies: &mut Policies, domain: DedupDomain, name: &str) {
    policies.domains.retain(|one| one.domain != domain);
    if name != Policies::DEFAULT {
        policies.domains.push(Assigned {
            domain,
            policy: name.to_owned(),
        });
    }
}

/// Changes the policies of the map as it is, unless somebody else does so first.
async fn change(
    arguments: &ChangePolicies,
    change: impl FnOnce(&mut Policies) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let runtime = Runtime::real();
    let links = connect(&arguments.common, &runtime)?;
    let map = newest_map(&*links).await?;
    ensure!(
        map.machine_version >= POLICIES_VERSION,
        "the cluster is at machine version {}, policies take {POLICIES_VERSION}: upgrade all nodes first",
        map.machine_version
    );
    let seen = arguments.epoch.map_or(map.epoch, MapEpoch);
    let mut policies = map.policies.clone();
    change(&mut policies)?;
    let request = Request {
        id: RequestId::random(&*runtime.random),
        time: runtime.clock.now(),
        command: Command::SetPolicies { seen, policies },
    };
    match propose(&*links, &map, &request).await? {
        Reply::Done => {}
        Reply::Refused(refusal) => bail!("the policies are as they were: {refusal}"),
        other => bail!("the cluster answered something else: {other:?}"),
    }
    println!("changed; nodes fetch what they lack by it in the background: see `cluster status`");
    Ok(())
}

/// Takes a request to whoever leads the cluster group.
pub(super) async fn propose(
    links: &dyn Links,
    map: &ClusterMap,
    request: &Request,
) -> anyhow::Result<Reply> {
    let mut untried: Vec<NodeId> = map.nodes.iter().map(|node| node.id).collect();
    let mut next = untried.first().copied();
    while let Some(id) = next {
        untried.retain(|other| *other != id);
        next = untried.first().copied();
        let Some(node) = map.node(id) else { continue };
        let node = links.node(node);
        match node.propose(CLUSTER_GROUP, request.clone()).await {
            Ok(committed) => return Ok(committed.reply),
            Err(NodeFailure::NotLeader {
                leader: Some(leader),
            }) if untried.contains(&leader) => next = Some(leader),
            Err(NodeFailure::NotLeader { .. } | NodeFailure::Node(_)) => {}
            Err(NodeFailure::Failed(error)) => return Err(error).context("change the cluster map"),
        }
    }
    bail!("no node leads the cluster group at the moment: try again")
}

fn connect(common: &Common, runtime: &Runtime) -> anyhow::Result<Arc<dyn Links>> {
    let data = Config::load(common, None)?.data;
    links(&data, runtime)
}

async fn show(arguments: &ShowPolicyArguments) -> anyhow::Result<()> {
    let runtime = Runtime::real();
    let links = connect(&arguments.common, &runtime)?;
    let map = newest_map(&*links).await?;
    if arguments.json {
        println!("{}", to_json(&map));
        return Ok(());
    }
    println!(
        "map epoch {}, machine version {}",
        map.epoch, map.machine_version
    );
    for (name, policy) in map.policies.all() {
        print(name, policy, &map);
    }
    for assigned in &map.policies.domains {
        println!("domain {}: policy {}", assigned.domain, assigned.policy);
    }
    for node in &map.nodes {
        let state = if node.draining { ", draining" } else { "" };
        println!(
            "node {}: region {}, zone {}, capacity {}{state}",
            node.id, node.region, node.zone, node.capacity
        );
    }
    Ok(())
}

fn print(name: &str, policy: &Policy, map: &ClusterMap) {
    let copies = match &policy.copies {
        Copies::Anywhere(copies) => format!("{copies} copies anywhere"),
        Copies::Regions(shares) => {
            let shares = shares.iter();
            let texts = shares.map(|share| format!("{} in {}", share.copies, share.region));
            format!("copies: {}", texts.collect::<Vec<_>>().join(", "))
        }
    };
    let home = match &policy.home {
        Some(home) => format!(", home {home}"),
        None => String::new(),
    };
    let survive = policy.survive;
    println!("policy {name}: {copies}, survives the loss of a {survive}{home}");
    let durability = policy.durability(&map.nodes);
    if durability.is_degraded() {
        println!(
            "  NOT KEPT: that takes copies in {} {survive}s, and there can be {}",
            durability.wanted, durability.needed
        );
    } else {
        println!("  a success takes {} {survive}s", durability.needed);
    }
}

fn to_json(map: &ClusterMap) -> Value {
    let policies: Vec<Value> = map
        .policies
        .all()
        .map(|(name, policy)| policy_json(name, policy, map))
        .collect();
    let domains: Vec<Value> = map
        .policies
        .domains
        .iter()
        .map(|one| json!({"domain": one.domain.0, "policy": one.policy}))
        .collect();
    let nodes: Vec<Value> = map
        .nodes
        .iter()
        .map(|node| {
            json!({
                "id": node.id.0,
                "region": node.region,
                "zone": node.zone,
                "capacity": node.capacity,
                "draining": node.draining,
            })
        })
        .collect();
    json!({
        "epoch": map.epoch.0,
        "machine_version": map.machine_version,
        "policies": policies,
        "domains": domains,
        "nodes": nodes,
    })
}

fn policy_json(name: &str, policy: &Policy, map: &ClusterMap) -> Value {
    let durability = policy.durability(&map.nodes);
    let (anywhere, regions) = match &policy.copies {
        Copies::Anywhere(copies) => (Some(copies), None),
        Copies::Regions(shares) => {
            let shares = shares.iter();
            let pairs = shares.map(|share| (share.region.clone(), json!(share.copies)));
            (None, Some(pairs.collect::<serde_json::Map<_, _>>()))
        }
    };
    json!({
        "name": name,
        "copies": anywhere,
        "regions": regions,
        "survive": policy.survive.to_string(),
        "home": policy.home,
        "needed": durability.needed,
        "wanted": durability.wanted,
    })
}
