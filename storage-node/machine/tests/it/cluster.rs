use storage_node_api::map::{ClusterMap, MACHINE_VERSION, Policies};
use storage_node_api::order::{Answer, Command, Join, Query, Refusal, Reply};
use storage_node_api::{ClusterId, Generation, Incarnation, MapEpoch, NodeId};
use storage_node_machine::{Fault, apply, encode_request};

use crate::group::{Group, map};

fn current(group: &Group) -> ClusterMap {
    match group.ask(&Query::Map) {
        Answer::Map(Some(map)) => map,
        other => panic!("{other:?}"),
    }
}

fn join() -> Join {
    Join {
        control: "new:1".into(),
        bulk: "new:2".into(),
        zone: "z".into(),
        region: "r".into(),
        capacity: 7,
    }
}

fn started(node: u64, incarnation: u64, control: &str) -> Command {
    Command::Started {
        node: NodeId(node),
        incarnation: Incarnation(incarnation),
        control: control.into(),
        bulk: "b".into(),
    }
}

#[test]
fn a_cluster_is_founded_once_and_grows() {
    let mut group = Group::cluster();
    assert_eq!(group.ask(&Query::Map), Answer::Map(None));
    assert_eq!(group.refused(Command::Join(join())), Refusal::WrongGroup);
    group.done(Command::Found(map(1)));
    group.done(Command::Found(map(1)));
    assert_eq!(group.refused(Command::Found(map(2))), Refusal::StaleMap);
    assert_eq!(group.run(Command::Join(join())), Reply::Joined(NodeId(2)));
    assert_eq!(group.run(Command::Join(join())), Reply::Joined(NodeId(3)));
    let now = current(&group);
    assert_eq!(now.epoch, MapEpoch(7));
    assert_eq!(now.nodes.len(), 3);
    assert_eq!(now.nodes[2], join().into_node(NodeId(3)));
    group.check_hash();
}

#[test]
fn a_node_that_starts_again_is_known_by_its_new_start() {
    let mut group = Group::cluster();
    group.done(Command::Found(map(1)));
    group.done(started(1, 2, "moved"));
    let now = current(&group);
    assert_eq!(
        (now.epoch, now.nodes[0].incarnation),
        (MapEpoch(6), Incarnation(2))
    );
    assert_eq!(
        (now.nodes[0].control.as_str(), now.nodes[0].bulk.as_str()),
        ("moved", "b")
    );
    group.done(started(1, 2, "moved"));
    assert_eq!(current(&group), now, "again: no effect");
    for (incarnation, control) in [(1, "moved"), (2, "elsewhere")] {
        let refusal = Refusal::RolledBack {
            node: NodeId(1),
            known: Incarnation(2),
            claimed: Incarnation(incarnation),
        };
        assert_eq!(group.refused(started(1, incarnation, control)), refusal);
    }
    assert_eq!(
        group.refused(started(9, 1, "x")),
        Refusal::NoNode(NodeId(9))
    );
    group.check_hash();
}

#[test]
fn data_groups_adopt_newer_maps_of_their_cluster_only() {
    let mut group = Group::data();
    group.done(Command::AdoptMap(map(3)));
    assert_eq!(group.refused(Command::AdoptMap(map(2))), Refusal::StaleMap);
    let mut newer = map(4);
    newer.epoch = MapEpoch(6);
    group.done(Command::AdoptMap(newer.clone()));
    assert_eq!(current(&group), newer);
    assert_eq!(group.refused(Command::AdoptMap(map(3))), Refusal::StaleMap);
    newer.epoch = MapEpoch(7);
    newer.cluster = ClusterId([9; 16]);
    assert_eq!(group.refused(Command::AdoptMap(newer)), Refusal::WrongGroup);
    group.check_hash();
}

#[test]
fn commands_of_the_other_kind_of_group_are_refused() {
    let mut data = Group::data();
    for command in [
        Command::Found(map(1)),
        Command::Join(join()),
        started(1, 2, "x"),
        Command::SetPolicies {
            seen: MapEpoch(5),
            policies: Policies::default(),
        },
        Command::RaiseMachineVersion(2),
    ] {
        assert_eq!(data.refused(command), Refusal::WrongGroup);
    }
    let mut cluster = Group::cluster();
    cluster.done(Command::Found(map(1)));
    for command in [Command::AdoptMap(map(2)), Command::Barrier(Generation(9))] {
        assert_eq!(cluster.refused(command), Refusal::WrongGroup);
    }
}

#[test]
fn what_a_replica_does_not_know_stops_it() {
    let group = Group::data();
    let at = |index, entry: &[u8]| apply(group.group, &group.state, index, entry);
    let mut future = map(3);
    (future.epoch, future.machine_version) = (MapEpoch(9), MACHINE_VERSION + 1);
    let request = |command| storage_node_api::order::Request {
        id: storage_node_api::RequestId([1; 16]),
        time: storage_node_api::Timestamp(1),
        command,
    };
    let entry = encode_request(&request(Command::AdoptMap(future))).unwrap();
    assert!(matches!(
        at(2, &entry),
        Err(Fault::MachineVersion { found }) if found == MACHINE_VERSION + 1
    ));
    assert!(matches!(at(2, &[]), Err(Fault::EntryVersion { found: 0 })));
    assert!(matches!(
        at(2, &[2, 0]),
        Err(Fault::EntryVersion { found: 2 })
    ));
    assert!(matches!(at(2, &[1, 0]), Err(Fault::Entry(_))));
    let mut unknown = encode_request(&request(Command::Barrier(Generation(1))))
        .unwrap()
        .to_vec();
    // After the format, the id and the time: the number of the command.
    assert_eq!(unknown[18], 15);
    unknown[18] = 120;
    assert!(matches!(at(2, &unknown), Err(Fault::Entry(_))));
    let good = encode_request(&request(Command::Barrier(Generation(1)))).unwrap();
    assert!(matches!(
        at(1, &good),
        Err(Fault::OutOfOrder {
            applied: 1,
            index: 1
        })
    ));
    assert!(at(2, &good).is_ok());
}

#[test]
fn damaged_state_stops_a_replica() {
    let mut group = Group::data();
    group.create(crate::group::repository(1));
    for key in group.state.keys().cloned().collect::<Vec<_>>() {
        let mut damaged = group.state.clone();
        damaged.insert(key.clone(), vec![9, 9].into());
        let entry = encode_request(&storage_node_api::order::Request {
            id: storage_node_api::RequestId([0x55; 16]),
            time: storage_node_api::Timestamp(1),
            command: Command::SealRepository(crate::group::repository(1)),
        })
        .unwrap();
        let result = apply(group.group, &damaged, group.index + 1, &entry);
        let read = !matches!(key[0], 0x08 | 0x09 | 0x31);
        assert_eq!(result.is_err(), read, "key {key:02x?}");
    }
}
