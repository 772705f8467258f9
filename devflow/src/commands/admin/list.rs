//! `devflow admin backup list DESTINATION`.

use super::store::{open, totals, utc};
use crate::cli::StoreArguments;

/// Shows what backups there are. Fails if one of them cannot be read.
pub(super) async fn show(arguments: &StoreArguments) -> anyhow::Result<()> {
    let destination = open(arguments)?;
    let mut damaged = 0;
    for (id, summary) in backup::list(&destination).await? {
        match summary {
            Ok(summary) => println!(
                "{id}  begun {}, ended {}, cluster {}: {}",
                utc(id.began()),
                utc(summary.ended),
                summary.cluster,
                totals(&summary.totals)
            ),
            Err(error) => {
                damaged += 1;
                println!("{id}  DAMAGED: {error}");
            }
        }
    }
    anyhow::ensure!(damaged == 0, "{damaged} backups are damaged");
    Ok(())
}
