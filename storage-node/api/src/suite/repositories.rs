use git_id::HashKind;

use super::world::{DOMAIN, World, command, create, name, object, push};
use crate::order::{Command, Query, Refusal};
use crate::repository::State;
use crate::{ReadPoint, RepositoryId};

pub(super) async fn a_repository_is_created_once(world: World) {
    let id = world.repository_id();
    assert_eq!(world.repository(id).await, None);
    world.done(id.slot(), create(id)).await;
    let made = world.repository(id).await.expect("it was created");
    assert_eq!(
        (made.id, made.hash, made.domain),
        (id, HashKind::Sha1, DOMAIN)
    );
    assert_eq!(made.head, name("refs/heads/main"));
    assert_eq!((made.state, made.packs, made.bytes), (State::Active, 0, 0));
    assert_eq!(world.refs(id).await.refs, []);
    assert_eq!(world.packs(id).await.packs, []);
    world.done(id.slot(), create(id)).await;
    assert_eq!(world.repository(id).await, Some(made), "again: no effect");
    let other = Command::CreateRepository {
        id,
        hash: HashKind::Sha256,
        head: name("refs/heads/main"),
        domain: DOMAIN,
    };
    let refusal = world.refused(id.slot(), other).await;
    assert_eq!(refusal, Refusal::RepositoryExists(id));
}

pub(super) async fn a_fork_shares_what_its_original_has(world: World) {
    let from = world.create().await;
    let slot = from.slot();
    let mut first = push(from, vec![command("refs/heads/main", 0, 1)]);
    first.pack = Some(world.pack(DOMAIN).await);
    world.push(first).await;
    let id = RepositoryId::in_slot(slot, &*world.runtime.random);
    let fork = Command::ForkRepository { id, from };
    world.done(slot, fork.clone()).await;
    world.done(slot, fork).await;
    let packs = world.packs(from).await.packs;
    assert_eq!(packs.len(), 1);
    assert_eq!(world.packs(id).await.packs, packs);
    assert_eq!(world.targets(id).await, world.targets(from).await);
    world
        .push(push(id, vec![command("refs/heads/main", 1, 2)]))
        .await;
    let main = "refs/heads/main".to_owned();
    assert_eq!(world.targets(from).await, [(main.clone(), object(1))]);
    assert_eq!(world.targets(id).await, [(main, object(2))]);

    // What the original brought outlives it.
    world.done(slot, Command::SealRepository(from)).await;
    world.done(slot, Command::DeleteRepository(from)).await;
    let manifest = world.manifest(slot, packs[0].pack).await;
    let manifest = manifest.expect("the fork owns it too");
    let bytes = world.download(&manifest, 0..u64::MAX).await;
    assert_eq!(bytes.len() as u64, packs[0].bytes);

    let far = loop {
        let far = world.repository_id();
        if far.slot() != slot {
            break far;
        }
    };
    let fork = Command::ForkRepository { id: far, from: id };
    let refusal = world.refused(far.slot(), fork).await;
    assert_eq!(refusal, Refusal::OtherSlot(far));
}

pub(super) async fn deletion_takes_a_seal(world: World) {
    let id = world.create().await;
    let slot = id.slot();
    let mut first = push(id, vec![command("refs/heads/main", 0, 1)]);
    first.pack = Some(world.pack(DOMAIN).await);
    world.push(first).await;
    let packs = world.packs(id).await.packs;
    let delete = || Command::DeleteRepository(id);
    let refusal = world.refused(slot, delete()).await;
    assert_eq!(refusal, Refusal::NotSealed(id));
    world.done(slot, Command::SealRepository(id)).await;
    world.done(slot, Command::SealRepository(id)).await;
    let late = Command::Push(push(id, vec![command("refs/heads/main", 1, 2)]));
    let refusal = world.refused(slot, late).await;
    assert_eq!(refusal, Refusal::RepositorySealed(id));
    assert_eq!(world.refs(id).await.refs.len(), 1, "still readable");
    world.done(slot, delete()).await;
    assert_eq!(world.repository(id).await, None);
    assert_eq!(world.manifest(slot, packs[0].pack).await, None);
    let refusal = world.refused(slot, delete()).await;
    assert_eq!(refusal, Refusal::NoRepository(id));
}

pub(super) async fn head_moves(world: World) {
    let repository = world.create().await;
    let before = world.refs(repository).await;
    let head = name("refs/heads/other");
    let set = Command::SetHead {
        repository,
        head: head.clone(),
    };
    world.done(repository.slot(), set.clone()).await;
    let after = world.refs(repository).await;
    assert_eq!((after.version, after.head), (before.version + 1, head));
    world.done(repository.slot(), set).await;
    let query = Query::Refs {
        repository,
        known: Some(after.version),
    };
    let answer = world
        .ask(repository.slot(), ReadPoint::Linearizable, query)
        .await;
    assert_eq!(answer, crate::order::Answer::Unchanged);
}
