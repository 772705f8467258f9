//! Nodes that lose power: what was acknowledged is there, what was not is whole
//! or absent. With one sync taken out the same test sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chunking::{DigestSet, Profile};
use git_id::{HashKind, ObjectId, RefName};
use runtime::{Runtime, Survives};
use storage_node_api::blob::{Download, StoredBlob, Upload};
use storage_node_api::order::{Answer, Command, Query, Reply, Request};
use storage_node_api::refs::{RefCommand, RefOutcome, Target};
use storage_node_api::repository::{Actor, Commands, NewPack, Pack, Push};
use storage_node_api::{
    Content, DedupDomain, NodeId, ReadPoint, RepositoryId, RequestId, Slot, Storage, UploadId,
};

use crate::world::World;

const DOMAIN: DedupDomain = DedupDomain(7);

/// One push: its number is in the object id that its two refs move to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Acknowledged,
    Unknown,
}

/// Pushes one after the other, each with a pack, and notes what it was told.
pub(crate) struct Pusher {
    storage: Arc<dyn Storage>,
    runtime: Runtime,
    repository: RepositoryId,
    pub(crate) pushes: Vec<Outcome>,
}

fn object(number: usize) -> ObjectId {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
    ObjectId::from_bytes(&bytes).unwrap()
}

/// The content of a push's pack, which only its number decides.
fn content(number: usize) -> Bytes {
    let word = (number as u32).wrapping_mul(0x9e37_79b9);
    (0..50_000u32)
        .flat_map(|n| (n.wrapping_mul(word) >> 7).to_le_bytes())
        .collect::<Vec<u8>>()
        .into()
}

impl Pusher {
    pub(crate) async fn begin(storage: Arc<dyn Storage>, runtime: Runtime) -> Self {
        let repository = RepositoryId::in_slot(Slot(3), &*runtime.random);
        let pusher = Self {
            storage,
            runtime,
            repository,
            pushes: Vec::new(),
        };
        let create = Command::CreateRepository {
            id: repository,
            hash: HashKind::Sha1,
            head: RefName::branch("main").unwrap(),
            domain: DOMAIN,
        };
        let created = pusher
            .storage
            .propose(Slot(3), pusher.request(create))
            .await
            .unwrap();
        assert_eq!(created.reply, Reply::Done);
        pusher
    }

    fn request(&self, command: Command) -> Request {
        let id = RequestId::random(&*self.runtime.random);
        Request {
            id,
            time: self.runtime.clock.now(),
            command,
        }
    }

    async fn upload(&self, bytes: Bytes) -> Option<StoredBlob> {
        let content = Arc::clone(&self.storage) as Arc<dyn Content>;
        let session = content.begin(DOMAIN).await.ok()?;
        let runtime = self.runtime.clone();
        let mut upload = Upload::new(
            content,
            session,
            runtime,
            Profile::GitPackV1,
            DigestSet::NONE,
            1,
        );
        upload.push(bytes).await.ok()?;
        let finished = upload.finish().await.ok()?;
        let id = UploadId::random(&*self.runtime.random);
        let (blob, parts) = StoredBlob::staged(finished.manifest, finished.certificate, id, 0);
        assert!(parts.is_empty());
        Some(blob)
    }

    pub(crate) async fn push(&mut self) {
        let number = self.pushes.len();
        let outcome = self.try_push(number).await.unwrap_or(Outcome::Unknown);
        self.pushes.push(outcome);
    }

    async fn try_push(&self, number: usize) -> Option<Outcome> {
        let pack = self.upload(content(number)).await?;
        let index = self.upload(Bytes::from(format!("index {number}"))).await?;
        let target = Target {
            id: object(number),
            peeled: None,
        };
        let tag = RefName::tag(&format!("t{number}")).unwrap();
        let main = RefName::branch("main").unwrap();
        let old = self.refs(ReadPoint::Linearizable).await?.main;
        let commands = vec![
            RefCommand {
                name: main,
                old,
                new: Some(target),
            },
            RefCommand {
                name: tag,
                old: None,
                new: Some(target),
            },
        ];
        let push = Push {
            repository: self.repository,
            pack: Some(NewPack {
                checksum: object(number),
                objects: 1,
                pack,
                index,
            }),
            commands: Commands::Inline(commands),
            atomic: true,
            actor: Actor(1),
            options: Vec::new(),
        };
        let committed = self
            .storage
            .propose(Slot(3), self.request(Command::Push(push)))
            .await
            .ok()?;
        let Reply::Pushed(pushed) = committed.reply else {
            return None;
        };
        // Another outcome means that an earlier push of unknown outcome got in between.
        pushed
            .outcomes
            .iter()
            .all(|o| *o == RefOutcome::Updated)
            .then_some(Outcome::Acknowledged)
    }

    async fn refs(&self, point: ReadPoint) -> Option<Refs> {
        let query = Query::Refs {
            repository: self.repository,
            known: None,
        };
        let Ok(Answer::Refs(Some(list))) = self.storage.read(Slot(3), point, query).await else {
            return None;
        };
        let of = |name: &str| {
            list.refs
                .iter()
                .find(|r| r.name.as_str() == name)
                .map(|r| r.target.id)
        };
        Some(Refs {
            main: of("refs/heads/main"),
            tags: (0..self.pushes.len() + 1)
                .map(|n| of(&format!("refs/tags/t{n}")))
                .collect(),
        })
    }

    /// What is wrong with what is there, held against what was told.
    pub(crate) async fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let Some(refs) = self.refs(ReadPoint::Linearizable).await else {
            return vec!["the refs cannot be read".to_owned()];
        };
        let query = Query::Packs {
            repository: self.repository,
            known: None,
        };
        let packs = match self
            .storage
            .read(Slot(3), ReadPoint::Linearizable, query)
            .await
        {
            Ok(Answer::Packs(Some(list))) => list.packs,
            other => return vec![format!("the packs cannot be read: {other:?}")],
        };
        let last = refs.tags.iter().rposition(Option::is_some);
        if refs.main != last.map(object) {
            faults.push(format!("main is {:?}, the last tag is {last:?}", refs.main));
        }
        for (number, outcome) in self.pushes.iter().enumerate() {
            let there = refs.tags[number].is_some();
            if *outcome == Outcome::Acknowledged && !there {
                faults.push(format!("push {number} was acknowledged and is gone"));
            }
            let pack = packs.iter().find(|pack| pack.checksum == object(number));
            match pack {
                None if there => faults.push(format!("push {number} is there without its pack")),
                Some(_) if !there => faults.push(format!("push {number} is there in part")),
                Some(pack) => faults.extend(self.fault_of(number, pack).await),
                None => {}
            }
        }
        faults
    }

    async fn fault_of(&self, number: usize, pack: &Pack) -> Option<String> {
        let query = Query::Manifest {
            slot: Slot(3),
            domain: DOMAIN,
            blob: pack.pack,
        };
        let read = self
            .storage
            .read(Slot(3), ReadPoint::Linearizable, query)
            .await;
        let Ok(Answer::Manifest(Some(manifest))) = read else {
            return Some(format!(
                "the manifest of push {number} cannot be read: {read:?}"
            ));
        };
        let content_of = Arc::clone(&self.storage) as Arc<dyn Content>;
        let whole = 0..manifest.length;
        let mut download =
            Download::new(content_of, self.runtime.clone(), DOMAIN, &manifest, whole);
        let mut bytes = Vec::new();
        loop {
            match download.next().await {
                Ok(Some(piece)) => bytes.extend_from_slice(&piece),
                Ok(None) => break,
                Err(error) => return Some(format!("push {number} cannot be read: {error:?}")),
            }
        }
        (bytes != content(number)).then(|| format!("push {number} reads back as other bytes"))
    }
}

struct Refs {
    main: Option<ObjectId>,
    tags: Vec<Option<ObjectId>>,
}

/// Pushes while nodes lose power in turn, one at a time. Returns what is wrong
/// afterwards, and how many pushes were acknowledged.
async fn run(world: &mut World, crashes: u64) -> (Vec<String>, usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut pusher = Pusher::begin(world.storage(), world.runtime.clone()).await;
    let told = Arc::clone(&stop);
    let pushing = tokio::spawn(async move {
        while !told.load(Ordering::SeqCst) {
            pusher.push().await;
        }
        pusher
    });
    for round in 0..crashes {
        let victim = NodeId(round % 3 + 1);
        world.runtime.clock.sleep(Duration::from_millis(400)).await;
        let survives = if round % 2 == 0 {
            Survives::Nothing
        } else {
            Survives::Random(round)
        };
        world.crash(victim, survives).await;
        world.runtime.clock.sleep(Duration::from_millis(100)).await;
        world.launch(victim).await;
        world
            .wait_until("the node is back", |world| {
                world.links.running().iter().all(|n| n.is_ready())
            })
            .await;
    }
    stop.store(true, Ordering::SeqCst);
    let pusher = pushing.await.unwrap();
    let acknowledged = pusher
        .pushes
        .iter()
        .filter(|o| **o == Outcome::Acknowledged)
        .count();
    (pusher.faults().await, acknowledged)
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_pushes_survive_power_failures_of_every_node() {
    let mut world = World::of(3).await;
    let (faults, acknowledged) = run(&mut world, 6).await;
    assert_eq!(faults, [] as [String; 0]);
    assert!(
        acknowledged >= 10,
        "only {acknowledged} pushes were acknowledged"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_sync_of_volumes_a_power_failure_is_seen() {
    let mut world = World::of(3).await;
    world.forget_volume_syncs();
    // All three lose power at once: with syncs this would lose nothing.
    let mut pusher = Pusher::begin(world.storage(), world.runtime.clone()).await;
    for _ in 0..5 {
        pusher.push().await;
    }
    assert_eq!(pusher.faults().await, [] as [String; 0]);
    power_failure_of_all(&mut world).await;
    assert!(
        !pusher.faults().await.is_empty(),
        "the test does not see lost chunks"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_failure_of_all_nodes_at_once_loses_nothing() {
    let mut world = World::of(3).await;
    let mut pusher = Pusher::begin(world.storage(), world.runtime.clone()).await;
    for _ in 0..5 {
        pusher.push().await;
    }
    power_failure_of_all(&mut world).await;
    assert_eq!(pusher.faults().await, [] as [String; 0]);
    assert!(pusher.pushes.contains(&Outcome::Acknowledged));
}

async fn power_failure_of_all(world: &mut World) {
    for id in [1, 2, 3].map(NodeId) {
        world.crash(id, Survives::Nothing).await;
    }
    for id in [1, 2, 3].map(NodeId) {
        world.launch(id).await;
    }
    world
        .wait_until("all nodes are back", |world| {
            world.links.running().iter().all(|n| n.is_ready())
        })
        .await;
}
