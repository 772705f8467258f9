use git_id::ObjectId;

use crate::derived::{Changes, Commits};
use crate::objects::{Objects, ReadError, Reader};
use crate::parse::{EntryKind, RawEntries};

/// What nothing names comes last.
pub(super) const UNNAMED: u32 = u32::MAX;

/// Of objects, by number, loose ones after packed ones: where history first names them.
pub(crate) struct Names {
    /// A hash of a path; 0 for what has none.
    hashes: Vec<u32>,
    /// Their order in a pack.
    ranks: Vec<u32>,
}

impl Names {
    /// Ranks commits by age; trees and files of the newest commit first, then what each commit
    /// brought.
    pub(crate) fn new(
        objects: &Objects,
        loose: &[ObjectId],
        commits: &Commits,
        changes: &Changes,
    ) -> Result<Self, ReadError> {
        let count = objects.packed_objects() as usize + loose.len();
        let mut names = Self {
            hashes: vec![0; count],
            ranks: vec![UNNAMED; count],
        };
        let mut next = 0;
        for (place, row) in commits.rows().iter().enumerate() {
            if let Some(number) = objects.number_among(loose, &row.id) {
                names.ranks[number as usize] = place as u32;
            }
        }
        if let Some(newest) = commits.rows().first() {
            names.rank_tree(objects, loose, &newest.tree, &mut next)?;
        }
        for place in 0..commits.len() {
            for introduced in changes.introduced(place) {
                let number = introduced.number as usize;
                names.hashes[number] = introduced.name_hash;
                rank(&mut names.ranks[number], &mut next);
            }
        }
        Ok(names)
    }

    /// Ranks a tree and all below.
    fn rank_tree(
        &mut self,
        objects: &Objects,
        loose: &[ObjectId],
        tree: &ObjectId,
        next: &mut u32,
    ) -> Result<(), ReadError> {
        let mut reader = Reader::new();
        let mut open = vec![*tree];
        while let Some(tree) = open.pop() {
            let number = objects.number_among(loose, &tree);
            let is_new = number.is_some_and(|number| rank(&mut self.ranks[number as usize], next));
            let Some(loaded) = reader.load(objects, &tree)?.filter(|_| is_new) else {
                continue;
            };
            for entry in RawEntries::new(&loaded.data, objects.hash()).map_while(Result::ok) {
                match entry.kind() {
                    EntryKind::Tree => open.push(entry.object_id()),
                    EntryKind::Submodule => {}
                    EntryKind::Blob => {
                        if let Some(number) = objects.number_among(loose, &entry.object_id()) {
                            rank(&mut self.ranks[number as usize], next);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn hash(&self, number: u32) -> u32 {
        self.hashes[number as usize]
    }

    pub(super) fn rank(&self, number: u32) -> u32 {
        self.ranks[number as usize]
    }
}

/// Gives out the next rank, if there was none yet.
fn rank(slot: &mut u32, next: &mut u32) -> bool {
    let new = *slot == UNNAMED;
    if new {
        *slot = *next;
        *next += 1;
    }
    new
}
