use super::world::{World, command, create, object, push};
use crate::order::{Answer, Command, Query};
use crate::{MapEpoch, ReadPoint, Slot};

pub(super) async fn a_read_at_a_token_shows_the_write(world: World) {
    let repository = world.repository_id();
    let slot = repository.slot();
    let mut tokens = Vec::new();
    for step in [
        create(repository),
        Command::Push(push(repository, vec![command("refs/heads/a", 0, 1)])),
        Command::Push(push(repository, vec![command("refs/heads/a", 1, 2)])),
    ] {
        let committed = world.request(slot, world.request_id(), step).await;
        tokens.push(committed.expect("it commits").token);
    }
    assert!(tokens.windows(2).all(|pair| pair[0].index < pair[1].index));
    assert!(tokens.windows(2).all(|pair| pair[0].group == pair[1].group));
    let known = None;
    for (token, least) in tokens.into_iter().zip(0..) {
        let point = ReadPoint::AtLeast(token);
        let query = Query::Refs { repository, known };
        match world.ask(slot, point, query).await {
            Answer::Refs(Some(refs)) => assert!(refs.version > least, "at {token:?}"),
            other => panic!("references are expected, not {other:?}"),
        }
    }
    let latest = world.targets(repository).await;
    assert_eq!(latest, [("refs/heads/a".to_owned(), object(2))]);
    let stale = world.ask(slot, ReadPoint::Stale, Query::Repository(repository));
    assert!(matches!(stale.await, Answer::Repository(_)));
}

pub(super) async fn a_known_version_is_not_sent_again(world: World) {
    let repository = world.create().await;
    let slot = repository.slot();
    let point = ReadPoint::Linearizable;
    let version = world.refs(repository).await.version;
    for known in [Some(version), Some(version + 1)] {
        let refs = world
            .ask(slot, point, Query::Refs { repository, known })
            .await;
        let packs = world
            .ask(slot, point, Query::Packs { repository, known })
            .await;
        let unchanged = known == Some(version);
        assert_eq!(refs == Answer::Unchanged, unchanged);
        assert_eq!(packs == Answer::Unchanged, unchanged);
    }
    world
        .push(push(repository, vec![command("refs/heads/a", 0, 1)]))
        .await;
    let known = Some(version);
    let refs = world
        .ask(slot, point, Query::Refs { repository, known })
        .await;
    assert!(matches!(refs, Answer::Refs(Some(list)) if list.refs.len() == 1));

    let repository = world.repository_id();
    let known = None;
    let query = Query::Refs { repository, known };
    let refs = world.ask(repository.slot(), point, query).await;
    assert_eq!(refs, Answer::Refs(None));
    let query = Query::Packs { repository, known };
    let packs = world.ask(repository.slot(), point, query).await;
    assert_eq!(packs, Answer::Packs(None));
}

pub(super) async fn the_map_and_the_state_hash_are_there(world: World) {
    let map = world.storage.map().await.expect("the map is known");
    assert!(!map.nodes.is_empty());
    assert!(map.epoch >= MapEpoch(1));
    let slot = Slot::random(&*world.runtime.random);
    let point = ReadPoint::Linearizable;
    match world.ask(slot, point, Query::Map).await {
        Answer::Map(Some(adopted)) => assert_eq!(adopted.cluster, map.cluster),
        other => panic!("a map is expected, not {other:?}"),
    }
    match world.ask(slot, point, Query::StateHash).await {
        Answer::StateHash { index, hash } => assert!(index > 0 && hash != [0; 32]),
        other => panic!("a state hash is expected, not {other:?}"),
    }
}
