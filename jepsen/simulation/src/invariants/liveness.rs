use std::time::Duration;

use anyhow::ensure;
use tokio::time::Instant;

use super::Evidence;
use crate::history::Outcome;
use crate::workload::Client;
use crate::world::PATIENCE;

/// Once all faults are off, every group has a leader within a bound, and
/// every client can push, put a blob and write a fact.
pub(super) async fn hold(
    evidence: &mut Evidence<'_>,
    clients: &mut [Client],
) -> anyhow::Result<()> {
    let ready =
        |world: &crate::world::World| world.network.running().iter().all(|node| node.is_ready());
    evidence
        .world
        .wait_until("all groups have leaders", ready)
        .await?;
    for client in clients {
        let began = Instant::now();
        let number = client.number;
        let check = |what| {
            let waited = began.elapsed();
            ensure!(
                waited < PATIENCE,
                "client {number} cannot {what} within {PATIENCE:?}"
            );
            Ok(tokio::time::sleep(Duration::from_millis(100)))
        };
        while !client.push_everywhere().await {
            check("push")?.await;
        }
        while client.put_blob().await != Some(Outcome::Ok) {
            check("put a blob")?.await;
        }
        while client.writes_facts && client.add_row().await != Outcome::Ok {
            check("write a fact")?.await;
        }
    }
    Ok(())
}
