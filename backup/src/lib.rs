//! Backups of a whole cluster, and what brings them back.
//!
//! [`take`] writes a backup to a [`Destination`] (a directory or an object
//! store), [`restore`] brings one into an empty cluster of any size and number
//! of groups, [`verify`] reads every byte of one, [`list`] says which there are,
//! [`prune`] removes old ones; [`lost`] says what of a cluster's content is on no node.
//! All of it reads and writes through `storage-node/api`: it runs alike on one
//! process, nine nodes and the twin in memory.
//!
//! # Why what is read belongs together
//!
//! A backup holds every data group ([`storage_node_api::backup::Hold`]), then
//! reads the facts at one point, then the groups, then content.
//!
//! * *Nothing dangles.* While it is held, a group refuses to seal or delete a
//!   repository and to remove an owner. A repository that the facts name as
//!   active was in its group before they did (it is created there first) and
//!   stays until it has been read; so do its packs' manifests, and by them every
//!   chunk: collection drops only what no slot lists, and a blob that was listed
//!   stays listed. Deletions wait in the facts as `deleting`; the reconciler
//!   finishes them after the hold, and in a restored cluster as well.
//! * *Nothing is without a name, or it goes.* A repository made after the facts
//!   were read is in its group and not in the facts. A restored cluster deletes
//!   such repositories (`domain`: `Repositories::remove_unnamed`).
//! * *A repository is at one version*: record, references and pack list are one
//!   answer to one query. Repositories are read one after the other; a push that
//!   was acknowledged before the backup began is in it, one that comes meanwhile
//!   is in it whole or not at all.
//! * *Events fit the copies.* The feed of a slot is read after its repositories,
//!   and what happened to one after it was copied is left out, so that its count
//!   goes on without hole or repetition. Cursors in the facts are older than any
//!   event that is left out.
//! * *A hold that was lost is noticed*: each has a number, and the manifest is
//!   written only if all groups still have the holds that the backup began with.
//!   The map must give each slot to the same group at the end as at the start.
//! * *A backup is its manifest*, written when everything that it names is there.
//!   What breaks off before leaves packs, which the next one uses.
//!
//! Ids of requests that groups remember are not in a backup: a retry of a push
//! that reaches a restored cluster is judged by its expected old values.
//!
//! # Restoring
//!
//! Chunks are put at the current generation of the new cluster, which the
//! program raises above the backup's first; then come blobs, several at a time,
//! kept alive by an owner of the restore's own, then repositories, feeds, and at the very end the
//! facts: before them nothing has a name and nobody can see or touch anything.
//! Every step may be repeated, and a mark in the group of slot 0 tells the same
//! restore from something else, so that one that was killed goes on.
//!
//! # Deliberately not here
//!
//! Certificates and node identities (a restored cluster has its own), policies
//! (they name regions of the old cluster; the manifest keeps them for whoever
//! wants them, see [`policies`]), encryption of what is written, and taking packs apart when backups are
//! removed: [`prune`] removes those of which no kept backup has a chunk.
//!
//! Memory: one pack while writing, a few while reading, one manifest of a blob,
//! the references of one repository, and some 60 bytes for every distinct chunk
//! of the destination.

mod backups;
mod destination;
mod format;
pub mod limits;
mod listing;
mod lost;
mod order;
mod packs;
mod progress;
mod prune;
mod rate;
mod records;
mod restore;
mod stream;
mod take;
mod verify;

pub use backups::{FindError, Summary, generation, list, policies};
pub use destination::{Destination, Location, LocationError, ObjectError};
pub use format::{BackupId, Damage, ParseBackupIdError, Totals};
pub use lost::{Holders, Lost, LostBlob, LostError, lost};
pub use order::GroupError;
pub use progress::{Progress, Silent};
pub use prune::{Keep, PruneError, Pruned, Pruning, prune};
pub use rate::Rate;
pub use restore::{RestoreError, Restored, all_repositories, restore};
pub use take::{TakeError, Taken, take};
pub use verify::{Verified, verify};
