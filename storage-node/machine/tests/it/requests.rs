use storage_node_api::RequestId;
use storage_node_api::limits::REMEMBERED_REQUESTS;
use storage_node_api::order::{Command, Refusal, Reply};
use storage_node_api::refs::RefOutcome;
use storage_node_api::repository::Pushed;

use crate::group::{Group, SLOT, command, create, object, push, repository};

fn id(number: u64) -> RequestId {
    RequestId(u128::from(number).to_be_bytes())
}

#[test]
fn a_retry_answers_the_first_result_and_applies_nothing() {
    let mut group = Group::data();
    group.create(repository(1));
    let first = Command::Push(push(repository(1), vec![command("refs/heads/a", 0, 1)]));
    let reply = group.request(id(1), first.clone());
    let pushed = Reply::Pushed(Pushed {
        version: 2,
        outcomes: vec![RefOutcome::Updated],
    });
    assert_eq!(reply, pushed);
    let second = Command::Push(push(repository(1), vec![command("refs/heads/a", 1, 2)]));
    group.request(id(2), second);
    assert_eq!(group.request(id(1), first), pushed);
    assert_eq!(
        group.refs(repository(1)),
        [("refs/heads/a".into(), object(2))]
    );
    assert_eq!(group.events(SLOT, 0).last, 3);
    group.check_hash();
}

#[test]
fn a_refusal_is_remembered_too() {
    let mut group = Group::data();
    let early = Command::SealRepository(repository(1));
    let refused = Reply::Refused(Refusal::NoRepository(repository(1)));
    assert_eq!(group.request(id(1), early.clone()), refused);
    group.create(repository(1));
    // A late duplicate must not take effect after its refusal was reported.
    assert_eq!(group.request(id(1), early.clone()), refused);
    assert_eq!(group.request(id(2), early), Reply::Done);
}

#[test]
fn the_oldest_request_is_forgotten_first() {
    let mut group = Group::data();
    let seal = || Command::SealRepository(repository(1));
    let refused = Reply::Refused(Refusal::NoRepository(repository(1)));
    for number in 0..REMEMBERED_REQUESTS {
        assert_eq!(group.request(id(number), seal()), refused);
    }
    assert_eq!(group.count(0x08) as u64, REMEMBERED_REQUESTS);
    assert_eq!(
        group.request(id(u64::MAX), create(repository(1))),
        Reply::Done
    );
    assert_eq!(group.count(0x08) as u64, REMEMBERED_REQUESTS);
    assert_eq!(group.count(0x09) as u64, REMEMBERED_REQUESTS);
    assert_eq!(group.request(id(1), seal()), refused);
    assert_eq!(group.request(id(0), seal()), Reply::Done, "forgotten");
    group.check_hash();
}

#[test]
fn parts_do_not_displace_remembered_requests() {
    let mut group = Group::data();
    group.create(repository(1));
    let before = group.count(0x08);
    for part in 0..10 {
        group.done(Command::Stage {
            upload: storage_node_api::UploadId([1; 16]),
            part,
            content: storage_node_api::order::Staged::Commands(Vec::new()),
        });
    }
    assert_eq!(group.count(0x08), before);
}
