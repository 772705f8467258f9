//! A group in memory, with what tests say to it.

use std::collections::BTreeMap;

use bytes::Bytes;
use chunking::{BlobId, ChunkId, ChunkRef, Profile};
use git_id::{HashKind, ObjectId, RefName};
use storage_node_api::blob::{Chunks, StoredBlob};
use storage_node_api::content::{Certificate, Receipt, Run};
use storage_node_api::event::Events;
use storage_node_api::map::{CLUSTER_GROUP, ClusterMap, FIRST_DATA_GROUP, Node, Policies};
use storage_node_api::order::{Answer, Command, Query, Refusal, Reply, Request};
use storage_node_api::refs::{RefCommand, RefOutcome, Target};
use storage_node_api::repository::{Actor, Commands, NewPack, Pack, Push, Pushed, Repository};
use storage_node_api::{
    ClusterId, DedupDomain, Generation, GroupId, Incarnation, MapEpoch, NodeId, RepositoryId,
    RequestId, Slot, Timestamp,
};
use storage_node_machine::{Write, apply, encode_request, query, recompute};

pub(crate) type State = BTreeMap<Bytes, Bytes>;

pub(crate) const DOMAIN: DedupDomain = DedupDomain(1);
pub(crate) const SLOT: Slot = Slot(3);

pub(crate) struct Group {
    pub(crate) group: GroupId,
    pub(crate) state: State,
    pub(crate) index: u64,
    pub(crate) time: u64,
    requests: u64,
}

impl Group {
    pub(crate) fn empty(group: GroupId) -> Self {
        Self {
            group,
            state: State::new(),
            index: 0,
            time: 1_000,
            requests: 0,
        }
    }

    /// A data group that owns all slots of a cluster of three nodes.
    pub(crate) fn data() -> Self {
        let mut group = Self::empty(FIRST_DATA_GROUP);
        assert_eq!(group.run(Command::AdoptMap(map(3))), Reply::Done);
        group
    }

    pub(crate) fn cluster() -> Self {
        Self::empty(CLUSTER_GROUP)
    }

    /// Applies a command under a new request id.
    pub(crate) fn run(&mut self, command: Command) -> Reply {
        self.requests += 1;
        let mut id = [0xee; 16];
        id[..8].copy_from_slice(&self.requests.to_be_bytes());
        id[8..].copy_from_slice(&self.group.0.to_be_bytes());
        self.request(RequestId(id), command)
    }

    pub(crate) fn request(&mut self, id: RequestId, command: Command) -> Reply {
        let time = Timestamp(self.time);
        self.index += 1;
        let request = Request { id, time, command };
        let entry = encode_request(&request).unwrap();
        let effects = apply(self.group, &self.state, self.index, &entry).unwrap();
        write(&mut self.state, effects.writes);
        effects.reply
    }

    pub(crate) fn refused(&mut self, command: Command) -> Refusal {
        match self.run(command) {
            Reply::Refused(refusal) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(crate) fn done(&mut self, command: Command) {
        assert_eq!(self.run(command), Reply::Done);
    }

    pub(crate) fn pushed(&mut self, push: Push) -> Pushed {
        match self.run(Command::Push(push)) {
            Reply::Pushed(pushed) => pushed,
            other => panic!("not pushed: {other:?}"),
        }
    }

    pub(crate) fn ask(&self, question: &Query) -> Answer {
        query(&self.state, question).unwrap()
    }

    pub(crate) fn create(&mut self, id: RepositoryId) {
        self.done(create(id));
    }

    pub(crate) fn repository(&self, id: RepositoryId) -> Option<Repository> {
        match self.ask(&Query::Repository(id)) {
            Answer::Repository(repository) => repository,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn refs(&self, repository: RepositoryId) -> Vec<(String, ObjectId)> {
        let known = None;
        match self.ask(&Query::Refs { repository, known }) {
            Answer::Refs(Some(list)) => list
                .refs
                .into_iter()
                .map(|r| (r.name.to_string(), r.target.id))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn packs(&self, repository: RepositoryId) -> Vec<Pack> {
        let known = None;
        match self.ask(&Query::Packs { repository, known }) {
            Answer::Packs(Some(list)) => list.packs,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn events(&self, slot: Slot, after: u64) -> Events {
        let limit = u32::MAX;
        match self.ask(&Query::Events { slot, after, limit }) {
            Answer::Events(events) => events,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn has_blob(&self, slot: Slot, domain: DedupDomain, blob: BlobId) -> bool {
        match self.ask(&Query::Manifest { slot, domain, blob }) {
            Answer::Manifest(manifest) => manifest.is_some(),
            other => panic!("{other:?}"),
        }
    }

    /// How many keys of this family there are.
    pub(crate) fn count(&self, family: u8) -> usize {
        self.state.keys().filter(|key| key[0] == family).count()
    }

    /// The hash kept is the one that the pairs have.
    pub(crate) fn check_hash(&self) {
        let (index, hash) = (self.index, recompute(&self.state).unwrap());
        assert_eq!(
            self.ask(&Query::StateHash),
            Answer::StateHash { index, hash }
        );
    }
}

pub(crate) fn write(state: &mut State, writes: Vec<Write>) {
    for Write { key, value } in writes {
        match value {
            Some(value) => drop(state.insert(key, value)),
            None => assert!(state.remove(&key).is_some(), "removes what is there only"),
        }
    }
}

pub(crate) fn map(nodes: u64) -> ClusterMap {
    ClusterMap {
        cluster: ClusterId([1; 16]),
        epoch: MapEpoch(5),
        generation: Generation(2),
        machine_version: 1,
        policies: Policies::default(),
        nodes: (1..=nodes)
            .map(|id| Node {
                id: NodeId(id),
                control: format!("n{id}:1"),
                bulk: format!("n{id}:2"),
                zone: "z".into(),
                region: "r".into(),
                capacity: 1,
                incarnation: Incarnation(1),
                draining: false,
            })
            .collect(),
        groups: ClusterMap::divide_slots(1),
        members: Box::default(),
        moves: Box::default(),
    }
}

pub(crate) fn repository(number: u8) -> RepositoryId {
    let mut id = [number; 16];
    id[..2].copy_from_slice(&SLOT.0.to_be_bytes());
    RepositoryId(id)
}

pub(crate) fn create(id: RepositoryId) -> Command {
    Command::CreateRepository {
        id,
        hash: HashKind::Sha1,
        head: name("refs/heads/main"),
        domain: DOMAIN,
    }
}

pub(crate) fn name(name: &str) -> RefName {
    RefName::new(name).unwrap()
}

pub(crate) fn object(number: u8) -> ObjectId {
    ObjectId::from_bytes(&[number; 20]).unwrap()
}

pub(crate) fn target(number: u8) -> Target {
    Target {
        id: object(number),
        peeled: None,
    }
}

/// A ref command; 0 stands for no object.
pub(crate) fn command(full: &str, old: u8, new: u8) -> RefCommand {
    RefCommand {
        name: name(full),
        old: (old != 0).then(|| object(old)),
        new: (new != 0).then(|| target(new)),
    }
}

pub(crate) fn push(repository: RepositoryId, commands: Vec<RefCommand>) -> Push {
    Push {
        repository,
        pack: None,
        commands: Commands::Inline(commands),
        atomic: false,
        actor: Actor(9),
        options: Vec::new(),
    }
}

pub(crate) fn receipt(node: u64) -> Receipt {
    Receipt {
        node: NodeId(node),
        incarnation: Incarnation(1),
        epoch: MapEpoch(5),
        generation: Generation(2),
        domain: DOMAIN,
    }
}

pub(crate) fn chunk(seed: &[u8], length: u32) -> ChunkRef {
    ChunkRef {
        id: ChunkId::of(seed),
        length,
    }
}

/// A blob of one chunk that nodes 1 and 2 hold.
pub(crate) fn blob(seed: &str) -> StoredBlob {
    StoredBlob {
        id: BlobId::of(seed.as_bytes()),
        length: 10,
        profile: Profile::GitPackV1,
        chunks: Chunks::Inline(vec![chunk(seed.as_bytes(), 10)]),
        certificate: Certificate {
            receipts: vec![receipt(1), receipt(2)],
            runs: vec![Run {
                chunks: 1,
                holders: vec![0, 1],
            }],
        },
    }
}

pub(crate) fn pack(number: u8) -> NewPack {
    NewPack {
        checksum: object(100 + number),
        objects: 3,
        pack: blob(&format!("pack {number}")),
        index: blob(&format!("index {number}")),
    }
}

pub(crate) fn stale(actual: u8) -> RefOutcome {
    RefOutcome::Stale {
        actual: (actual != 0).then(|| object(actual)),
    }
}
