//! What must hold whatever fails: the store over files and an index that forget
//! what was not synced, fail on request, or lie.

mod basics;
mod corruption;
mod durability;
mod rebuild;
mod watched;
mod world;
