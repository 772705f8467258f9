//! Policies by region, on nodes in three regions: what is acknowledged
//! survives the loss of a region where the policy says so, and a certificate
//! that does not show as much is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use chunking::{ChunkRef, DigestSet, Profile};
use runtime::{Runtime, Survives};
use storage_node_api::blob::{Download, StoredBlob, Upload};
use storage_node_api::map::{
    Assigned, CLUSTER_GROUP, ClusterMap, Copies, FailureDomain, MembersChange, NamedPolicy,
    Policies, Policy, PolicyError, RegionShare,
};
use storage_node_api::node::{Node, NodeFailure};
use storage_node_api::order::{Answer, Command, Query, Refusal, Reply, Request};
use storage_node_api::{
    BlobOwner, Content, DedupDomain, NodeId, OwnerId, ReadPoint, RequestId, Slot, Storage, UploadId,
};
use storage_node_server::StorageNode;

use crate::conformance::passes_everything;
use crate::members::Traffic;
use crate::world::{Place, World};

/// The domain whose content is to survive a region.
const WIDE: DedupDomain = DedupDomain(7);
/// A domain of the default policy.
const PLAIN: DedupDomain = DedupDomain(8);

fn in_three_regions(node: NodeId) -> Place {
    let index = usize::try_from(node.0 - 1).unwrap();
    Place {
        zone: format!("z{}", index % 3),
        region: ["eu", "us", "ap"][index / 3].to_owned(),
    }
}

/// Each node in a region of its own.
fn apart(node: NodeId) -> Place {
    in_three_regions(NodeId(node.0 * 3))
}

/// The same, and a second node in the first one's.
fn apart_and_one(node: NodeId) -> Place {
    match node {
        NodeId(4) => apart(NodeId(1)),
        node => apart(node),
    }
}

fn wide(copies: u8) -> Policies {
    let shares = ["eu", "us", "ap"].map(|region| RegionShare {
        region: region.to_owned(),
        copies,
    });
    Policies {
        named: vec![NamedPolicy {
            name: "wide".to_owned(),
            policy: Policy {
                copies: Copies::Regions(shares.to_vec()),
                survive: FailureDomain::Region,
                home: Some("eu".to_owned()),
            },
        }],
        domains: vec![Assigned {
            domain: WIDE,
            policy: "wide".to_owned(),
        }],
        ..Policies::default()
    }
}

fn request(runtime: &Runtime, command: Command) -> Request {
    Request {
        id: RequestId::random(&*runtime.random),
        time: runtime.clock.now(),
        command,
    }
}

/// Asks whoever leads the cluster group; again while the map changes under it,
/// as nodes that have just started tell of themselves.
async fn set(world: &World, policies: &Policies) -> Reply {
    for _ in 0..100 {
        for node in world.links.running() {
            let seen = node.current_map().unwrap().epoch;
            let policies = policies.clone();
            let command = Command::SetPolicies { seen, policies };
            let proposed = node.propose(CLUSTER_GROUP, request(&world.runtime, command));
            match proposed.await {
                Ok(committed) => match committed.reply {
                    Reply::Refused(Refusal::MapChanged { .. }) => {}
                    reply => return reply,
                },
                Err(NodeFailure::NotLeader { .. } | NodeFailure::Node(_)) => {}
                Err(failure) => panic!("{failure:?}"),
            }
        }
        let pause = std::time::Duration::from_millis(20);
        world.runtime.clock.sleep(pause).await;
    }
    panic!("the cluster group takes no policies");
}

async fn map_of(node: &StorageNode, slot: Slot) -> Option<ClusterMap> {
    let group = node.current_map()?.group_of(slot);
    let map = node.read(group, ReadPoint::Stale, Query::Map).await;
    match map {
        Ok(Answer::Map(map)) => map,
        _ => None,
    }
}

/// Waits until every replica of every group has adopted these policies.
async fn adopted(world: &World, policies: &Policies) {
    for node in world.links.running() {
        for slot in [Slot(0), Slot(Slot::COUNT - 1)] {
            let began = world.runtime.clock.monotonic();
            while map_of(&node, slot)
                .await
                .is_none_or(|map| map.policies != *policies)
            {
                let waited = world.runtime.clock.monotonic() - began;
                assert!(waited < crate::world::PATIENCE, "the policies are adopted");
                let pause = std::time::Duration::from_millis(20);
                world.runtime.clock.sleep(pause).await;
            }
        }
    }
}

async fn upload(world: &World, storage: &Arc<dyn Storage>, domain: DedupDomain) -> StoredBlob {
    let content = Arc::clone(storage) as Arc<dyn Content>;
    let session = content.begin(domain).await.unwrap();
    let mut bytes = vec![0; 300_000];
    world.runtime.random.fill(&mut bytes);
    let (profile, runtime) = (Profile::GitPackV1, world.runtime.clone());
    let mut upload = Upload::new(content, session, runtime, profile, DigestSet::NONE, 2);
    upload.push(Bytes::from(bytes)).await.unwrap();
    let finished = upload.finish().await.unwrap();
    let id = UploadId::random(&*world.runtime.random);
    let (blob, parts) = StoredBlob::staged(finished.manifest, finished.certificate, id, 0);
    assert!(parts.is_empty(), "a small blob fits into the entry");
    blob
}

fn chunks(blob: &StoredBlob) -> Vec<ChunkRef> {
    match &blob.chunks {
        storage_node_api::blob::Chunks::Inline(chunks) => chunks.clone(),
        other => panic!("{other:?}"),
    }
}

async fn name(
    world: &World,
    storage: &Arc<dyn Storage>,
    blob: &StoredBlob,
    domain: DedupDomain,
) -> Reply {
    let command = Command::PutBlob {
        slot: Slot(3),
        blob: blob.clone(),
        owner: BlobOwner::Named(OwnerId([1; 16])),
        domain,
    };
    let request = request(&world.runtime, command);
    storage.propose(Slot(3), request).await.unwrap().reply
}

/// The same blob with receipts of one region only for each chunk.
fn one_region(blob: &StoredBlob, region: impl Fn(NodeId) -> String) -> StoredBlob {
    let mut short = blob.clone();
    let receipts = short.certificate.receipts.clone();
    let of = |holder: u16| region(receipts[usize::from(holder)].node);
    for run in &mut short.certificate.runs {
        let first = of(run.holders[0]);
        run.holders.retain(|holder| of(*holder) == first);
    }
    short
}

fn region(node: NodeId) -> String {
    in_three_regions(node).region
}

fn regions(blob: &StoredBlob, holders: &[u16]) -> BTreeSet<String> {
    let receipts = holders
        .iter()
        .map(|holder| &blob.certificate.receipts[usize::from(*holder)]);
    receipts.map(|receipt| region(receipt.node)).collect()
}

/// How many nodes of each region have the chunk.
async fn copies(world: &World, chunk: ChunkRef) -> Vec<usize> {
    let mut copies = vec![0; 3];
    for node in world.links.running() {
        let got = node.fetch(WIDE, &[chunk]).await.unwrap();
        if got[0].is_some() {
            copies[usize::try_from(node.id().0 - 1).unwrap() / 3] += 1;
        }
    }
    copies
}

#[tokio::test(flavor = "multi_thread")]
async fn content_outlives_a_region_where_the_policy_says_so() {
    let mut world = World::spread(9, in_three_regions).await;
    let map = world.links.running()[0].current_map().unwrap();
    for node in &map.nodes {
        let Place { zone, region } = in_three_regions(node.id);
        assert_eq!((&node.zone, &node.region), (&zone, &region));
    }
    let policies = wide(2);
    assert_eq!(set(&world, &policies).await, Reply::Done);
    adopted(&world, &policies).await;
    let storage = world.storage();

    let blob = upload(&world, &storage, WIDE).await;
    for run in &blob.certificate.runs {
        let there = regions(&blob, &run.holders);
        assert!(there.len() >= 2, "{there:?}");
    }
    let short = one_region(&blob, region);
    let refusal = Refusal::NotDurable {
        chunk: 0,
        domains: 1,
        needed: 2,
    };
    let refused = name(&world, &storage, &short, WIDE).await;
    assert_eq!(refused, Reply::Refused(refusal));
    assert_eq!(name(&world, &storage, &blob, WIDE).await, Reply::Done);
    // Where a node may be lost, two of them are enough, wherever they are.
    let plain = upload(&world, &storage, PLAIN).await;
    assert_eq!(name(&world, &storage, &plain, PLAIN).await, Reply::Done);

    // One whole region at once, that of the founder.
    for id in [1, 2, 3].map(NodeId) {
        world.crash(id, Survives::Nothing).await;
    }
    let query = Query::Manifest {
        slot: Slot(3),
        domain: WIDE,
        blob: blob.id,
    };
    let answer = storage.read(Slot(3), ReadPoint::Linearizable, query).await;
    let Ok(Answer::Manifest(Some(manifest))) = answer else {
        panic!("{answer:?}");
    };
    let content = Arc::clone(&storage) as Arc<dyn Content>;
    let range = 0..blob.length;
    let mut download = Download::new(content, world.runtime.clone(), WIDE, &manifest, range);
    let mut read = 0;
    while let Some(bytes) = download.next().await.unwrap() {
        read += bytes.len() as u64;
    }
    assert_eq!(read, blob.length);
    let after = upload(&world, &storage, WIDE).await;
    assert_eq!(name(&world, &storage, &after, WIDE).await, Reply::Done);

    // It comes back, and gets what it should have.
    for id in [1, 2, 3].map(NodeId) {
        world.launch(id).await;
    }
    let began = world.runtime.clock.monotonic();
    for chunk in chunks(&blob).into_iter().chain(chunks(&after)) {
        while copies(&world, chunk).await.iter().any(|copies| *copies < 2) {
            let waited = world.runtime.clock.monotonic() - began;
            assert!(waited < crate::world::PATIENCE, "two copies in each region");
            let pause = std::time::Duration::from_millis(50);
            world.runtime.clock.sleep(pause).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_in_three_regions_conform() {
    let world = World::spread(3, apart).await;
    let policies = Policies {
        default: wide(1).named.remove(0).policy,
        ..Policies::default()
    };
    assert_eq!(set(&world, &policies).await, Reply::Done);
    adopted(&world, &policies).await;
    passes_everything(world.storage(), world.runtime.clone()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_cannot_be_kept_is_refused_with_the_reason() {
    let world = World::of(3).await;
    let mut region = Policies::default();
    region.default.survive = FailureDomain::Region;
    let refusal = PolicyError::NotSurvivable {
        policy: "default".to_owned(),
        survive: FailureDomain::Region,
        needed: 2,
        found: 1,
    };
    let refused = set(&world, &region).await;
    assert_eq!(refused, Reply::Refused(Refusal::Policy(refusal)));
    let refusal = PolicyError::NoRegion {
        policy: "wide".to_owned(),
        region: "eu".to_owned(),
    };
    let refused = set(&world, &wide(1)).await;
    assert_eq!(refused, Reply::Refused(Refusal::Policy(refusal)));
    let map = world.storage().map().await.unwrap();
    assert_eq!(map.policies, Policies::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn content_follows_policies_that_change_and_regions_that_move_while_pushes_go_on() {
    let world = World::spread(4, apart_and_one).await;
    let all = [1, 2, 3, 4].map(NodeId);
    let traffic = Traffic::begin(&world).await;
    let everywhere = |copies| Policies {
        default: wide(copies).named.remove(0).policy,
        ..Policies::default()
    };
    assert_eq!(set(&world, &everywhere(1)).await, Reply::Done);
    adopted(&world, &everywhere(1)).await;
    world.whole(&all).await;
    // The second node of a region goes to another, and what is placed follows it.
    let moved = MembersChange::Set {
        node: NodeId(4),
        zone: None,
        region: Some("us".to_owned()),
        capacity: None,
    };
    assert_eq!(world.change(moved).await, Reply::Done);
    world.whole(&all).await;
    let map = world.map();
    let of_us = map.nodes.iter().filter(|node| node.region == "us");
    assert_eq!(of_us.count(), 2);
    assert_eq!(set(&world, &Policies::default()).await, Reply::Done);
    adopted(&world, &Policies::default()).await;
    world.whole(&all).await;
    traffic.end(10).await;
}
