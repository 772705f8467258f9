//! The suite that all objects pass: in memory, in a directory, and in a real S3 server.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod s3;

use objects::{Location, MemoryObjects, RemoteObjects, suite};

#[test]
fn objects_in_memory_conform() {
    suite::run(&MemoryObjects::new(), "below");
}

#[test]
fn objects_in_a_directory_conform() {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::Directory(directory.path().join("store"));
    suite::run(&RemoteObjects::open(&location, &[]).unwrap(), "below");
}
