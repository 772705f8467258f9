//! The tier in memory passes the tier's suite.

use std::sync::Arc;

use runtime::Runtime;
use storage_node_api::suite::{self, World};
use storage_node_memory::MemoryStorage;

fn world(runtime: Runtime) -> World {
    World {
        storage: Arc::new(MemoryStorage::new(runtime.clone())),
        runtime,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_case_passes_on_a_tier_of_its_own() {
    suite::run_all(async || world(Runtime::real())).await;
}

#[tokio::test]
async fn all_cases_pass_on_one_tier() {
    let (runtime, _clock) = Runtime::simulated(7);
    suite::run_on(&world(runtime)).await;
}
