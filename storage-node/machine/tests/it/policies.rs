use storage_node_api::map::{
    Assigned, ClusterMap, Copies, FailureDomain, NamedPolicy, POLICIES_VERSION, Policies, Policy,
    PolicyError, RegionShare,
};
use storage_node_api::order::{Answer, Command, Join, Query, Refusal, Reply};
use storage_node_api::{DedupDomain, MapEpoch};

use crate::group::{Group, map};

fn current(group: &Group) -> ClusterMap {
    match group.ask(&Query::Map) {
        Answer::Map(Some(map)) => map,
        other => panic!("{other:?}"),
    }
}

fn shared(regions: &[(&str, u8)], survive: FailureDomain) -> Policy {
    let shares = regions.iter().map(|(region, copies)| RegionShare {
        region: (*region).to_owned(),
        copies: *copies,
    });
    Policy {
        copies: Copies::Regions(shares.collect()),
        survive,
        home: None,
    }
}

fn with_policy(name: &str, policy: Policy) -> Policies {
    Policies {
        named: vec![NamedPolicy {
            name: name.to_owned(),
            policy,
        }],
        domains: vec![Assigned {
            domain: DedupDomain(9),
            policy: name.to_owned(),
        }],
        ..Policies::default()
    }
}

fn set(seen: u64, policies: Policies) -> Command {
    Command::SetPolicies {
        seen: MapEpoch(seen),
        policies,
    }
}

/// A cluster group whose map knows policies.
fn founded(mut first: ClusterMap) -> Group {
    let mut group = Group::cluster();
    first.machine_version = POLICIES_VERSION;
    group.done(Command::Found(first));
    group
}

#[test]
fn policies_are_set_by_whoever_has_seen_the_map_in_force() {
    let mut first = map(4);
    first.nodes[2].region = "s".into();
    let mut group = founded(first);
    let wide = shared(&[("r", 2), ("s", 1)], FailureDomain::Region);
    let policies = with_policy("wide", wide);
    group.done(set(5, policies.clone()));
    let now = current(&group);
    assert_eq!((now.epoch, &now.policies), (MapEpoch(6), &policies));
    assert_eq!(now.quorum(DedupDomain(9)), 2);
    // A second operator, who looked at the same map.
    let late = group.refused(set(5, Policies::default()));
    let (seen, actual) = (MapEpoch(5), MapEpoch(6));
    assert_eq!(late, Refusal::MapChanged { seen, actual });
    assert_eq!(current(&group), now);
    group.done(set(6, Policies::default()));
    assert_eq!(current(&group).policies, Policies::default());
    group.check_hash();
}

#[test]
fn a_policy_that_cannot_be_kept_changes_nothing() {
    let mut first = map(4);
    first.nodes[2].region = "s".into();
    let mut group = founded(first);
    let before = current(&group);
    let too_many = shared(&[("r", 4), ("s", 1)], FailureDomain::Region);
    let refusal = Refusal::Policy(PolicyError::TooFewNodes {
        policy: "wide".into(),
        region: "r".into(),
        copies: 4,
        nodes: 3,
    });
    let refused = group.refused(set(5, with_policy("wide", too_many)));
    assert_eq!(refused, refusal);
    let one_region = shared(&[("r", 3)], FailureDomain::Region);
    let refusal = Refusal::Policy(PolicyError::NotSurvivable {
        policy: "wide".into(),
        survive: FailureDomain::Region,
        needed: 2,
        found: 1,
    });
    let refused = group.refused(set(5, with_policy("wide", one_region)));
    assert_eq!(refused, refusal);
    assert_eq!(current(&group), before);
    group.check_hash();
}

#[test]
fn a_map_too_large_for_an_entry_is_refused() {
    let mut group = founded(map(1));
    for _ in 0..200 {
        let joined = group.run(Command::Join(Join {
            control: "c".repeat(250),
            bulk: "b".into(),
            zone: "z".into(),
            region: "r".into(),
            capacity: 1,
        }));
        assert!(matches!(joined, Reply::Joined(_)));
    }
    let epoch = current(&group).epoch.0;
    let refusal = group.refused(set(epoch, with_policy("p", Policy::default())));
    assert!(
        matches!(refusal, Refusal::MapTooLarge(bytes) if bytes > 48 << 10),
        "{refusal:?}"
    );
}

#[test]
fn policies_wait_until_every_replica_knows_them() {
    let mut group = Group::cluster();
    group.done(Command::Found(map(3)));
    let (needed, actual) = (POLICIES_VERSION, 1);
    let policies = with_policy("p", Policy::default());
    let early = group.refused(set(5, policies.clone()));
    assert_eq!(early, Refusal::TooEarly { needed, actual });
    group.done(Command::RaiseMachineVersion(POLICIES_VERSION));
    group.done(Command::RaiseMachineVersion(1));
    let now = current(&group);
    let raised = (now.machine_version, now.epoch);
    assert_eq!(raised, (POLICIES_VERSION, MapEpoch(6)));
    group.done(set(6, policies));
    group.check_hash();
    // The data groups take the map in its new layout.
    let mut data = Group::data();
    data.done(Command::AdoptMap(current(&group)));
    assert_eq!(current(&data), current(&group));
    data.check_hash();
}
