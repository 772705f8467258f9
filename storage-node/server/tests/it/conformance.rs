//! The suites that every storage passes, on one node and on three.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use runtime::Runtime;
use storage_node_api::{Metadata, Storage, suite};
use storage_node_client::tier::{Client, Config as ClientConfig, InPlace, NoPeers};
use storage_node_server::directory::DataDirectory;
use storage_node_server::start::{Addresses, Alone, Config, Membership, Network, Stores, start};

use crate::world::World;

pub(crate) async fn passes_everything(storage: Arc<dyn Storage>, runtime: Runtime) {
    for case in suite::CASES {
        println!("{}", case.name);
        (case.run)(suite::World {
            storage: Arc::clone(&storage),
            runtime: runtime.clone(),
        })
        .await;
    }
    let facts = Arc::clone(&storage) as Arc<dyn Metadata>;
    storage_node_metadata::suite::cases(facts, &runtime).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_on_disk_conforms_and_keeps_everything_over_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let runtime = Runtime::real();
    let config = Config {
        reserve_bytes: 0,
        ..Config::default()
    }
    .validate()
    .unwrap();
    for round in 0..2 {
        let directory = DataDirectory::open(place.path()).unwrap();
        let node = start(
            Stores::on_disk(&directory).unwrap(),
            Membership::Founder { cluster: None },
            Network {
                peers: Arc::new(Alone),
                links: Arc::new(NoPeers),
            },
            Addresses::default(),
            &config,
            runtime.clone(),
            &mut Registry::default(),
        )
        .await
        .unwrap();
        let links = Arc::new(InPlace::new(node.id(), node.clone()));
        let storage = Arc::new(Client::new(
            links,
            runtime.clone(),
            ClientConfig::default().validate().unwrap(),
        ));
        if round == 0 {
            passes_everything(storage, runtime.clone()).await;
        } else {
            (suite::CASES[0].run)(suite::World {
                storage,
                runtime: runtime.clone(),
            })
            .await;
        }
        node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_conform() {
    let world = World::of(3).await;
    passes_everything(world.storage(), world.runtime.clone()).await;
}
