//! Two regions and a third for the majority, far from each other.
//!
//! Hosts are network namespaces and the distance is made by a switch of ours
//! (`jepsen::network`): each packet between regions comes half a round trip later.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use jepsen::harness::{ADMINISTRATOR, Cluster, Git, Layout, Operator, PASSWORD, devflow};
use jepsen::network::{Host, Link, Network};
use serde_json::Value;
use storage_node_api::{ReadPoint, RepositoryId, Slot};
use storage_node_client::bulk::Choice;

use super::report::{Goal, Report, median, millis};
use super::tier::{Branch, Tier};

/// There and back between two regions.
const ROUND_TRIP: Duration = Duration::from_millis(80);
/// The region of each node, then of each frontend.
const REGIONS: [&str; 9] = ["eu", "eu", "eu", "us", "us", "us", "ap", "eu", "us"];
/// How many of them are nodes.
const NODES: usize = 7;
/// The frontends' positions among the hosts.
const HERE: usize = 7;
pub(super) const THERE: usize = 8;
/// Reads of one kind in a row.
const READS: usize = 40;
/// Listings by git in a row.
const LISTINGS: usize = 12;
/// The largest packet, as everywhere between regions.
const PACKET_BYTES: u16 = 1500;
/// How long voters may take to be as ordered.
const PATIENCE: Duration = Duration::from_secs(120);

/// The cluster, its network, and where the frontends' identities are.
pub(super) struct World {
    cluster: Cluster,
    pub(super) network: Network,
    place: PathBuf,
}

/// Reads and pushes.
pub(super) fn measure(place: &Path, rounds: usize) -> anyhow::Result<Report> {
    let place = place.to_owned();
    in_network(move || reads_and_pushes(&place, rounds))
}

/// On a thread of its own, since the thread enters the network for good.
pub(super) fn in_network(
    measure: impl FnOnce() -> anyhow::Result<Report> + Send + 'static,
) -> anyhow::Result<Report> {
    let measured = thread::spawn(measure).join();
    measured.map_err(|_| anyhow::anyhow!("the measurement panicked"))?
}

fn reads_and_pushes(place: &Path, rounds: usize) -> anyhow::Result<Report> {
    let world = World::start(place)?;
    let mut report = Report::new("Regions 80 ms apart", "remote", "local");
    world.survive("node", &["eu=3", "us=3"], &["eu=3"])?;
    world.wait_for_voters(3)?;
    world.distance(0);
    world.reads(rounds, &mut report)?;
    let local = world.pushes_that_survive_a_node(rounds, &mut report)?;
    world.network.heal();
    world.survive("region", &["eu=3", "us=3"], &["eu=2", "us=2", "ap=1"])?;
    world.wait_for_voters(5)?;
    world.distance(0);
    world.pushes_that_survive_a_region(&local, &mut report)?;
    report.note(
        "Three nodes in eu, three in us, one in ap, a frontend in each of the first two; 40 ms each way between regions. Reads: all refs of a \
         small repository by the tier's client. Pushes: `devflow bench refs`, one at a time, through the frontend of the region. \
         Extra: remote less local, in round trips."
            .to_owned(),
    );
    Ok(report)
}

/// A row of times, and one of what is more in round trips.
fn extra(report: &mut Report, what: &str, pairs: &[(f64, f64)], goal: Goal) {
    report.pairs(&format!("{what}: p50"), "ms", pairs, Goal::None);
    let trips = pairs
        .iter()
        .map(|(remote, local)| (remote - local) / millis(ROUND_TRIP));
    let trips: Vec<f64> = trips.collect();
    report.alone(
        &format!("{what}: extra"),
        "round trips",
        median(&trips),
        goal,
    );
}

impl World {
    pub(super) fn start(place: &Path) -> anyhow::Result<Self> {
        let network = Network::start(REGIONS.len() + 1)?;
        network.limit_packets(PACKET_BYTES)?;
        let mut layout = Layout::default();
        for (number, region) in REGIONS.iter().enumerate() {
            layout.hosts.push(Arc::clone(network.host(number)?));
            let section = if number < NODES { "NODE" } else { "STORAGE" };
            let variable = (format!("DEVFLOW_{section}__REGION"), (*region).to_owned());
            layout.variables.push(vec![variable]);
        }
        network.host(REGIONS.len())?.enter()?;
        std::fs::write(place.join("password"), PASSWORD)?;
        let frontends = REGIONS.len() - NODES;
        Ok(Self {
            cluster: Cluster::start_as(place, NODES, frontends, layout)?,
            network,
            place: place.to_owned(),
        })
    }

    /// Puts the regions apart.
    pub(super) fn distance(&self, loss_permille: u16) {
        let link = Link {
            delay: ROUND_TRIP / 2,
            loss_permille,
            ..Link::default()
        };
        for (from, region) in REGIONS.iter().enumerate() {
            for (to, other) in REGIONS.iter().enumerate() {
                if region != other {
                    self.network.set(from, to, link);
                }
            }
        }
    }

    /// Orders what a success survives, where content and where voters are, from home in eu.
    pub(super) fn survive(
        &self,
        fault: &str,
        content: &[&str],
        voters: &[&str],
    ) -> anyhow::Result<()> {
        let operator = Operator::with(self.data(HERE));
        operator.survive(fault, content, voters, "eu")
    }

    /// Returns the times at home.
    fn pushes_that_survive_a_node(
        &self,
        rounds: usize,
        report: &mut Report,
    ) -> anyhow::Result<Vec<f64>> {
        let mut pairs = Vec::new();
        for _ in 0..rounds {
            let here = self.pushes(HERE)?;
            pairs.push((self.pushes(THERE)?, here));
        }
        extra(report, "push that survives a node", &pairs, Goal::Most(2.0));
        Ok(pairs.iter().map(|(_, here)| *here).collect())
    }

    /// Beside those at home that survive a node.
    fn pushes_that_survive_a_region(
        &self,
        local: &[f64],
        report: &mut Report,
    ) -> anyhow::Result<()> {
        for (name, from) in [("from home", HERE), ("from afar", THERE)] {
            let mut pairs = Vec::new();
            for local in local {
                pairs.push((self.pushes(from)?, *local));
            }
            let row =
                format!("push {name} that survives a region, beside local that survives a node");
            extra(report, &row, &pairs, Goal::Most(3.0));
        }
        Ok(())
    }

    /// Until each group has so many voters and its leader at home.
    pub(super) fn wait_for_voters(&self, voters: usize) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let status = self.cluster.status()?;
            let mut groups = status.nodes.iter().flat_map(|node| &node.groups);
            let is_home = |leader| self.cluster.position_of(leader).is_some_and(|at| at < 3);
            if groups.all(|group| group.voters.len() == voters && group.leader.is_some_and(is_home))
            {
                return Ok(());
            }
            let waited = began.elapsed();
            ensure!(waited < PATIENCE, "voters are not as ordered: {status:?}");
            thread::sleep(Duration::from_millis(500));
        }
    }

    fn data(&self, at: usize) -> PathBuf {
        self.place.join(format!("frontend{}", at - NODES + 1))
    }

    fn host(&self, at: usize) -> anyhow::Result<&Arc<Host>> {
        self.network.host(at)
    }

    /// Does something with a client in the region of a frontend.
    pub(super) fn with_tier<T: Send + 'static>(
        &self,
        at: usize,
        choice: Choice,
        work: impl AsyncFnOnce(Tier) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let data = self.data(at);
        let host = Arc::clone(self.host(at)?);
        let there = move || {
            host.enter()?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let tier = Tier::enter_from(&data, Some(REGIONS[at]), choice)?;
                work(tier).await
            })
        };
        let done = thread::spawn(there).join();
        done.map_err(|_| anyhow::anyhow!("a client panicked"))?
    }

    fn reads(&self, rounds: usize, report: &mut Report) -> anyhow::Result<()> {
        let repository = self.with_tier(HERE, Choice::Auto, async |tier| {
            let repository = tier.repository(Slot(0)).await?;
            Branch::new(repository, "main")?.push(&tier).await?;
            Ok(repository)
        })?;
        for (what, point, goal) in [
            ("linearizable", ReadPoint::Linearizable, Goal::Most(1.0)),
            ("of bounded staleness", ReadPoint::Stale, Goal::None),
        ] {
            let mut pairs = Vec::new();
            for _ in 0..rounds {
                let here = self.read(HERE, repository, point)?;
                pairs.push((self.read(THERE, repository, point)?, here));
            }
            extra(report, &format!("read, {what}"), &pairs, goal);
        }
        let mut pairs = Vec::new();
        for _ in 0..rounds {
            let here = self.listings(HERE)?;
            pairs.push((self.listings(THERE)?, here));
        }
        extra(report, "git ls-remote", &pairs, Goal::None);
        Ok(())
    }

    fn read(&self, at: usize, of: RepositoryId, point: ReadPoint) -> anyhow::Result<f64> {
        self.with_tier(at, Choice::Auto, async move |tier| {
            let mut times = Vec::new();
            // The first connect and learn what is near.
            for number in 0..READS + READS / 2 {
                let began = Instant::now();
                let refs = tier.refs(of, point).await;
                let refs = refs.with_context(|| {
                    format!("read number {number}, {point:?}, from {}", REGIONS[at])
                })?;
                ensure!(refs == 1, "{refs} refs");
                if number >= READS / 2 {
                    times.push(millis(began.elapsed()));
                }
            }
            Ok(median(&times))
        })
    }

    /// `git ls-remote` of an empty repository, p50.
    fn listings(&self, at: usize) -> anyhow::Result<f64> {
        let base = self.cluster.base(at - NODES)?;
        let http = self.cluster.http()?;
        // It is there already after the first time.
        let body = serde_json::json!({"name": "listed", "private": false});
        http.send("POST", "/api/v1/user/repos", Some(&body))?;
        let url = Git::url(&base, &format!("{ADMINISTRATOR}/listed.git"));
        self.host(at)?.run(move || {
            let mut times = Vec::new();
            for _ in 0..LISTINGS {
                let began = Instant::now();
                let listed = Command::new("git").args(["ls-remote", &url]).output()?;
                ensure!(listed.status.success(), "{listed:?}");
                times.push(millis(began.elapsed()));
            }
            Ok(median(&times))
        })?
    }

    /// The p50 of small pushes through a frontend, from its own host.
    fn pushes(&self, at: usize) -> anyhow::Result<f64> {
        let mut command = Command::new(devflow()?);
        command
            .args([
                "bench",
                "refs",
                "--json",
                "--concurrency",
                "1",
                "--repositories",
                "1",
            ])
            .args(["--seconds", "8", "--warm-up", "2", "--user", ADMINISTRATOR])
            .arg("--password-file")
            .arg(self.place.join("password"))
            .args(["--url", &self.cluster.base(at - NODES)?]);
        let output = self.host(at)?.run(move || command.output())??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "devflow bench: {said}");
        let json: Value = serde_json::from_slice(&output.stdout)?;
        let p50 = json["runs"][0]["latency"]["p50_us"].as_f64();
        Ok(p50.context("no p50")? / 1000.0)
    }
}
