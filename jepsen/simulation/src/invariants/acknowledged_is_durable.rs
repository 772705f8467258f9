use std::time::Duration;

use runtime::{Random, SeededRandom, Survives};
use storage_node_api::NodeId;
use tokio::time::Instant;

use super::{Evidence, tell};
use crate::history::{Action, Blob, Operation, Outcome};
use crate::workload::{Client, acknowledged};
use crate::world::{PATIENCE, World};

const NAME: &str = "acknowledged is durable";
/// How many of the newest blobs are read while a node is down.
const NEWEST: usize = 12;

/// What was acknowledged is readable, and never as other bytes: at any time,
/// while any one node is lost, and through every node once all are back.
pub(super) async fn hold(
    evidence: &mut Evidence<'_>,
    clients: &mut [Client],
) -> anyhow::Result<()> {
    let history = evidence.recorder.operations();
    for operation in &history {
        if let Action::GetBlob {
            number,
            named,
            wrong,
        } = &operation.action
        {
            let lost = !named && has_owner(evidence, &history, *number, operation.called);
            let lost = lost.then(|| format!("blob {number} has lost its name"));
            let wrong = wrong
                .as_ref()
                .map(|wrong| format!("blob {number} has {wrong}"));
            tell(evidence.observer, NAME, lost.into_iter().chain(wrong));
        }
    }
    let blobs = acknowledged(evidence.recorder);
    let plan = evidence.plan;
    let random = SeededRandom::new(plan.shape.seed ^ 0x6c6f_7373);
    // A node that has lost bits is the one node that a success survives.
    let victim = evidence
        .world
        .rotten
        .unwrap_or_else(|| NodeId(random.below(plan.shape.nodes) + 1));
    evidence.world.crash(victim, Survives::Nothing);
    let newest = &blobs[blobs.len().saturating_sub(NEWEST)..];
    let client = &mut clients[0];
    let faults = read_all(client, newest, &format!("with node {victim} lost")).await;
    tell(evidence.observer, NAME, faults);
    evidence.world.launch(victim).await?;
    for near in evidence.world.nodes() {
        let mut client = through(evidence, near)?;
        let faults = read_all(&mut client, &blobs, &format!("through node {near}")).await;
        tell(evidence.observer, NAME, faults);
        for repository in evidence.repositories {
            let mut read = client.read_refs(*repository).await;
            let began = Instant::now();
            while read.is_none() && began.elapsed() < PATIENCE {
                read = client.read_refs(*repository).await;
            }
            if read.is_none() {
                evidence
                    .observer
                    .fault(NAME, format!("no refs through node {near}"));
            }
        }
    }
    Ok(())
}

/// Whether a blob had an owner before a moment that nobody has asked to go.
fn has_owner(evidence: &Evidence<'_>, history: &[Operation], number: u64, before: u64) -> bool {
    let acknowledged = history.iter().filter(|o| o.outcome == Outcome::Ok);
    let earlier = acknowledged.filter(|operation| operation.returned < before);
    let mut blobs = earlier.filter_map(|operation| match &operation.action {
        Action::PutBlob(blob) => Some(blob),
        Action::Push(push) => push.pack.as_ref(),
        _ => None,
    });
    blobs.any(|blob| blob.number == number && !evidence.recorder.is_doomed(blob))
}

/// A client of its own near a node.
pub(super) fn through(evidence: &Evidence<'_>, near: NodeId) -> anyhow::Result<Client> {
    let world: &World = evidence.world;
    let number = 100 + near.0;
    let access = world.client(number, Some(near))?;
    let trace = evidence.observer.trace().clone();
    Ok(Client::new(
        number,
        access,
        evidence.recorder.clone(),
        trace,
        false,
    ))
}

pub(super) async fn read_all(client: &mut Client, blobs: &[Blob], how: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let began = Instant::now();
    for blob in blobs {
        loop {
            match client.get_blob(blob).await {
                Ok(()) => break,
                Err(error) if began.elapsed() > PATIENCE => {
                    faults.push(format!(
                        "blob {} cannot be read {how}: {error}",
                        blob.number
                    ));
                    break;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
        let operations = client.recorder.operations();
        let last = operations.last().filter(|last| last.outcome == Outcome::Ok);
        if let Some(Action::GetBlob {
            number,
            named,
            wrong,
        }) = last.map(|last| &last.action)
            && (!named || wrong.is_some())
        {
            faults.push(format!(
                "blob {number} is lost {how}: named {named}, {wrong:?}"
            ));
        }
    }
    faults
}
