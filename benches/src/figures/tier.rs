//! The storage tier as a frontend reaches it: mutual TLS, the real client.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use git_id::{HashKind, ObjectId, RefName};
use runtime::Runtime;
use serde_json::Value;
use storage_node_api::order::{Answer, Command, Order, Query, Reply, Request};
use storage_node_api::refs::{RefCommand, RefOutcome, Target};
use storage_node_api::repository::{Actor, Commands, Push};
use storage_node_api::{DedupDomain, ReadPoint, RepositoryId, RequestId, Slot};
use storage_node_client::bulk::{self, Choice, QuicTransport, Route, TcpTransport};
use storage_node_client::identity::Identity;
use storage_node_client::remote::RemoteLinks;
use storage_node_client::tier::{Client, Config, NoPeers};

/// Where chunks are shared.
pub(crate) const DOMAIN: DedupDomain = DedupDomain(0);

/// A client of a cluster.
#[derive(Debug)]
pub(crate) struct Tier {
    /// The tier itself.
    pub(crate) storage: Arc<Client>,
    /// Its clock and its randomness.
    pub(crate) runtime: Runtime,
}

/// A branch that one writer moves.
#[derive(Debug)]
pub(crate) struct Branch {
    repository: RepositoryId,
    name: RefName,
    at: Option<ObjectId>,
}

impl Tier {
    /// A client with the identity of a data directory. To be called in a tokio
    /// runtime.
    pub(crate) fn enter(data: &Path) -> anyhow::Result<Self> {
        Self::enter_from(data, None, Choice::Auto)
    }

    /// The same from a region, with a choice of how chunks travel.
    pub(crate) fn enter_from(
        data: &Path,
        region: Option<&str>,
        choice: Choice,
    ) -> anyhow::Result<Self> {
        let runtime = Runtime::real();
        let directory = data.join("identity");
        let identity = Identity::load(&directory)?;
        let place: Value =
            serde_json::from_str(&std::fs::read_to_string(directory.join("place.json"))?)?;
        let addresses = place["seeds"].as_array().into_iter().flatten();
        let seeds: Vec<String> = addresses
            .chain([&place["listen"]])
            .filter_map(|seed| seed.as_str().map(str::to_owned))
            .collect();
        let region = region.map(str::to_owned);
        let tcp = Arc::new(TcpTransport::new(&identity, runtime.clone())?);
        let quic = Arc::new(QuicTransport::new(&identity, runtime.clone())?);
        let route = Route::new(tcp, quic, choice, region.clone());
        let metrics = bulk::Metrics::default();
        let alone = Arc::new(NoPeers);
        let links = RemoteLinks::new(&identity, route, &seeds, alone, runtime.clone(), metrics)?;
        let config = Config {
            region,
            ..Config::default()
        };
        Ok(Self {
            storage: Arc::new(Client::new(
                Arc::new(links),
                runtime.clone(),
                config.validate()?,
            )),
            runtime,
        })
    }

    /// Commits one command, or says why it was refused.
    pub(crate) async fn commit(&self, slot: Slot, command: Command) -> anyhow::Result<Reply> {
        let request = self.request(command);
        match self.storage.propose(slot, request).await?.reply {
            Reply::Refused(refusal) => bail!("refused: {refusal}"),
            reply => Ok(reply),
        }
    }

    fn request(&self, command: Command) -> Request {
        Request {
            id: RequestId::random(&*self.runtime.random),
            time: self.runtime.clock.now(),
            command,
        }
    }

    /// An empty repository in a slot.
    pub(crate) async fn repository(&self, slot: Slot) -> anyhow::Result<RepositoryId> {
        let id = RepositoryId::in_slot(slot, &*self.runtime.random);
        let create = Command::CreateRepository {
            id,
            hash: HashKind::Sha1,
            head: RefName::branch("main")?,
            domain: DOMAIN,
        };
        self.commit(slot, create).await?;
        Ok(id)
    }

    /// All refs of a repository, at a point.
    pub(crate) async fn refs(
        &self,
        repository: RepositoryId,
        point: ReadPoint,
    ) -> anyhow::Result<usize> {
        let query = Query::Refs {
            repository,
            known: None,
        };
        match self.storage.read(repository.slot(), point, query).await? {
            Answer::Refs(Some(list)) => Ok(list.refs.len()),
            other => bail!("no refs but {other:?}"),
        }
    }
}

impl Branch {
    /// One that is not there yet.
    pub(crate) fn new(repository: RepositoryId, name: &str) -> anyhow::Result<Self> {
        Ok(Self {
            repository,
            name: RefName::branch(name)?,
            at: None,
        })
    }

    /// Moves it by compare-and-swap to an object of a random name.
    pub(crate) async fn push(&mut self, tier: &Tier) -> anyhow::Result<()> {
        let (new, command) = self.next(tier)?;
        let slot = self.repository.slot();
        match tier.commit(slot, command).await? {
            Reply::Pushed(pushed) => ensure!(
                pushed.outcomes == [RefOutcome::Updated],
                "the branch did not move: {:?}",
                pushed.outcomes
            ),
            other => bail!("no push but {other:?}"),
        }
        self.at = Some(new);
        Ok(())
    }

    /// The bytes of the request that [`Self::push`] commits.
    pub(crate) fn request_bytes(&self, tier: &Tier) -> anyhow::Result<usize> {
        let mut branch = Self::new(self.repository, "main")?;
        branch.at = Some(tier.object()?);
        let request = tier.request(branch.next(tier)?.1);
        Ok(postcard::to_allocvec(&request)?.len())
    }

    fn next(&self, tier: &Tier) -> anyhow::Result<(ObjectId, Command)> {
        let new = tier.object()?;
        let command = RefCommand {
            name: self.name.clone(),
            old: self.at,
            new: Some(Target {
                id: new,
                peeled: None,
            }),
        };
        let push = Push {
            repository: self.repository,
            pack: None,
            commands: Commands::Inline(vec![command]),
            atomic: false,
            actor: Actor(1),
            options: Vec::new(),
        };
        Ok((new, Command::Push(push)))
    }
}

impl Tier {
    fn object(&self) -> anyhow::Result<ObjectId> {
        let mut bytes = [0; 20];
        self.runtime.random.fill(&mut bytes);
        ObjectId::from_bytes(&bytes).context("twenty bytes are an object's name")
    }
}
