use git_serve::{Mode, Output, Repository, ServeError, pour, receive_pack};
use tokio::io::{AsyncReadExt, sink};

use crate::admission::Cost;
use crate::git::{GitError, Target, for_push, note, policy};
use crate::limits::DRAINED_PACK_BYTES;
use crate::ssh::call::Served;
use crate::ssh::unmade::Unmade;

/// Serves a push. Once it is being stored it runs to its end, even if the
/// client leaves.
pub(super) async fn push(served: Served<'_>) -> Result<Result<(), ServeError>, GitError> {
    let Served {
        site,
        asked,
        tenant,
        target,
        version,
        id,
        mut input,
        output,
    } = served;
    // How long it will be is not known before it comes.
    let _turn = site.pushes.enter(tenant, Cost::ONE).await?;
    let repository: Box<dyn Repository + '_> = match target {
        Target::Existing(row) => for_push(site, asked, &row),
        Target::New { owner, name } => Box::new(Unmade {
            site,
            viewer: asked.viewer,
            asked_at: asked.at,
            owner,
            name,
        }),
    };
    let policy = policy(&site.config.config, id);
    let (sender, pieces) = Output::channel();
    let serving = async {
        let result = receive_pack(
            &*repository,
            &policy,
            version,
            Mode::Stateful,
            &mut input,
            sender,
        )
        .await;
        if result.is_err() {
            // The client reads the report when it has sent all.
            let mut rest = (&mut input).take(DRAINED_PACK_BYTES);
            let _gone = tokio::io::copy(&mut rest, &mut sink()).await;
        }
        result
    };
    // A client that left does not hear of what became of its push.
    let (result, _poured) = tokio::join!(serving, pour(pieces, output));
    note(&site.metrics, "receive-pack", &result);
    Ok(result)
}
