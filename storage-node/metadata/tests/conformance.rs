//! The conformance suite on every place that a replica has.

use std::sync::Arc;

use runtime::Runtime;
use storage_node_api::Metadata;
use storage_node_metadata::{MemoryMetadata, SqliteMachine, suite};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_in_memory_conforms() {
    let runtime = Runtime::real();
    suite::cases(Arc::new(MemoryMetadata::new(runtime.clone())), &runtime).await;
    let make = async || Arc::new(MemoryMetadata::new(runtime.clone())) as Arc<dyn Metadata>;
    suite::migrations(make, &runtime).await;
}

#[tokio::test]
async fn a_replica_in_a_simulation_conforms() {
    let (runtime, _clock) = Runtime::simulated(5);
    suite::cases(Arc::new(MemoryMetadata::new(runtime.clone())), &runtime).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_on_disk_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = Runtime::real();
    let mut count = 0;
    let mut make = || {
        count += 1;
        let machine = SqliteMachine::open(directory.path().join(count.to_string())).unwrap();
        Arc::new(MemoryMetadata::over(machine, 0, runtime.clone())) as Arc<dyn Metadata>
    };
    suite::cases(make(), &runtime).await;
    suite::migrations(|| std::future::ready(make()), &runtime).await;
}
