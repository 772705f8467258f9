//! A deterministic simulation of the storage tier.
//!
//! The real nodes, replicas, volumes and clients run in one thread of one
//! process, on disks, clocks and a network that follow a seed. Faults are
//! injected while clients work; rules are held against what every replica
//! applies and what every client was told. The same seed gives the same trace.
//!
//! What it keeps true: nothing here is a model of the tier. Only the seams are
//! replaced (`runtime`, `kv`, `raft::Peers`, `client::Links`), and rules are
//! broken on purpose ([`mutation`]) at the same seams.
//!
//! Not here: RocksDB, SQLite on disk, gRPC, TLS and real sockets, which the
//! black-box tests of `jepsen` run.

pub mod clock;
pub mod collector;
pub mod disks;
pub mod divider;
pub mod entropy;
pub mod failover;
pub mod history;
pub mod invariants;
pub mod mutation;
pub mod nemesis;
pub mod network;
pub mod observer;
pub mod run;
pub mod tasks;
pub mod trace;
pub mod workload;
pub mod world;
