//! Backups of the tier in memory: everything comes back, only what is new is
//! uploaded, and what breaks off or is damaged is never taken for a backup.

#![expect(clippy::unwrap_used, reason = "all of it is tests")]

mod consistency;
mod damage;
mod interrupted;
mod losing;
mod pruning;
mod round_trip;
mod stalling;
mod world;
