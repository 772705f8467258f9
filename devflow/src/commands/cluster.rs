//! `devflow cluster …`: make a cluster, invite, join, look.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use prometheus_client::registry::Registry;
use runtime::Runtime;
use storage_node_api::ClusterId;
use storage_node_client::bulk::{self, Choice, Falling, QuicTransport, Route, TcpTransport};
use storage_node_client::identity::{Authority, Identity, Role as Party};
use storage_node_client::remote::RemoteLinks;
use storage_node_client::tier::{Links, NoPeers};

use super::identity::{INVITATION, Invitation, Place, directory, load, save};
use super::{block_on, collect, node, policy, progress, scrub, slots, status, verify};
use crate::cli::{ClusterCommand, InitArguments, InviteArguments, JoinArguments, Role};
use crate::config::Config;

/// How long an invitation waits for the map.
const MAP_PATIENCE: Duration = Duration::from_secs(3);

/// Runs one of the commands.
pub(crate) fn run(command: &ClusterCommand) -> anyhow::Result<()> {
    match command {
        ClusterCommand::Init(arguments) => init(arguments),
        ClusterCommand::Invite(arguments) => invite(arguments),
        ClusterCommand::Join(arguments) => join(arguments),
        ClusterCommand::Status(arguments) => {
            let data = Config::load(&arguments.common, None)?.data;
            match arguments.watch {
                true => block_on(progress::watch(data)),
                false => block_on(status::show(data, arguments.json)),
            }
        }
        ClusterCommand::Verify(arguments) => {
            let data = Config::load(&arguments.common, None)?.data;
            block_on(verify::all(data))
        }
        ClusterCommand::Policy(command) => policy::run(command),
        ClusterCommand::Node(command) => block_on(node::run(command)),
        ClusterCommand::Order(command) => block_on(node::order(command)),
        ClusterCommand::Slots(command) => block_on(slots::run(command)),
        ClusterCommand::Transfer(arguments) => block_on(node::transfer(arguments)),
        ClusterCommand::Scrub(arguments) => {
            let data = Config::load(&arguments.common, None)?.data;
            let order = scrub::Order {
                node: arguments.node,
                fast: arguments.fast,
            };
            block_on(scrub::run(data, order))
        }
        ClusterCommand::Collect(arguments) => {
            let data = Config::load(&arguments.common, None)?.data;
            let order = match (arguments.status, arguments.dry_run) {
                (true, _) => collect::Order::Status,
                (_, true) => collect::Order::DryRun,
                _ => collect::Order::Cycle {
                    fast: arguments.fast,
                },
            };
            block_on(collect::run(data, order))
        }
    }
}

fn init(arguments: &InitArguments) -> anyhow::Result<()> {
    let data = Config::load(&arguments.common, None)?.data;
    let runtime = Runtime::real();
    let now = runtime.clock.now();
    let authority = Authority::create(ClusterId::random(&*runtime.random), now)?;
    let name = party_name(&runtime);
    let place = Place {
        founder: true,
        role: "node".to_owned(),
        seeds: Vec::new(),
        listen: Some(arguments.listen.to_string()),
        bulk: Some(arguments.bulk.to_string()),
    };
    save(&data, &authority.issue(Party::Node, &name, now)?, &place)?;
    let keys = directory(&data).join("authority");
    fs::create_dir_all(&keys)?;
    authority.save(&keys)?;
    println!("made cluster {}", authority.cluster());
    println!(
        "start its first node:  devflow storage-node --data {}",
        data.display()
    );
    println!(
        "invite others:         devflow cluster invite node --data {}",
        data.display()
    );
    println!(
        "keep {} safe: whoever has it decides who is in the cluster",
        keys.display()
    );
    Ok(())
}

fn invite(arguments: &InviteArguments) -> anyhow::Result<()> {
    let data = Config::load(&arguments.common, None)?.data;
    let (_, place) = load(&data)?;
    let keys = directory(&data).join("authority");
    ensure!(
        keys.exists(),
        "{} does not hold the cluster's authority: invite from the directory of `devflow cluster init`",
        data.display()
    );
    let authority = Authority::load(&keys)?;
    let runtime = Runtime::real();
    let (party, role) = match arguments.role {
        Role::Node => (Party::Node, "node"),
        Role::Frontend => (Party::Frontend, "frontend"),
    };
    let identity = authority.issue(party, &party_name(&runtime), runtime.clock.now())?;
    let mut seeds: Vec<String> = arguments.seed.iter().map(ToString::to_string).collect();
    seeds.extend(block_on(running_nodes(&data, &runtime))?);
    seeds.extend(place.seeds.into_iter().chain(place.listen));
    let mut known = std::collections::BTreeSet::new();
    seeds.retain(|seed| known.insert(seed.clone()));
    let invitation = Invitation {
        version: INVITATION,
        role: role.to_owned(),
        seeds,
        authority: identity.authority_pem().to_owned(),
        certificate: identity.certificate_pem().to_owned(),
        key: identity.key_pem().to_owned(),
    };
    println!("{}", serde_json::to_string_pretty(&invitation)?);
    Ok(())
}

fn join(arguments: &JoinArguments) -> anyhow::Result<()> {
    let data = Config::load(&arguments.common, None)?.data;
    let text = read(&arguments.invitation)?;
    let invitation: Invitation =
        serde_json::from_str(&text).context("the invitation is not what `cluster invite` wrote")?;
    ensure!(
        invitation.version == INVITATION,
        "the invitation has version {}, this program knows {INVITATION}",
        invitation.version
    );
    let Invitation {
        role,
        seeds,
        authority,
        certificate,
        key,
        ..
    } = invitation;
    let identity = Identity::from_pem(certificate, key, authority)?;
    let is_node = identity.peer().role == Party::Node;
    let place = Place {
        founder: false,
        role,
        seeds,
        listen: is_node.then(|| arguments.listen.to_string()),
        bulk: is_node.then(|| arguments.bulk.to_string()),
    };
    save(&data, &identity, &place)?;
    let program = if is_node { "storage-node" } else { "frontend" };
    println!("start it:  devflow {program} --data {}", data.display());
    Ok(())
}

/// The nodes of the map, so that who is invited finds the cluster when the inviter is gone; nobody
/// if nobody answers: an invitation can be made before the first start.
async fn running_nodes(data: &Path, runtime: &Runtime) -> anyhow::Result<Vec<String>> {
    let links = links(data, runtime)?;
    let map = tokio::select! {
        map = status::newest_map(&*links) => map.ok(),
        () = runtime.clock.sleep(MAP_PATIENCE) => None,
    };
    let nodes = map.into_iter().flat_map(|map| map.nodes);
    let staying = nodes.filter(|node| !node.draining && !node.control.is_empty());
    Ok(staying.map(|node| node.control).collect())
}

/// Links to the cluster with the identity of a data directory.
pub(super) fn links(data: &Path, runtime: &Runtime) -> anyhow::Result<Arc<dyn Links>> {
    routed(data, runtime, Choice::Tcp, None, &mut Registry::default())
}

/// The same from a process of this region, for chunks by the choice's transport.
pub(super) fn routed(
    data: &Path,
    runtime: &Runtime,
    choice: Choice,
    region: Option<String>,
    registry: &mut Registry,
) -> anyhow::Result<Arc<dyn Links>> {
    let (identity, place) = load(data)?;
    let tcp = Arc::new(TcpTransport::new(&identity, runtime.clone())?);
    let quic = Arc::new(QuicTransport::new(&identity, runtime.clone())?);
    let falling = Arc::new(Falling::new(quic, tcp.clone(), runtime.clone()));
    falling.register(registry.sub_registry_with_prefix("devflow_bulk_client"));
    let route = Route::new(tcp, falling, choice, region);
    let mut seeds = place.seeds;
    seeds.extend(place.listen);
    let metrics = bulk::Metrics::default();
    metrics.register(registry.sub_registry_with_prefix("devflow_bulk_client"));
    let local = Arc::new(NoPeers);
    let links = RemoteLinks::new(&identity, route, &seeds, local, runtime.clone(), metrics)?;
    Ok(Arc::new(links))
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    fs::read_to_string(path).with_context(|| format!("read the invitation {}", path.display()))
}

/// A name that no other party has, of twelve random digits.
fn party_name(runtime: &Runtime) -> String {
    format!("p{:012}", runtime.random.below(1_000_000_000_000))
}
