//! The machine through its public face.
#![expect(clippy::unwrap_used, reason = "all of it is tests")]

mod backups;
mod blobs;
mod certificates;
mod cluster;
mod collection;
mod events;
mod golden;
mod group;
mod model;
mod policies;
mod pushes;
mod reads;
mod replacements;
mod repositories;
mod requests;
mod slots;
mod staging;
mod txn;
