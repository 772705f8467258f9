//! `devflow admin backup prune DESTINATION`.

use backup::{Keep, Pruning};
use runtime::Runtime;

use super::store::{Printed, bytes, open, utc};
use crate::cli::PruneArguments;

/// Removes backups that no rule keeps, and what only they needed.
pub(super) async fn prune(arguments: &PruneArguments) -> anyhow::Result<()> {
    let destination = open(&arguments.store)?;
    let pruning = Pruning {
        keep: Keep {
            last: arguments.keep,
            daily: arguments.keep_daily,
            weekly: arguments.keep_weekly,
            monthly: arguments.keep_monthly,
        },
        damaged: arguments.damaged,
        abandoned: arguments.abandoned.clone(),
        dry_run: arguments.dry_run,
    };
    let pruned = backup::prune(&destination, &Runtime::real(), &pruning, &Printed).await?;
    let (goes, went) = match arguments.dry_run {
        true => ("would be removed", "would be"),
        false => ("is removed", "are"),
    };
    for id in &pruned.kept {
        println!("{id}  begun {}, stays", utc(id.began()));
    }
    for id in &pruned.removed {
        println!("{id}  begun {}, {goes}", utc(id.began()));
    }
    println!(
        "{} packs, {}, {went} removed",
        pruned.packs,
        bytes(pruned.bytes)
    );
    Ok(())
}
