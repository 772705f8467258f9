use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{ConnectivityError, check_connected};
use git_serve::{CommitError, Push};

use super::commit::PeelError;
use super::session::{Target, not_stored};

/// What a pusher is told whose objects lean on what maintenance dropped meanwhile.
pub(super) const DROPPED: &str =
    "objects that it builds on were dropped meanwhile, since no reference reached them; push again";

impl Target {
    /// Checks the push against the objects that there are now; the version that they are of, or
    /// nothing if some that it builds on are gone.
    pub(super) async fn check_again(&self, push: &Push) -> Result<Option<u64>, CommitError> {
        let refs = self.cache.refs(&self.entry).await.map_err(not_stored)?;
        let objects = self.cache.objects(&self.entry, refs.version).await;
        let objects = objects.map_err(not_stored)?;
        let pack = push.pack.as_ref().map(|pack| pack.pack.clone());
        let news = push.commands.iter().map(|command| command.new);
        let tips: Vec<ObjectId> = news.filter(|new| !new.is_null()).collect();
        let known: Vec<ObjectId> = refs.snapshot.tips().collect();
        let check = move || -> Result<bool, PeelError> {
            let objects = match pack {
                Some(pack) => objects.with_pack(&pack)?,
                None => objects,
            };
            match check_connected(&objects, &tips, &known, &AtomicBool::new(false)) {
                Ok(()) => Ok(true),
                Err(ConnectivityError::Read(error)) => Err(error.into()),
                Err(_) => Ok(false),
            }
        };
        let checked = self.cache.blocking("check a push again", check).await;
        let is_connected = checked.map_err(not_stored)?.map_err(not_stored)?;
        Ok(is_connected.then_some(refs.version))
    }
}
