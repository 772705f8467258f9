//! What backups hold at the moment, in `cluster status`.

use serde_json::{Value, json};
use storage_node_api::backup::Hold;
use storage_node_api::map::ClusterMap;
use storage_node_api::order::{Answer, Query};
use storage_node_api::{GroupId, ReadPoint, Timestamp};
use storage_node_client::tier::Links;

/// The groups that a backup holds: deletions in them wait.
pub(super) struct Holds(Vec<(GroupId, Hold)>);

impl Holds {
    /// Asks one replica of each group; what nobody answers is not shown.
    pub(super) async fn ask(links: &dyn Links, map: &ClusterMap, now: Timestamp) -> Self {
        let mut holds = Vec::new();
        for group in map.data_groups() {
            for node in &map.nodes {
                let link = links.node(node);
                let asked = link.read(group, ReadPoint::Stale, Query::Hold).await;
                if let Ok(Answer::Hold(hold)) = asked {
                    let hold = hold.filter(|hold| hold.until > now);
                    holds.extend(hold.map(|hold| (group, hold)));
                    break;
                }
            }
        }
        Self(holds)
    }

    /// One line, if there are any.
    pub(super) fn line(&self, now: Timestamp) -> Option<String> {
        let (_, last) = self.0.iter().max_by_key(|(_, hold)| hold.until)?;
        Some(format!(
            "a backup reads {} groups: deletions in them wait until it ends, or for {} s if it was killed",
            self.0.len(),
            last.until.since(now).as_secs()
        ))
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let holds = self.0.iter().map(|(group, hold)| {
            json!({
                "group": group.0,
                "holder": hold.holder.to_string(),
                "until": hold.until.seconds(),
            })
        });
        holds.collect()
    }
}
