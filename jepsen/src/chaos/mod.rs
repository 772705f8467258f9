//! Faults of a chosen mix, for a chosen time, against a cluster in use; then the verdict.
//!
//! Three storage nodes and two frontends run as real processes, each on a host
//! of a network of our own ([`crate::network`]) where this process may make
//! one. Clients compare and swap refs, move groups of refs atomically, make and
//! change repositories of one name, and push packs by real git, through all
//! frontends; what they saw is a [`crate::history`]. First nothing is broken, then the
//! faults come one after the other in an order that follows the seed, then
//! all is mended, and in the end:
//!
//! | verdict | the promise |
//! |---|---|
//! | `refs`, `groups`, `names` | each register is linearizable, the reads after the last fault included: so what was acknowledged is there |
//! | `atomicity` | nobody ever saw one ref of a group moved without the others |
//! | `pushes` | every acknowledged push is whole in a clone through every frontend, and none is there in part |
//! | `clones` | every clone that ended while things broke is whole, with what was acknowledged before it began |
//! | `churn` | repositories whose content others share that are purged, while collectors run, are whole |
//! | `progress` | writes went on while a region was lost |
//! | `replicas` | all replicas of a group have one state hash at one index, and no node lacks a chunk |
//! | `content` | every node that placement names holds every chunk, intact |
//! | `faults` | every fault could be mended, and no process ended by itself |

mod bug;
mod field;
mod foreign;
mod nemesis;
mod options;
mod page;
mod report;
mod run;
mod schedule;
mod trial;
mod whole;
mod workload;

pub mod failover;
pub mod upgrade;

pub use bug::Bug;
pub use options::Options;
pub use report::{Phase, Report};
pub use run::{judge, run};
