//! With all rules nothing is found; without any one of them, something is.

use jepsen_collection_model::invariants::{
    COMMIT_IS_SAFE, COUNTED_COPIES_STAY, DROPS_ARE_LISTED, GARBAGE_CAN_GO, REACHABLE_IS_HELD,
    UNDELETE_OR_PURGE,
};
use jepsen_collection_model::{Collection, Rule, Scenario};
use stateright::{Checker, HasDiscoveries, Model};

const THREADS: usize = 2;

#[test]
fn every_rule_is_switched_off_once() {
    for rule in Rule::ALL {
        assert!(
            NEEDED.iter().any(|(needed, ..)| *needed == rule),
            "{rule:?}"
        );
    }
}

fn nothing_is_found(scenario: Scenario) {
    let model = Collection {
        bounds: scenario.bounds(0),
        without: None,
    };
    let checker = model.checker().threads(THREADS).spawn_bfs().join();
    eprintln!(
        "{scenario:?}: {} states, depth {}",
        checker.unique_state_count(),
        checker.max_depth()
    );
    assert!(checker.is_done());
    checker.assert_properties();
}

/// Where a rule is needed, and an invariant that is broken without it.
const NEEDED: &[(Rule, Scenario, &str)] = &[
    (Rule::PresenceTouches, Scenario::Sharing, COMMIT_IS_SAFE),
    (
        Rule::BarrierRefusesOldSessions,
        Scenario::Sharing,
        COMMIT_IS_SAFE,
    ),
    (
        Rule::SweepWaitsForAllSlots,
        Scenario::Slots,
        DROPS_ARE_LISTED,
    ),
    (
        Rule::SweepWaitsForAllSlots,
        Scenario::Slots,
        REACHABLE_IS_HELD,
    ),
    (
        Rule::ListingFollowsBarrier,
        Scenario::Sharing,
        REACHABLE_IS_HELD,
    ),
    (
        Rule::ListingPrecedesNextBarrier,
        Scenario::Sharing,
        REACHABLE_IS_HELD,
    ),
    (
        Rule::RemovedStaysListed,
        Scenario::Sharing,
        REACHABLE_IS_HELD,
    ),
    (Rule::RemovedIsForgotten, Scenario::Sharing, GARBAGE_CAN_GO),
    (Rule::DropLooksAgain, Scenario::Sharing, REACHABLE_IS_HELD),
    (Rule::RestartTouches, Scenario::Sharing, REACHABLE_IS_HELD),
    (
        Rule::RestartAsksTheCluster,
        Scenario::Sharing,
        REACHABLE_IS_HELD,
    ),
    (Rule::RepairTouches, Scenario::Movement, COUNTED_COPIES_STAY),
    (
        Rule::ExtraWaitsForConfirmation,
        Scenario::Movement,
        REACHABLE_IS_HELD,
    ),
    (
        Rule::ConfirmationTouches,
        Scenario::Movement,
        REACHABLE_IS_HELD,
    ),
    (
        Rule::MoveCarriesGeneration,
        Scenario::Slots,
        REACHABLE_IS_HELD,
    ),
    (Rule::MoveCarriesRemoved, Scenario::Slots, REACHABLE_IS_HELD),
    (Rule::MoveCarriesEpoch, Scenario::Leaving, REACHABLE_IS_HELD),
    (Rule::OnlyOwnersList, Scenario::Slots, REACHABLE_IS_HELD),
    (
        Rule::GroupsRefuseRemovedNodes,
        Scenario::Leaving,
        REACHABLE_IS_HELD,
    ),
    (
        Rule::LeavingWaitsForGroups,
        Scenario::Leaving,
        REACHABLE_IS_HELD,
    ),
    (Rule::PurgeIsGuarded, Scenario::Deletion, UNDELETE_OR_PURGE),
];

#[test]
fn uploads_forks_and_drops_lose_nothing() {
    nothing_is_found(Scenario::Sharing);
}

#[test]
fn moving_slots_lose_nothing() {
    nothing_is_found(Scenario::Slots);
}

#[test]
fn moving_copies_lose_nothing() {
    nothing_is_found(Scenario::Movement);
}

#[test]
fn leaving_nodes_lose_nothing() {
    nothing_is_found(Scenario::Leaving);
}

#[test]
fn deletions_lose_nothing() {
    nothing_is_found(Scenario::Deletion);
}

#[test]
fn two_of_everything_lose_nothing() {
    nothing_is_found(Scenario::Whole);
}

#[test]
fn without_any_rule_an_invariant_is_broken() {
    let mut faults = Vec::new();
    for &(rule, scenario, broken) in NEEDED {
        let model = Collection {
            bounds: scenario.bounds(0),
            without: Some(rule),
        };
        let checker = model
            .checker()
            .threads(THREADS)
            .finish_when(HasDiscoveries::AllOf([broken].into()))
            .spawn_bfs()
            .join();
        match checker.discovery(broken) {
            Some(path) => {
                let steps = path.into_actions();
                eprintln!("without {rule:?}: {broken} breaks after {} steps: {steps:?}", steps.len());
            }
            None => faults.push(format!(
                "without {rule:?}, {broken:?} is not broken in {scenario:?} ({} states; broken: {:?})",
                checker.unique_state_count(),
                checker.discoveries().into_keys().collect::<Vec<_>>()
            )),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
