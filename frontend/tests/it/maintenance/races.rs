//! Maintenance beside pushes, fetches and other maintenance, at the worst moments.

use std::sync::Arc;

use storage_node_api::order::Refusal;

use super::held::{Call, HeldStorage};
use super::{ask, begun, clone, maintain, packs, push_often, wait_for_other};
use crate::clone_and_push::{NULL, push_request};
use crate::forge::TestForge;
use crate::git::{commit, git};

/// A forge over a storage that holds calls; alice has pushed so often.
async fn pushed(times: usize) -> (TestForge, Arc<HeldStorage>) {
    let storage = HeldStorage::new();
    let forge = TestForge::start_over(storage.clone(), |_| {}).await;
    begun(&forge).await;
    push_often(&forge, 0..times).await;
    (forge, storage)
}

/// A commit that was pushed to a branch that is no more: stored, and reached by nothing.
async fn leave_unreached(forge: &TestForge) -> String {
    let work = forge.path("work");
    commit(&work, "left.txt", "left behind").await;
    git(&work, &["push", "-q", "origin", "HEAD:refs/heads/left"]).await;
    git(&work, &["push", "-q", "origin", ":refs/heads/left"]).await;
    let left = git(&work, &["rev-parse", "HEAD"]).await;
    git(&work, &["reset", "-q", "--hard", "HEAD~1"]).await;
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_leans_on_what_is_being_dropped_is_refused_whole() {
    let (forge, storage) = pushed(3).await;
    let left = leave_unreached(&forge).await;
    let before = clone(&forge, "alice", "before").await;
    // It brings no objects: all that it names is there when it is checked.
    let command = [format!("{NULL} {left} refs/heads/again")];
    let late = push_request(&command, "report-status");
    let held = storage.hold(Call::Push);
    let push = forge.send(late);
    let drop = async {
        held.reached.await.unwrap();
        maintain(&forge, "drop").await;
        held.go.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(push, drop);
    let said = answer.text();
    assert!(
        said.contains("ng refs/heads/again objects that it builds on"),
        "{said}"
    );
    let refusals = storage.refusals();
    assert!(
        matches!(refusals[..], [Refusal::DroppedSince { .. }]),
        "{refusals:?}"
    );
    assert_eq!(clone(&forge, "alice", "after").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_leans_on_nothing_dropped_is_checked_again_and_passes() {
    let (forge, storage) = pushed(3).await;
    leave_unreached(&forge).await;
    let work = forge.path("work");
    commit(&work, "new.txt", "new").await;
    let held = storage.hold(Call::Push);
    let push = git(&work, &["push", "-q", "origin", "main"]);
    let drop = async {
        held.reached.await.unwrap();
        maintain(&forge, "drop").await;
        held.go.send(()).unwrap();
    };
    tokio::join!(push, drop);
    let refusals = storage.refusals();
    assert!(
        matches!(refusals[..], [Refusal::DroppedSince { .. }]),
        "{refusals:?}"
    );
    let tip = git(&work, &["rev-parse", "HEAD"]).await;
    let (refs, _) = clone(&forge, "alice", "after").await;
    assert!(refs.contains(&tip), "{refs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_push_takes_up_meanwhile_is_not_dropped() {
    let (forge, storage) = pushed(3).await;
    let left = leave_unreached(&forge).await;
    let before = packs(&forge).await;
    let held = storage.hold(Call::Replace);
    ask(&forge, "drop").await;
    held.reached.await.unwrap();
    let command = [format!("{NULL} {left} refs/heads/again")];
    let answer = forge.send(push_request(&command, "report-status")).await;
    assert!(
        answer.text().contains("ok refs/heads/again"),
        "{}",
        answer.text()
    );
    held.go.send(()).unwrap();
    wait_for_other(&forge, &before).await;
    let refusals = storage.refusals();
    assert!(
        matches!(refusals[..], [Refusal::VersionChanged { .. }]),
        "{refusals:?}"
    );
    let (refs, objects) = clone(&forge, "alice", "after").await;
    assert!(refs.contains(&left) && objects.contains(&left));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_drops_nothing_and_a_push_do_not_meet() {
    let (forge, storage) = pushed(4).await;
    let work = forge.path("work");
    commit(&work, "new.txt", "new").await;
    let held = storage.hold(Call::Push);
    let push = git(&work, &["push", "-q", "origin", "main"]);
    let replace = async {
        held.reached.await.unwrap();
        maintain(&forge, "geometric").await;
        held.go.send(()).unwrap();
    };
    tokio::join!(push, replace);
    // And the other way round.
    let held = storage.hold(Call::Replace);
    push_often(&forge, 4..6).await;
    ask(&forge, "full").await;
    held.reached.await.unwrap();
    push_often(&forge, 6..7).await;
    let before = packs(&forge).await;
    held.go.send(()).unwrap();
    wait_for_other(&forge, &before).await;
    assert_eq!(storage.refusals(), []);
    let tip = git(&work, &["rev-parse", "HEAD"]).await;
    let (refs, _) = clone(&forge, "alice", "after").await;
    assert!(refs.contains(&tip), "{refs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_frontend_whose_packs_are_replaced_under_it_reads_the_list_again() {
    let (forge, storage) = pushed(5).await;
    let cold = TestForge::start_over(storage.clone(), |_| {}).await;
    let before = clone(&forge, "alice", "before").await;
    let held = storage.hold(Call::Manifest);
    let cloned = clone(&cold, "alice", "after");
    let replace = async {
        held.reached.await.unwrap();
        maintain(&forge, "full").await;
        held.go.send(()).unwrap();
    };
    let (after, ()) = tokio::join!(cloned, replace);
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_frontends_that_maintain_at_once_one_does_it() {
    let (forge, storage) = pushed(6).await;
    let other = TestForge::start_over(storage.clone(), |_| {}).await;
    let before = clone(&forge, "alice", "before").await;
    let listed = packs(&forge).await;
    let held = storage.hold(Call::Replace);
    ask(&forge, "full").await;
    held.reached.await.unwrap();
    ask(&other, "full").await;
    let busy = async {
        while !other
            .get("/metrics")
            .await
            .text()
            .contains("outcome=\"busy\"")
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::PATIENCE, busy).await.unwrap();
    held.go.send(()).unwrap();
    assert_eq!(wait_for_other(&forge, &listed).await.len(), 1);
    assert_eq!(clone(&other, "alice", "after").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frontend_that_dies_before_the_entry_leaves_nothing_visible() {
    let (mut forge, storage) = pushed(5).await;
    let before = (clone(&forge, "alice", "before").await, packs(&forge).await);
    let held = storage.hold(Call::Replace);
    ask(&forge, "full").await;
    held.reached.await.unwrap();
    // The lease is not given back: another frontend waits for its end.
    forge.stop().await;
    drop(held.go);
    forge.restart("second").await;
    assert_eq!(packs(&forge).await, before.1);
    assert_eq!(clone(&forge, "alice", "after").await, before.0);
}
