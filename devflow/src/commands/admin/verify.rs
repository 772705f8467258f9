//! `devflow admin verify SOURCE`.

use runtime::Runtime;

use super::store::{Printed, bytes, open, rate, totals};
use crate::cli::VerifyBackupArguments;

/// Reads all of a backup. Fails with the name of the first damaged object.
pub(super) async fn verify(arguments: &VerifyBackupArguments) -> anyhow::Result<()> {
    let source = open(&arguments.store)?;
    let rate = rate(&arguments.store, &Runtime::real());
    let verified = backup::verify(&source, rate, arguments.backup, &Printed).await?;
    println!(
        "backup {} is whole: {}; {} chunks in {} packs, {} read",
        verified.id,
        totals(&verified.totals),
        verified.chunks,
        verified.packs,
        bytes(verified.bytes)
    );
    Ok(())
}
