use std::collections::HashSet;

use git_id::ObjectId;
use git_pack::{ReadError, not_reached};

use super::view::View;
use crate::error::Refusal;
use crate::{ServeError, WantPolicy};

/// Refuses wants that the client may not have.
pub(super) fn check_wants(view: &View, wants: &[ObjectId]) -> Result<(), ServeError> {
    let refused = refused(view, wants)?;
    match wants.iter().find(|id| refused.contains(id)) {
        Some(id) => Err(Refusal::NotOurRef { id: *id }.into()),
        None => Ok(()),
    }
}

/// Those of the objects that the client may not have, or that are not here.
pub(super) fn refused(view: &View, wants: &[ObjectId]) -> Result<HashSet<ObjectId>, ServeError> {
    let mut open: HashSet<ObjectId> = wants.iter().copied().collect();
    for reference in view.visible() {
        open.remove(&reference.id);
        if let Some(peeled) = &reference.peeled {
            open.remove(peeled);
        }
    }
    if let Some(head) = view.snapshot.head_id() {
        open.remove(&head);
    }
    match view.policy.wants {
        WantPolicy::Advertised => {}
        WantPolicy::Tips => view.snapshot.tips().for_each(|id| {
            open.remove(&id);
        }),
        WantPolicy::Reachable if open.is_empty() => {}
        WantPolicy::Reachable => remove_reachable(view, &mut open)?,
        WantPolicy::Any => open.clear(),
    }
    let missing = wants.iter().filter(|id| !view.objects.contains(id));
    open.extend(missing.copied());
    Ok(open)
}

/// Removes what a visible ref reaches.
fn remove_reachable(view: &View, open: &mut HashSet<ObjectId>) -> Result<(), ReadError> {
    let tips: Vec<ObjectId> = view
        .visible()
        .map(|reference| reference.id)
        .chain(view.snapshot.head_id())
        .collect();
    let asked: Vec<ObjectId> = open.iter().copied().collect();
    let threads = view.policy.threads;
    let left = not_reached(&view.objects, tips, &asked, threads, view.pulse.cancelled())?;
    *open = left.into_iter().collect();
    Ok(())
}
