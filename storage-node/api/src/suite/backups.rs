use super::world::{DOMAIN, World, command, push};
use crate::backup::{OwnedBlob, Restore, SlotSpan};
use crate::order::{Answer, Command, Query, Refusal};
use crate::repository::State;
use crate::{BlobOwner, OwnerId, ReadPoint, Timestamp};

const NOW: ReadPoint = ReadPoint::Linearizable;

pub(super) async fn a_repository_is_copied_at_one_version(world: World) {
    let id = world.create().await;
    let mut first = push(
        id,
        vec![
            command("refs/heads/main", 0, 1),
            command("refs/tags/t", 0, 2),
        ],
    );
    first.pack = Some(world.pack(DOMAIN).await);
    world.push(first).await;
    let query = Query::RepositoryCopy(id);
    let copy = match world.ask(id.slot(), NOW, query).await {
        Answer::RepositoryCopy(Some(copy)) => copy,
        other => panic!("a copy is expected, not {other:?}"),
    };
    assert_eq!(Some(copy.repository), world.repository(id).await);
    assert_eq!(copy.refs, world.refs(id).await.refs);
    let packs: Vec<_> = copy.packs.into_iter().map(|one| one.pack).collect();
    assert_eq!(packs, world.packs(id).await.packs);
    let slots = SlotSpan {
        first: id.slot(),
        last: id.slot(),
    };
    let query = Query::Repositories { slots, after: None };
    match world.ask(id.slot(), NOW, query).await {
        Answer::Repositories(ids) => assert!(ids.contains(&id)),
        other => panic!("repositories are expected, not {other:?}"),
    }
    match world.ask(id.slot(), NOW, Query::Feeds(slots)).await {
        Answer::Feeds(feeds) => assert_eq!(feeds.len(), 1),
        other => panic!("feeds are expected, not {other:?}"),
    }
    let nobody = world.repository_id();
    let query = Query::RepositoryCopy(nobody);
    let absent = world.ask(nobody.slot(), NOW, query).await;
    assert_eq!(absent, Answer::RepositoryCopy(None));
}

pub(super) async fn a_held_group_takes_no_owner_from_a_blob(world: World) {
    let id = world.create().await;
    let slot = id.slot();
    let holder = OwnerId::random(&*world.runtime.random);
    let until = Timestamp(world.runtime.clock.now().millis() + 300_000);
    let hold = || Command::Hold { holder, until };
    world.done(slot, hold()).await;
    world.done(slot, hold()).await;
    match world.ask(slot, NOW, Query::Hold).await {
        Answer::Hold(Some(hold)) => assert_eq!(hold.holder, holder),
        other => panic!("a hold is expected, not {other:?}"),
    }
    let refusal = world.refused(slot, Command::SealRepository(id)).await;
    assert!(matches!(refusal, Refusal::Held { .. }), "{refusal}");
    world
        .push(push(id, vec![command("refs/heads/main", 0, 1)]))
        .await;
    world.done(slot, Command::Release(holder)).await;
    assert_eq!(world.ask(slot, NOW, Query::Hold).await, Answer::Hold(None));
    world.done(slot, Command::SealRepository(id)).await;
}

pub(super) async fn a_repository_is_restored_in_parts(world: World) {
    let from = world.create().await;
    world
        .push(push(from, vec![command("refs/heads/main", 0, 1)]))
        .await;
    let refs = world.refs(from).await.refs;
    let mut repository = world.repository(from).await.expect("it was created");
    // As another repository: its id carries the same slot.
    repository.id = crate::RepositoryId::in_slot(from.slot(), &*world.runtime.random);
    let (id, slot) = (repository.id, from.slot());
    let part = |part| world.done(slot, Command::Restore(part));
    let hidden = crate::backup::HiddenRecord {
        next_pack: 0,
        origin: None,
    };
    part(Restore::Repository {
        repository: repository.clone(),
        hidden,
    })
    .await;
    part(Restore::Refs {
        repository: id,
        refs,
    })
    .await;
    part(Restore::Finish {
        repository: id,
        state: State::Active,
        refs: 1,
        packs: 0,
    })
    .await;
    assert_eq!(world.repository(id).await, Some(repository));
    assert_eq!(world.targets(id).await, world.targets(from).await);
}

pub(super) async fn named_owners_are_listed(world: World) {
    let pack = world.pack(DOMAIN).await.pack;
    let (blob, slot) = (pack.id, world.repository_id().slot());
    let owner = OwnerId::random(&*world.runtime.random);
    let put = Command::PutBlob {
        slot,
        blob: pack,
        owner: BlobOwner::Named(owner),
        domain: DOMAIN,
    };
    world.done(slot, put).await;
    let slots = SlotSpan {
        first: slot,
        last: slot,
    };
    let owned = OwnedBlob {
        slot,
        blob,
        owner,
        domain: DOMAIN,
    };
    let list = async |after| match world.ask(slot, NOW, Query::Owners { slots, after }).await {
        Answer::Owners(owners) => owners,
        other => panic!("owners are expected, not {other:?}"),
    };
    assert!(list(None).await.contains(&owned));
    assert!(!list(Some(owned)).await.contains(&owned), "after it");
}
