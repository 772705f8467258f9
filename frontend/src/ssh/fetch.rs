use git_serve::{Mode, Output, ServeError, pour, upload_pack};
use tokio::io::AsyncReadExt;

use crate::admission::Cost;
use crate::git::{GitError, Target, note, policy};
use crate::repository::StorageRepository;
use crate::ssh::call::Served;

/// Serves fetches and clones.
pub(super) async fn fetch(served: Served<'_>) -> Result<Result<(), ServeError>, GitError> {
    let Served {
        site,
        asked,
        tenant,
        target,
        version,
        id,
        input,
        output,
        ..
    } = served;
    let Target::Existing(row) = target else {
        return Err(GitError::not_found());
    };
    let cost = Cost::of_fetch(site.cache.stored_bytes(row.storage));
    let _turn = site.fetches.enter(tenant, cost).await?;
    let repository = StorageRepository::new(site.cache.clone(), &row).with_refs(asked.refs);
    let policy = policy(&site.config.config, id);
    tracing::debug!(repo.id = %row.storage, ?version, "fetch");
    let input = input.take(site.config.config.max_negotiation_bytes);
    let (sender, pieces) = Output::channel();
    let (result, poured) = tokio::join!(
        upload_pack(&repository, &policy, version, Mode::Stateful, input, sender),
        pour(pieces, output),
    );
    let result = result.and(poured.map_err(|_| ServeError::ClientGone));
    note(&site.metrics, "upload-pack", &result);
    Ok(result)
}
