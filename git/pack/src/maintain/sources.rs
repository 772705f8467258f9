use std::io;

use git_id::ObjectId;

use super::{Consolidate, MaintainError, Maintenance};
use crate::objects::{LooseObjects, Objects};
use crate::repack::geometric_split;

/// Sidecars that say that a pack is to stay as it is: kept on purpose, or lent by a promisor.
const STAYING: [&str; 2] = ["keep", "promisor"];

/// The sidecar of a pack of what nothing reaches.
const CRUFT: &str = "mtimes";

/// What a repository is made of.
pub(super) struct Sources {
    pub(super) objects: Objects,
    /// Loose objects of its own that are in no pack, sorted.
    pub(super) loose: Vec<ObjectId>,
    /// Loose objects of its own that are in a pack too.
    pub(super) packed_loose: Vec<ObjectId>,
    /// For each pack, whether it is the repository's own.
    pub(super) own: Vec<bool>,
}

impl Sources {
    pub(super) fn open(maintenance: &Maintenance<'_>) -> Result<Self, MaintainError> {
        let Maintenance {
            hash, directory, ..
        } = *maintenance;
        let objects = Objects::open_directory(hash, directory)?;
        let pack_directory = directory.join("pack");
        let is_own = |pack: &std::sync::Arc<crate::objects::Pack>| {
            pack.path().parent() == Some(pack_directory.as_path())
        };
        let own = objects.pack_list().iter().map(is_own).collect();
        let listed = LooseObjects::new(directory).list(hash);
        let listed = listed.map_err(|source: io::Error| MaintainError::Files {
            action: "list",
            path: directory.to_owned(),
            source,
        })?;
        let in_pack = |id: &ObjectId| objects.find_packed(id.as_bytes()).is_some();
        let (packed_loose, mut loose): (Vec<_>, Vec<_>) = listed.into_iter().partition(in_pack);
        loose.sort_unstable();
        Ok(Self {
            objects,
            loose,
            packed_loose,
            own,
        })
    }

    /// Whether all packs are the repository's own.
    pub(super) fn all_own(&self) -> bool {
        self.own.iter().all(|own| *own)
    }

    /// For each pack, whether it is to be consolidated; nothing if there is nothing to do.
    pub(super) fn choose(&self, consolidate: Consolidate) -> Option<Vec<bool>> {
        let packs = self.objects.pack_list();
        let stays = |at: usize| {
            let path = packs[at].path();
            let is_cruft = path.with_extension(CRUFT).exists();
            !self.own[at]
                || is_cruft && !matches!(consolidate, Consolidate::All { .. })
                || STAYING
                    .iter()
                    .any(|sidecar| path.with_extension(sidecar).exists())
        };
        // The list has the largest first.
        let eligible: Vec<usize> = (0..packs.len()).rev().filter(|at| !stays(*at)).collect();
        let count = match consolidate {
            Consolidate::Nothing => return None,
            // What others have may go there at any time.
            _ if !self.all_own() => return None,
            Consolidate::All { .. } => eligible.len(),
            Consolidate::Geometric { factor } => {
                let counts: Vec<u32> = eligible.iter().map(|at| packs[*at].count()).collect();
                geometric_split(&counts, factor)
            }
        };
        let count = if self.loose.is_empty() {
            count
        } else {
            self.with_loose(&eligible, count, consolidate)
        };
        let may_drop = matches!(
            consolidate,
            Consolidate::All {
                expire_before: Some(_)
            }
        );
        if count < 2 && self.loose.is_empty() && !(may_drop && count > 0) {
            return None;
        }
        let mut taken = vec![false; packs.len()];
        eligible[..count].iter().for_each(|at| taken[*at] = true);
        Some(taken)
    }

    /// How many packs to take where loose objects make the new pack larger.
    fn with_loose(&self, eligible: &[usize], count: usize, consolidate: Consolidate) -> usize {
        let Consolidate::Geometric { factor } = consolidate else {
            return count;
        };
        let packs = self.objects.pack_list();
        let loose = self.loose.len().min(u32::MAX as usize) as u32;
        let taken: u64 = eligible[..count]
            .iter()
            .map(|at| u64::from(packs[*at].count()))
            .sum();
        let combined = u32::try_from(taken + u64::from(loose)).unwrap_or(u32::MAX);
        let mut counts = vec![combined];
        counts.extend(eligible[count..].iter().map(|at| packs[*at].count()));
        let mut further = 0;
        let mut sum = u64::from(combined);
        for next in &counts[1..] {
            if u64::from(*next) >= sum * u64::from(factor) {
                break;
            }
            sum += u64::from(*next);
            further += 1;
        }
        count + further
    }
}
