//! A tier with something in it, a destination, and what a tier has in the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use backup::{BackupId, Destination, Location, Rate, Silent, Taken};
use bytes::Bytes;
use chunking::{BlobId, DigestSet, Manifest, Profile};
use git_id::{HashKind, ObjectId, RefName};
use runtime::{ManualClock, Runtime};
use storage_node_api::backup::{OwnedBlob, RepositoryCopy, SlotSpan};
use storage_node_api::blob::{Download, StoredBlob, Upload};
use storage_node_api::dump::TableRows;
use storage_node_api::event::Event;
use storage_node_api::metadata::{Batch, Migration, Statement, Value};
use storage_node_api::order::{Answer, Command, Query, Reply, Request};
use storage_node_api::refs::{RefCommand, Target};
use storage_node_api::repository::{Actor, Commands, NewPack, Push};
use storage_node_api::{
    BlobOwner, Content, DedupDomain, OwnerId, ReadPoint, RepositoryId, RequestId, Slot, Storage,
    UploadId,
};
use storage_node_memory::MemoryStorage;
use tempfile::TempDir;

pub(crate) const DOMAIN: DedupDomain = DedupDomain(0);

pub(crate) struct World {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) runtime: Runtime,
    pub(crate) clock: ManualClock,
}

/// All that a tier has, apart from what only its cluster means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Everything {
    repositories: BTreeMap<RepositoryId, RepositoryCopy>,
    owners: Vec<OwnedBlob>,
    blobs: BTreeMap<BlobId, Bytes>,
    events: Vec<Event>,
    tables: Vec<TableRows>,
}

pub(crate) fn migrations() -> Vec<Migration> {
    let step = |number, sql: &str| Migration {
        number,
        name: format!("step {number}"),
        sql: sql.to_owned(),
    };
    vec![
        step(
            1,
            "CREATE TABLE people (id BIGINT NOT NULL PRIMARY KEY, name TEXT, key BYTEA)",
        ),
        step(
            2,
            "CREATE TABLE keys (id BIGINT NOT NULL PRIMARY KEY, \
             person BIGINT NOT NULL REFERENCES people (id), \"order\" TEXT)",
        ),
    ]
}

impl World {
    pub(crate) fn empty() -> Self {
        let (runtime, clock) = Runtime::simulated(7);
        Self {
            storage: Arc::new(MemoryStorage::new(runtime.clone())),
            runtime,
            clock,
        }
    }

    /// Some repositories with packs and a fork, a named blob, events and rows.
    pub(crate) async fn full() -> Self {
        let world = Self::empty();
        world.storage.migrate(&migrations()).await.unwrap();
        for number in 0..5_u16 {
            let id = world.create(Slot(number * 200)).await;
            world.push(id, 1, 600 << 10).await;
            world.push(id, 2, 1000).await;
        }
        let from = world.create(Slot(3)).await;
        world.push(from, 1, 5000).await;
        let id = RepositoryId::in_slot(Slot(3), &*world.runtime.random);
        let fork = Command::ForkRepository { id, from };
        assert_eq!(world.propose(Slot(3), fork).await, Reply::Done);
        world.push(id, 3, 3000).await;
        world.named_blob(Slot(3), 100_000).await;
        world.named_blob(Slot(900), 0).await;
        world.rows(0..2500).await;
        world
    }

    pub(crate) async fn rows(&self, ids: std::ops::Range<i64>) {
        for id in ids {
            let mut person = vec![
                id.into(),
                format!("name {id}").into(),
                Value::Blob(vec![7; 20]),
            ];
            if id % 3 == 0 {
                person[1] = Value::Null;
            }
            let statements = vec![
                Statement::new("INSERT INTO people VALUES ($1, $2, $3)", person),
                Statement::new(
                    "INSERT INTO keys VALUES ($1, $2, $3)",
                    [id.into(), id.into(), "ö'\"".into()],
                ),
            ];
            let batch = Batch::new(RequestId::random(&*self.runtime.random), statements);
            self.storage.execute(batch).await.unwrap();
        }
    }

    pub(crate) async fn propose(&self, slot: Slot, command: Command) -> Reply {
        let request = Request {
            id: RequestId::random(&*self.runtime.random),
            time: self.runtime.clock.now(),
            command,
        };
        self.storage.propose(slot, request).await.unwrap().reply
    }

    pub(crate) async fn create(&self, slot: Slot) -> RepositoryId {
        let id = RepositoryId::in_slot(slot, &*self.runtime.random);
        let command = Command::CreateRepository {
            id,
            hash: HashKind::Sha1,
            head: RefName::new("refs/heads/main").unwrap(),
            domain: DOMAIN,
        };
        assert_eq!(self.propose(slot, command).await, Reply::Done);
        id
    }

    async fn upload(&self, length: usize) -> StoredBlob {
        let mut bytes = vec![0; length];
        self.runtime.random.fill(&mut bytes);
        let session = self.storage.begin(DOMAIN).await.unwrap();
        let content = Arc::clone(&self.storage) as Arc<dyn Content>;
        let profile = Profile::GitPackV1;
        let hashes = DigestSet::NONE;
        let mut upload = Upload::new(content, session, self.runtime.clone(), profile, hashes, 1);
        upload.push(bytes.into()).await.unwrap();
        let done = upload.finish().await.unwrap();
        let id = UploadId::random(&*self.runtime.random);
        StoredBlob::staged(done.manifest, done.certificate, id, 0).0
    }

    /// A push of a pack of random bytes that makes a branch.
    pub(crate) async fn push(&self, repository: RepositoryId, number: u8, length: usize) {
        let object = ObjectId::from_bytes(&[number; 20]).unwrap();
        let mut checksum = [0; 20];
        self.runtime.random.fill(&mut checksum);
        let command = RefCommand {
            name: RefName::branch(&format!("branch-{number}")).unwrap(),
            old: None,
            new: Some(Target {
                id: object,
                peeled: None,
            }),
        };
        let push = Push {
            repository,
            pack: Some(NewPack {
                checksum: ObjectId::from_bytes(&checksum).unwrap(),
                objects: 1,
                pack: self.upload(length).await,
                index: self.upload(500).await,
            }),
            commands: Commands::Inline(vec![command]),
            atomic: false,
            actor: Actor(1),
            options: Vec::new(),
        };
        let reply = self.propose(repository.slot(), Command::Push(push)).await;
        assert!(matches!(reply, Reply::Pushed(_)), "{reply:?}");
    }

    pub(crate) async fn named_blob(&self, slot: Slot, length: usize) -> OwnedBlob {
        let blob = self.upload(length).await;
        let owner = OwnerId::random(&*self.runtime.random);
        let id = blob.id;
        let put = Command::PutBlob {
            slot,
            blob,
            owner: BlobOwner::Named(owner),
            domain: DOMAIN,
        };
        assert_eq!(self.propose(slot, put).await, Reply::Done);
        OwnedBlob {
            slot,
            blob: id,
            owner,
            domain: DOMAIN,
        }
    }

    pub(crate) async fn ask(&self, slot: Slot, query: Query) -> Answer {
        let point = ReadPoint::Linearizable;
        self.storage.read(slot, point, query).await.unwrap()
    }

    async fn bytes(&self, slot: Slot, blob: BlobId) -> Bytes {
        let domain = DOMAIN;
        let manifest: Manifest = match self.ask(slot, Query::Manifest { slot, domain, blob }).await
        {
            Answer::Manifest(Some(manifest)) => manifest,
            other => panic!("blob {blob} has no manifest: {other:?}"),
        };
        let content = Arc::clone(&self.storage) as Arc<dyn Content>;
        let runtime = self.runtime.clone();
        let mut download = Download::new(content, runtime, domain, &manifest, 0..u64::MAX);
        let mut all = Vec::new();
        while let Some(bytes) = download.next().await.unwrap() {
            all.extend_from_slice(&bytes);
        }
        assert_eq!(BlobId::of(&all), blob, "the bytes are the blob's");
        all.into()
    }

    /// Reads all there is.
    pub(crate) async fn everything(&self) -> Everything {
        let mut all = Everything::default();
        for range in self.storage.map().await.unwrap().groups {
            let slots = SlotSpan {
                first: range.first,
                last: range.last,
            };
            let query = Query::Repositories { slots, after: None };
            let Answer::Repositories(ids) = self.ask(slots.first, query).await else {
                panic!("repositories are expected");
            };
            for id in ids {
                let copy = match self.ask(id.slot(), Query::RepositoryCopy(id)).await {
                    Answer::RepositoryCopy(Some(copy)) => *copy,
                    other => panic!("{other:?}"),
                };
                for pack in &copy.packs {
                    for blob in [pack.pack.pack, pack.pack.index] {
                        all.blobs.insert(blob, self.bytes(id.slot(), blob).await);
                    }
                }
                all.repositories.insert(id, copy);
            }
            let query = Query::Owners { slots, after: None };
            let Answer::Owners(owners) = self.ask(slots.first, query).await else {
                panic!("owners are expected");
            };
            for owned in owners {
                let bytes = self.bytes(owned.slot, owned.blob).await;
                all.blobs.insert(owned.blob, bytes);
                all.owners.push(owned);
            }
            for slot in (slots.first.0..=slots.last.0).map(Slot) {
                let query = Query::Events {
                    slot,
                    after: 0,
                    limit: 1000,
                };
                match self.ask(slot, query).await {
                    Answer::Events(events) => all.events.extend(events.events),
                    other => panic!("{other:?}"),
                }
            }
        }
        let mut dump = self.storage.dump().await.unwrap();
        while let Some(page) = dump.next().await.unwrap() {
            all.tables.push(page);
        }
        all
    }

    pub(crate) async fn take(&self, place: &Place) -> Taken {
        self.try_take(place).await.unwrap()
    }

    pub(crate) async fn try_take(&self, place: &Place) -> Result<Taken, backup::TakeError> {
        let (storage, runtime) = (Arc::clone(&self.storage), self.runtime.clone());
        backup::take(storage, runtime, place.open(), self.rate(), &Silent).await
    }

    pub(crate) fn rate(&self) -> Arc<Rate> {
        Arc::new(Rate::new(None, self.runtime.clone()))
    }

    pub(crate) async fn restore(
        &self,
        place: &Place,
        id: Option<BackupId>,
    ) -> Result<(), backup::RestoreError> {
        let (storage, runtime) = (Arc::clone(&self.storage), self.runtime.clone());
        let (source, rate) = (place.open(), self.rate());
        let schema = migrations();
        backup::restore(storage, runtime, &source, rate, id, &schema, &Silent)
            .await
            .map(drop)
    }
}

/// A destination of a test: a directory of its own. If the variable
/// `BACKUP_TEST_BUCKET` names a bucket (`s3://name`, with options of the store
/// after it, `key=value` each, separated by spaces), it is a prefix of that.
pub(crate) struct Place {
    directory: TempDir,
    bucket: Option<(Location, Vec<(String, String)>)>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let mut place = Self::in_a_directory();
        let mut variables = std::env::vars();
        if let Some((_, text)) = variables.find(|(name, _)| name == "BACKUP_TEST_BUCKET") {
            let mut words = text.split_whitespace();
            let name = place.directory.path().file_name().unwrap();
            let prefix = name.to_str().unwrap().trim_start_matches('.');
            let bucket = words.next().unwrap();
            let location = format!("{bucket}/{prefix}").parse().unwrap();
            let pairs = words.map(|word| word.split_once('=').unwrap());
            let options = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
            place.bucket = Some((location, options.collect()));
        }
        place
    }

    /// For tests that lay hands on the objects' files.
    pub(crate) fn in_a_directory() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            bucket: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn open(&self) -> Destination {
        match &self.bucket {
            Some((location, options)) => Destination::open(location, options, false).unwrap(),
            None => {
                let location = Location::Directory(self.path().to_owned());
                Destination::open(&location, &[], false).unwrap()
            }
        }
    }

    /// The files of all objects, in order.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for directory in ["backups", "indexes", "packs"] {
            let found = std::fs::read_dir(self.path().join(directory));
            files.extend(
                found
                    .into_iter()
                    .flatten()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        files.sort();
        files
    }

    pub(crate) async fn ids(&self) -> Vec<BackupId> {
        let all = backup::list(&self.open()).await.unwrap();
        all.into_iter().map(|(id, _)| id).collect()
    }
}

impl Everything {
    /// Whether it has at least what was there before: each repository with all
    /// of its references, packs and events.
    pub(crate) fn contains(&self, before: &Self) {
        for (id, old) in &before.repositories {
            let new = self.repositories.get(id).expect("the repository is there");
            assert!(new.repository.version >= old.repository.version);
            assert!(old.refs.iter().all(|one| new.refs.contains(one)));
            assert!(old.packs.iter().all(|one| new.packs.contains(one)));
        }
        for old in &before.events {
            assert!(self.events.contains(old), "{old:?}");
        }
    }

    /// Whether each repository is at one version: as many branches, packs and
    /// events as its record counts, and feeds without holes.
    pub(crate) fn is_consistent(&self) {
        for (id, copy) in &self.repositories {
            let record = &copy.repository;
            assert_eq!(record.packs as usize, copy.packs.len());
            let of_it = self.events.iter().filter(|event| event.repository == *id);
            let numbers: Vec<u64> = of_it.map(|event| event.number).collect();
            let expected: Vec<u64> = (1..=record.events).collect();
            assert_eq!(numbers, expected, "events of {id}");
        }
        let mut next = BTreeMap::new();
        for event in &self.events {
            let next = next.entry(event.repository.slot()).or_insert(1);
            assert_eq!(event.sequence, *next, "a feed without holes");
            *next += 1;
        }
    }
}
