//! What must hold whatever fails: the store over files and an index that forget
//! what was not synced, fail on request, or lie.

mod basics;
mod cold;
mod collect;
mod corruption;
mod durability;
mod rebuild;
mod scrub;
mod watched;
mod world;
