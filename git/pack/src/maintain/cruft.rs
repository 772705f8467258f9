use std::path::Path;
use std::time::UNIX_EPOCH;

use git_id::ObjectId;

use super::sources::Sources;
use super::{MaintainError, Maintenance};
use crate::Kind;
use crate::bitmap::Bitmap;
use crate::derived::{Changes, Commits, canonical, load_mtimes};
use crate::objects::{Objects, ReadError, Reader};
use crate::parse::{EntryKind, RawEntries, commit_links, tag_target};

/// The objects of a repository, divided by whether its refs reach them; by number, loose ones after packed
/// ones.
pub(super) struct Divided {
    pub(super) reached: Bitmap,
    /// What nothing reaches and is kept all the same.
    pub(super) cruft: Bitmap,
    /// When each object was last of use, in seconds since the epoch.
    pub(super) times: Vec<u32>,
}

impl Divided {
    /// Whether an object goes into one of the two packs.
    pub(super) fn keeps(&self, number: u32) -> bool {
        self.reached.contains(number) || self.cruft.contains(number)
    }

    /// How many objects of the packs that are taken, and loose ones, are neither reached nor kept.
    pub(super) fn dropped(&self, sources: &Sources, taken: &[bool]) -> u32 {
        let Sources { objects, loose, .. } = sources;
        let is_dropped = |number: u32| !self.keeps(number);
        let packs = objects
            .pack_list()
            .iter()
            .enumerate()
            .filter(|(at, _)| taken[*at]);
        let packed = packs.flat_map(|(at, pack)| {
            let numbers = (0..pack.count()).map(move |position| (at, position));
            numbers.filter(move |(at, position)| {
                let number = objects.number(*at, *position);
                canonical(objects, *at, *position) == number && is_dropped(number)
            })
        });
        let loose = (0..loose.len() as u32).filter(|at| is_dropped(objects.packed_objects() + at));
        (packed.count() + loose.count()) as u32
    }
}

/// Divides the objects of a repository. Of those that nothing reaches, it keeps what was of use
/// at `expire_before` or later, and all that this reaches in turn.
pub(super) fn divide(
    maintenance: &Maintenance<'_>,
    sources: &Sources,
    commits: &Commits,
    changes: &Changes,
    expire_before: Option<u32>,
) -> Result<Divided, MaintainError> {
    let Sources { objects, loose, .. } = sources;
    let mut walk = Walk {
        objects,
        loose,
        reader: Reader::new(),
        met: Bitmap::with_capacity(objects.packed_objects()),
    };
    for (place, row) in commits.rows().iter().enumerate() {
        walk.met.insert(walk.number(&row.id)?);
        for introduced in changes.introduced(place) {
            walk.met.insert(introduced.number);
        }
    }
    walk.all_from(maintenance.tips.to_vec())?;
    let reached = walk.met.clone();
    let count = objects.packed_objects() + loose.len() as u32;
    let times = times(maintenance, sources)?;
    let is_kept = |number: u32| expire_before.is_none_or(|expiry| times[number as usize] >= expiry);
    let kept = (0..count).filter(|number| !reached.contains(*number) && is_kept(*number));
    let kept = kept.map(|number| objects.id_among(loose, number)).collect();
    walk.all_from(kept)?;
    let mut cruft = walk.met;
    cruft.subtract(&reached);
    Ok(Divided {
        reached,
        cruft,
        times,
    })
}

/// Walks over whatever was not met yet.
struct Walk<'a> {
    objects: &'a Objects,
    loose: &'a [ObjectId],
    reader: Reader,
    met: Bitmap,
}

impl Walk<'_> {
    fn number(&self, id: &ObjectId) -> Result<u32, ReadError> {
        let missing = ReadError::Missing {
            id: *id,
            referrer: None,
        };
        self.objects.number_among(self.loose, id).ok_or(missing)
    }

    /// What is cruft may refer to what is gone.
    fn all_from(&mut self, tips: Vec<ObjectId>) -> Result<(), ReadError> {
        let hash = self.objects.hash();
        let mut open = tips;
        while let Some(id) = open.pop() {
            let Ok(number) = self.number(&id) else {
                continue;
            };
            if !self.met.insert(number) {
                continue;
            }
            let header = self.objects.header(&id)?;
            if header.is_none_or(|header| header.kind == Kind::Blob) {
                continue;
            }
            let Some(loaded) = self.reader.load(self.objects, &id)? else {
                continue;
            };
            match loaded.kind {
                Kind::Commit => {
                    let links = commit_links(&loaded.data, hash);
                    open.extend(links.iter().map(|links| links.tree));
                    open.extend(links.iter().flat_map(|links| links.parents()));
                }
                Kind::Tree => {
                    let entries = RawEntries::new(&loaded.data, hash).map_while(Result::ok);
                    let own = entries.filter(|entry| entry.kind() != EntryKind::Submodule);
                    open.extend(own.map(|entry| entry.object_id()));
                }
                Kind::Tag => open.extend(tag_target(&loaded.data, hash).map(|(target, _)| target)),
                Kind::Blob => {}
            }
        }
        Ok(())
    }
}

/// Of each object, by number: the time that its cruft pack gives, or else that of its file.
fn times(maintenance: &Maintenance<'_>, sources: &Sources) -> Result<Vec<u32>, MaintainError> {
    let mut times = Vec::new();
    for pack in sources.objects.pack_list() {
        match load_mtimes(&pack.path().with_extension("mtimes"), pack) {
            Some(known) => times.extend(known),
            None => {
                let time = time_of(pack.path())?;
                times.extend((0..pack.count()).map(|_| time));
            }
        }
    }
    for id in &sources.loose {
        let hex = id.to_string();
        times.push(time_of(
            &maintenance.directory.join(&hex[..2]).join(&hex[2..]),
        )?);
    }
    Ok(times)
}

fn time_of(path: &Path) -> Result<u32, MaintainError> {
    let modified = path.metadata().and_then(|data| data.modified());
    let modified = modified.map_err(|source| MaintainError::Files {
        action: "look at",
        path: path.to_owned(),
        source,
    })?;
    let seconds = modified
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    Ok(u32::try_from(seconds).unwrap_or(u32::MAX))
}
