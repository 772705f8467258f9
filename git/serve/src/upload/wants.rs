use std::collections::{BinaryHeap, HashSet};
use std::sync::atomic::Ordering;

use git_id::ObjectId;
use git_pack::ReadError;

use super::view::View;
use crate::error::Refusal;
use crate::{ServeError, WantPolicy};

/// Refuses wants that the client may not have.
pub(super) fn check_wants(view: &View, wants: &[ObjectId]) -> Result<(), ServeError> {
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
    let refused = |id: &&ObjectId| open.contains(id) || !view.objects.contains(id);
    match wants.iter().find(refused) {
        Some(id) => Err(Refusal::NotOurRef { id: *id }.into()),
        None => Ok(()),
    }
}

/// Removes the commits that a visible ref reaches. Walks the newest commits
/// first, because what is wanted is most often recent.
fn remove_reachable(view: &View, open: &mut HashSet<ObjectId>) -> Result<(), ReadError> {
    let mut seen = HashSet::new();
    let mut queue = BinaryHeap::new();
    let tips = view
        .visible()
        .map(|reference| reference.peeled.unwrap_or(reference.id));
    for tip in tips.chain(view.snapshot.head_id()) {
        if seen.insert(tip)
            && let Some(commit) = view.objects.commit(&tip)?
        {
            queue.push((commit.committer.time, tip, commit.parents));
        }
    }
    while let Some((_, id, parents)) = queue.pop() {
        open.remove(&id);
        if open.is_empty() || view.pulse.cancelled().load(Ordering::Relaxed) {
            break;
        }
        for parent in parents {
            if seen.insert(parent)
                && let Some(commit) = view.objects.commit(&parent)?
            {
                queue.push((commit.committer.time, parent, commit.parents));
            }
        }
    }
    Ok(())
}
