use std::path::Path;

use git_id::ObjectId;

use super::artefacts::{failed, remove, remove_midx, write_bitmaps, write_commit_graph};
use super::cruft::{Divided, divide};
use super::sources::Sources;
use super::{Consolidate, MaintainError, MaintainOptions, Maintained, Maintenance};
use crate::derived::{Changes, Commits, FilterVersion};
use crate::history::Graph;
use crate::objects::{LooseObjects, Objects};
use crate::repack::{Job, Names, repack};

/// Files that belong to a pack, in the order in which they are deleted: what makes it visible first,
/// what others may still read last.
const PACK_FILES: [&str; 6] = ["idx", "rev", "bitmap", "edges", "mtimes", "pack"];

impl Maintenance<'_> {
    /// Does what the options say. History is walked over once for all of it.
    ///
    /// # Errors
    ///
    /// Something that the tips reach is missing or unreadable, the disk fails, or it is cancelled. What was
    /// done until then stays; nothing is deleted that is not stored elsewhere.
    pub fn run(&self, options: &MaintainOptions) -> Result<Maintained, MaintainError> {
        let sources = Sources::open(self)?;
        let mut maintained = Maintained::default();
        self.progress.stage("Enumerating objects", None);
        let mut graph = Graph::new(&sources.objects);
        let commits = Commits::reached_from(&mut graph, self.tips, self.cancel)?;
        drop(graph);
        let Sources { objects, loose, .. } = &sources;
        let version = FilterVersion::V1;
        let mut changes = Changes::of(
            objects,
            loose,
            &commits,
            version,
            options.threads,
            self.cancel,
        )?;
        self.progress.done();
        if options.commit_graph && commits.len() > 0 {
            write_commit_graph(self, &commits, &changes)?;
            maintained.commit_graph = Some(commits.len());
        }
        let dropped = self.consolidate(options, &sources, &commits, &changes, &mut maintained)?;
        let objects = self.visible(&sources, &maintained)?;
        let has_midx = options.bitmaps && sources.all_own() && commits.len() > 0;
        if has_midx {
            changes.renumber(&sources.objects, &sources.loose, &objects);
            let written = write_bitmaps(self, &objects, &commits, &changes)?;
            maintained.no_bitmaps = written.as_ref().err().copied();
            maintained.bitmaps = written.ok();
        }
        // A list of packs that are about to go would lead readers astray.
        if !has_midx && !maintained.replaced.is_empty() {
            remove_midx(&self.directory.join("pack"), None)?;
        }
        self.delete_replaced(&objects, &sources, &dropped, &mut maintained)?;
        Ok(maintained)
    }

    /// Makes the new packs; gives the loose objects that go into none.
    fn consolidate(
        &self,
        options: &MaintainOptions,
        sources: &Sources,
        commits: &Commits,
        changes: &Changes,
        maintained: &mut Maintained,
    ) -> Result<Vec<ObjectId>, MaintainError> {
        let Some(taken) = sources.choose(options.consolidate) else {
            return Ok(Vec::new());
        };
        let Sources { objects, loose, .. } = sources;
        let divided = match options.consolidate {
            Consolidate::All { expire_before } if !changes.is_partial => {
                Some(divide(self, sources, commits, changes, expire_before)?)
            }
            _ => None,
        };
        let names = Names::new(objects, loose, commits, changes)?;
        let directory = self.directory.join("pack");
        let pack = |only, times| {
            let job = Job {
                objects,
                taken: &taken,
                loose,
                only,
                names: &names,
                islands: &options.islands,
                times,
                options: options.deltas,
            };
            repack(&job, &directory, self.progress, self.cancel)
        };
        maintained.repacked = pack(divided.as_ref().map(|divided| &divided.reached), None)?;
        if let Some(divided) = &divided {
            maintained.cruft = pack(Some(&divided.cruft), Some(&divided.times))?;
            maintained.dropped = divided.dropped(sources, &taken);
        }
        let made = maintained.made();
        let packs = objects.pack_list().iter().zip(&taken);
        let packs = packs.filter(|(pack, taken)| **taken && !made.contains(&pack.path()));
        maintained.replaced = packs.map(|(pack, _)| pack.path().to_owned()).collect();
        let numbered = (loose.iter()).zip(objects.packed_objects()..);
        let is_dropped = |number: u32| {
            let keeps = |divided: &Divided| divided.keeps(number);
            divided.as_ref().is_some_and(|divided| !keeps(divided))
        };
        let dropped = numbered.filter(|(_, number)| is_dropped(*number));
        Ok(dropped.map(|(id, _)| *id).collect())
    }

    /// The packs that stay.
    fn visible(
        &self,
        sources: &Sources,
        maintained: &Maintained,
    ) -> Result<Objects, MaintainError> {
        let stays = |path: &std::path::PathBuf| !maintained.replaced.contains(path);
        let mut packs: Vec<_> = sources.objects.packs().into_iter().filter(stays).collect();
        packs.extend(maintained.made().into_iter().map(Path::to_owned));
        packs.sort_unstable();
        packs.dedup();
        Ok(Objects::open_packs(self.hash, &packs)?)
    }

    /// Deletes packs and loose objects whose objects are all in the packs that stay.
    fn delete_replaced(
        &self,
        objects: &Objects,
        sources: &Sources,
        dropped: &[ObjectId],
        maintained: &mut Maintained,
    ) -> Result<(), MaintainError> {
        for pack in &maintained.replaced {
            PACK_FILES
                .iter()
                .try_for_each(|extension| remove(&pack.with_extension(extension)))?;
        }
        if maintained.made().is_empty() {
            return Ok(());
        }
        let own = LooseObjects::new(self.directory);
        let delete = |id: &ObjectId| {
            let removed = own.remove(id);
            removed.map_err(|source| failed("delete loose objects in", self.directory, source))
        };
        dropped.iter().try_for_each(delete)?;
        for id in sources.loose.iter().chain(&sources.packed_loose) {
            if objects.find_packed(id.as_bytes()).is_some() {
                delete(id)?;
                maintained.pruned += 1;
            }
        }
        Ok(())
    }
}
