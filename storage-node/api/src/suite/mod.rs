//! The conformance suite of content and order that every
//! [`Storage`](crate::Storage) passes, in memory, on one node and over the
//! network alike.
//!
//! A case is a plain asynchronous function that panics where the storage breaks
//! its word. Cases make everything they need under fresh random ids and expect
//! nothing of what else is stored, so that they may share one storage and run
//! at the same time; a refusal or failure that an implementation may answer at
//! any moment (no leader yet) is retried.
//!
//! Not here: the suite of [`Metadata`](crate::Metadata), which lives with its
//! implementation, and what happens when parts fail.

mod backups;
mod blobs;
mod content;
mod events;
mod pushes;
mod reads;
mod refusals;
mod repositories;
mod world;

use runtime::BoxFuture;

pub use world::World;

/// One case of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it shows, as its function is called.
    pub name: &'static str,
    /// Runs it; panics if it does not hold.
    pub run: fn(World) -> BoxFuture<'static, ()>,
}

macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => {
        /// All cases.
        pub const CASES: &[Case] = &[$(Case {
            name: stringify!($name),
            run: |world| Box::pin($module::$name(world)),
        }),*];
    };
}

cases![
    content::chunks_come_back_as_they_were_put,
    content::a_put_answers_who_holds_a_quorum,
    content::chunks_may_be_put_again_and_twice,
    content::chunks_with_other_bytes_are_refused,
    content::absent_chunks_are_missing,
    content::a_batch_of_chunks_is_bounded,
    blobs::blobs_of_every_size_come_back,
    blobs::long_blobs_stream_and_are_read_in_ranges,
    blobs::a_blob_lives_as_long_as_an_owner,
    repositories::a_repository_is_created_once,
    repositories::a_fork_shares_what_its_original_has,
    repositories::deletion_takes_a_seal,
    repositories::head_moves,
    pushes::references_are_compared_and_swapped,
    pushes::an_atomic_push_is_all_or_nothing,
    pushes::names_that_exclude_each_other_conflict,
    pushes::a_pack_is_visible_only_with_a_reference_that_moved,
    pushes::ten_thousand_references_move_at_once,
    pushes::a_retry_answers_the_first_result,
    pushes::one_of_many_racing_pushes_wins,
    pushes::pushes_to_one_repository_lose_nothing,
    events::events_come_in_order_and_from_a_cursor,
    events::a_truncated_feed_shows_its_gap,
    reads::a_read_at_a_token_shows_the_write,
    reads::a_known_version_is_not_sent_again,
    reads::the_map_and_the_state_hash_are_there,
    refusals::a_pack_without_certificate_is_refused,
    refusals::a_certificate_short_of_the_quorum_is_refused,
    refusals::chunks_of_another_domain_are_refused,
    refusals::an_old_session_is_refused,
    refusals::parts_that_were_not_staged_are_refused,
    refusals::a_command_larger_than_an_entry_is_refused,
    backups::a_repository_is_copied_at_one_version,
    backups::a_held_group_takes_no_owner_from_a_blob,
    backups::a_repository_is_restored_in_parts,
    backups::named_owners_are_listed,
];

/// Runs every case on a storage of its own.
pub async fn run_all(make: impl AsyncFn() -> World) {
    for case in CASES {
        let world = make().await;
        tracing::info!(case = case.name, "suite");
        (case.run)(world).await;
    }
}

/// Runs every case on one storage.
pub async fn run_on(world: &World) {
    for case in CASES {
        tracing::info!(case = case.name, "suite");
        (case.run)(world.clone()).await;
    }
}
