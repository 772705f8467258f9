use std::collections::BTreeSet;

use anyhow::Context;

use super::Evidence;
use crate::history::{Action, Outcome};
use crate::workload::Client;

const NAME: &str = "facts effective exactly once";

/// A row whose batch was acknowledged is there, one whose batch failed is not,
/// each row was counted once, and a read sees what was acknowledged before it.
pub(super) async fn hold(evidence: &Evidence<'_>, client: &Client) -> anyhow::Result<()> {
    let history = evidence.recorder.operations();
    let rows = client.rows().await.context("read the rows at the end")?;
    let tally = client.tally().await.context("read the tally at the end")?;
    let fault = |what: String| evidence.observer.fault(NAME, what);
    if i64::try_from(rows.len()).ok() != Some(tally) {
        fault(format!("{} rows, counted as {tally}", rows.len()));
    }
    let mut acknowledged: Vec<(u64, i64)> = Vec::new();
    let mut asked = BTreeSet::new();
    for operation in &history {
        let Action::AddRow { row } = operation.action else {
            continue;
        };
        asked.insert(row);
        match operation.outcome {
            Outcome::Ok if !rows.contains(&row) => {
                fault(format!("row {row} was acknowledged and is gone"));
            }
            Outcome::Fail if rows.contains(&row) => {
                fault(format!("row {row} is there although it failed"));
            }
            Outcome::Ok => acknowledged.push((operation.returned, row)),
            Outcome::Fail | Outcome::Unknown => {}
        }
    }
    for row in rows.difference(&asked) {
        fault(format!("nobody added row {row}"));
    }
    for operation in &history {
        let Action::ReadRows { rows } = &operation.action else {
            continue;
        };
        for (returned, row) in &acknowledged {
            if *returned < operation.called && !rows.contains(row) {
                fault(format!(
                    "a read did not see row {row}, which was acknowledged before it"
                ));
            }
        }
    }
    Ok(())
}
