//! Which objects answer a fetch, and the pack made of them.
//!
//! What is stored is sent as it is stored: entries are copied without inflating
//! them, deltas included where the receiver will have the base. What cannot go as a
//! stored delta is made one against another version of the same path that is sent before
//! or that the client has, if there is one and thin packs are allowed. A clone of everything is a stored pack byte for byte, checksum included.
//!
//! Entries are copied without verifying them, as git does when it writes a pack to
//! a client: the storage tier verifies every chunk when it is loaded, and the client
//! names every object anew from its content, so damage is detected but not here.
//!
//! A stored pack goes out whole only if every object in it is reachable from what
//! the client wants: what was force-pushed away is in no later clone.

mod bases;
mod closure;
mod collect;
mod compose;
mod error;
mod make;
mod narrow;
mod output;
mod reach;
mod versions;
mod write;

use std::sync::atomic::AtomicBool;

use git_id::ObjectId;

pub use collect::not_reached;
pub(crate) use collect::walk_new_objects;
pub use error::{PlanError, WriteError};
pub(crate) use output::Output;

use versions::Versions;

use crate::Progress;
use crate::bitmap::Bitmap;
use crate::filter::Filter;
use crate::objects::Objects;

/// Which objects answer a fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selection {
    /// What the client wants, with all that is reachable from it.
    pub wants: Vec<ObjectId>,
    /// Objects that the client has, with all that is reachable from them. Those that
    /// are not here are passed over.
    pub haves: Vec<ObjectId>,
    /// The client's shallow boundary: commits that it has without their parents.
    pub shallow: Vec<ObjectId>,
    /// Commits whose parents are not sent.
    pub boundary: Vec<ObjectId>,
    /// Commits of `shallow` whose parents are sent now.
    pub deepen_unshallow: Vec<ObjectId>,
    /// Tag objects to add where what they name is sent: the tag, and what it names when fully
    /// peeled.
    pub include_tags: Vec<(ObjectId, ObjectId)>,
    /// What of all that the client does without.
    pub filter: Filter,
}

/// What the client understands, and what may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackOptions {
    /// Deltas may build on objects that the client has.
    pub thin: bool,
    /// Deltas may give the distance to their base instead of its name.
    pub ofs_delta: bool,
    /// Threads for what can be done in parallel.
    pub threads: usize,
}

/// The pack that answers a fetch, ready to be written any number of times.
#[derive(Debug)]
pub struct Plan {
    objects: Objects,
    options: PackOptions,
    count: u32,
    parts: Vec<Part>,
    loose: Vec<(Source, ObjectId)>,
    /// Objects that the client has, for thin packs.
    known: Bitmap,
    /// What may be sent as a delta that is not stored as one.
    versions: Versions,
}

/// Where an object to send is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// In that pack at that offset.
    Packed(usize, u64),
    /// In a file of its own, by number.
    Loose(u32),
}

/// What is taken from one pack.
#[derive(Debug)]
struct Part {
    pack: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// All entries.
    Whole,
    /// These, in ascending order.
    Entries(Vec<Span>),
}

/// The bytes of an entry in its pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u64,
    end: u64,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Objects in the pack.
    pub objects: u32,
    /// How many of them are deltas; those in packs that were copied whole are not counted.
    pub deltas: u32,
    /// How many were copied as they are stored.
    pub reused: u32,
    /// How many of those copied are deltas, counted like `deltas`.
    pub reused_deltas: u32,
    /// Bytes of the whole pack.
    pub bytes: u64,
}

/// Finds the objects that answer a fetch.
///
/// What is found about full clones is kept in the cache of `objects`
/// ([`crate::Reachability`]), so that the next plan for the same wants costs nothing.
///
/// # Errors
///
/// A wanted object, or one reachable from it, is missing or unreadable.
pub fn plan(
    objects: &Objects,
    selection: &Selection,
    options: &PackOptions,
    progress: &dyn Progress,
    cancel: &AtomicBool,
) -> Result<Plan, PlanError> {
    let options = PackOptions {
        // Who does without some objects may lack the bases of deltas.
        thin: options.thin && selection.filter.is_empty(),
        ..*options
    };
    let found = collect::collect(objects, selection, &options, progress, cancel)?;
    let plan = compose::compose(objects, options, found)?;
    progress.stage("Counting objects", Some(u64::from(plan.count)));
    progress.advance(u64::from(plan.count));
    progress.done();
    Ok(plan)
}

impl Plan {
    /// How many objects the pack has.
    pub fn objects(&self) -> u32 {
        self.count
    }

    /// Whether the answer is one stored pack, byte for byte.
    pub fn is_stored_pack(&self) -> bool {
        self.verbatim_pack().is_some()
    }

    fn verbatim_pack(&self) -> Option<usize> {
        match self.parts.as_slice() {
            [
                Part {
                    pack,
                    content: Content::Whole,
                },
            ] if self.loose.is_empty() => self.objects.pack_list()[*pack]
                .is_version_2()
                .then_some(*pack),
            _ => None,
        }
    }
}
