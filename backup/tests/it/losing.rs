use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use backup::{Holders, Lost, LostError, Silent};
use chunking::{ChunkId, ChunkRef};
use storage_node_api::order::{Answer, Query};
use storage_node_api::{BlobOwner, DedupDomain, Slot};

use crate::world::{DOMAIN, World};

/// Nodes that hold all but these chunks, or nothing.
#[derive(Debug)]
enum Nodes {
    Without(BTreeSet<ChunkId>),
    Nothing,
    Silent,
}

#[async_trait]
impl Holders for Nodes {
    async fn held(&self, _: DedupDomain, chunks: &[ChunkRef]) -> Result<Vec<bool>, String> {
        match self {
            Self::Without(lost) => Ok(chunks.iter().map(|c| !lost.contains(&c.id)).collect()),
            Self::Nothing => Ok(vec![false; chunks.len()]),
            Self::Silent => Err("node 2 does not answer".to_owned()),
        }
    }
}

async fn lost(world: &World, nodes: &Nodes) -> Result<Lost, LostError> {
    let (storage, runtime) = (Arc::clone(&world.storage), world.runtime.clone());
    backup::lost(storage, runtime, nodes, &Silent).await
}

#[tokio::test]
async fn a_chunk_that_is_nowhere_is_told_with_the_blob_and_each_of_its_owners() {
    let world = World::full().await;
    let whole = lost(&world, &Nodes::Without(BTreeSet::new()))
        .await
        .unwrap();
    assert_eq!((whole.lost.len(), whole.more), (0, 0));
    assert_eq!(whole.repositories, 7);
    assert!(whole.blobs > 10 && whole.blob_bytes > 3 << 20);

    let owned = world.named_blob(Slot(5), 70_000).await;
    let query = Query::Manifest {
        slot: owned.slot,
        domain: DOMAIN,
        blob: owned.blob,
    };
    let Answer::Manifest(Some(manifest)) = world.ask(owned.slot, query).await else {
        panic!("it has a manifest");
    };
    let gone = manifest.chunks[0];
    let found = lost(&world, &Nodes::Without([gone.id].into()))
        .await
        .unwrap();
    assert_eq!(found.lost.len(), 1, "{:?}", found.lost);
    let blob = &found.lost[0];
    assert_eq!((blob.slot, blob.blob), (owned.slot, owned.blob));
    assert_eq!(blob.owner, BlobOwner::Named(owned.owner));
    assert_eq!(blob.length, Some(manifest.length));
    assert_eq!(blob.chunks, [gone]);
    assert_eq!(blob.lost_bytes(), u64::from(gone.length));
}

#[tokio::test]
async fn a_fork_has_lost_what_its_origin_has_lost() {
    let world = World::full().await;
    let found = lost(&world, &Nodes::Nothing).await.unwrap();
    let repositories: BTreeSet<_> = found.lost.iter().map(|blob| blob.owner).collect();
    // Seven repositories, two named owners of which one has an empty blob.
    assert_eq!(repositories.len(), 8, "{repositories:?}");
    assert!(
        found.lost.len() as u64 > found.blobs - 1,
        "shared packs are told twice"
    );
    let silent = lost(&world, &Nodes::Silent).await.unwrap_err();
    assert!(silent.to_string().contains("node 2"), "{silent}");
}
