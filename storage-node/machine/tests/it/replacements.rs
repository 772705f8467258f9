//! Packs in the place of others, and what pushes may lean on meanwhile.

use std::fmt::Write as _;

use git_id::ObjectId;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use storage_node_api::backup::Hold;
use storage_node_api::limits::MAX_COMMAND_BYTES;
use storage_node_api::map::{FIRST_DATA_GROUP, REPLACEMENT_VERSION};
use storage_node_api::order::{Command, Query, Refusal, Reply, Request};
use storage_node_api::repository::{NewPack, Push, Replacement};
use storage_node_api::{Generation, OwnerId, RequestId, Timestamp};
use storage_node_machine::{decode_reply, decode_request, encode_reply, encode_request};

use crate::group::{DOMAIN, Group, SLOT, command, map, pack, push, repository};

const GOLDEN: &str = include_str!("../../golden/replacements.txt");

fn group() -> Group {
    let mut group = Group::empty(FIRST_DATA_GROUP);
    let mut map = map(3);
    map.machine_version = REPLACEMENT_VERSION;
    group.done(Command::AdoptMap(map));
    group.create(repository(1));
    group
}

/// A push that brings that pack and makes a branch of that number.
fn with_pack(number: u8) -> Push {
    let branch = format!("refs/heads/b{number}");
    let mut push = push(repository(1), vec![command(&branch, 0, 1)]);
    push.pack = Some(pack(number));
    push
}

/// A group whose repository 1 has packs of these numbers.
fn with_packs(numbers: &[u8]) -> Group {
    let mut group = group();
    for number in numbers {
        group.pushed(with_pack(*number));
    }
    group
}

fn checksum(number: u8) -> ObjectId {
    pack(number).checksum
}

fn replacement(old: &[u8], new: &[u8]) -> Replacement {
    Replacement {
        repository: repository(1),
        old: old.iter().copied().map(checksum).collect(),
        new: new.iter().copied().map(pack).collect(),
        seen: u64::MAX,
        drops: false,
    }
}

/// One of a list that is read as late as can be.
fn replace(old: &[u8], new: &[u8]) -> Command {
    Command::ReplacePacks(replacement(old, new))
}

fn replace_seen(old: &[u8], new: &[u8], seen: u64) -> Command {
    Command::ReplacePacks(Replacement {
        seen,
        ..replacement(old, new)
    })
}

/// The same of objects that nothing reached at a version.
fn dropping(old: &[u8], new: &[u8], seen: u64) -> Command {
    Command::ReplacePacks(Replacement {
        seen,
        drops: true,
        ..replacement(old, new)
    })
}

fn checked(push: Push, checked: u64) -> Command {
    Command::CheckedPush { push, checked }
}

fn listed(group: &Group, id: u8) -> Vec<ObjectId> {
    let packs = group.packs(repository(id));
    packs.iter().map(|pack| pack.checksum).collect()
}

fn checksums(numbers: &[u8]) -> Vec<ObjectId> {
    numbers.iter().copied().map(checksum).collect()
}

fn has(group: &Group, NewPack { pack, index, .. }: NewPack) -> (bool, bool) {
    let has = |blob| group.has_blob(SLOT, DOMAIN, blob);
    (has(pack.id), has(index.id))
}

#[test]
fn packs_are_replaced_at_once_and_those_that_came_meanwhile_stay() {
    let mut group = with_packs(&[1, 2, 3]);
    let before = group.repository(repository(1)).unwrap();
    // Somebody pushes after the list was read.
    group.pushed(with_pack(4));
    group.done(replace(&[1, 3], &[9]));
    assert_eq!(listed(&group, 1), checksums(&[2, 4, 9]));
    for gone in [1, 3] {
        assert_eq!(has(&group, pack(gone)), (false, false));
    }
    assert_eq!(has(&group, pack(9)), (true, true));
    let after = group.repository(repository(1)).unwrap();
    assert_eq!((after.packs, after.bytes), (3, 60));
    assert_eq!(after.version, before.version + 2);
    assert_eq!(after.events, before.events + 1, "it is nobody's business");
    group.check_hash();
}

#[test]
fn of_two_that_replace_one_pack_one_wins_and_nothing_is_lost() {
    let mut group = with_packs(&[1, 2, 3]);
    group.done(replace(&[1, 2], &[8]));
    let state = group.state.clone();
    for late in [
        replace(&[2, 3], &[9]),
        replace(&[1], &[9]),
        replace(&[], &[9]),
    ] {
        let refused = group.refused(late);
        assert_eq!(refused, Refusal::PacksChanged(repository(1)));
        assert_eq!(listed(&group, 1), checksums(&[3, 8]));
    }
    assert_eq!(has(&group, pack(9)), (false, false));
    assert_eq!(state.keys().filter(|key| key[0] == 0x12).count(), 2);
    group.check_hash();
}

#[test]
fn of_two_that_read_one_list_the_second_reads_it_again() {
    let mut group = with_packs(&[1, 2, 3, 4]);
    let seen = group.repository(repository(1)).unwrap().version;
    // An object of packs 1 and 3 may be in neither 8 nor 9: each left it to the other.
    group.done(replace_seen(&[1, 2], &[8], seen));
    let refused = group.refused(replace_seen(&[3, 4], &[9], seen));
    assert_eq!(refused, Refusal::PacksChanged(repository(1)));
    group.pushed(with_pack(5));
    group.done(replace_seen(&[3, 4], &[9], seen + 1));
    assert_eq!(listed(&group, 1), checksums(&[8, 5, 9]));
    group.check_hash();
}

#[test]
fn a_pack_that_is_made_again_stays_as_it_is() {
    let mut group = with_packs(&[1, 2]);
    group.done(replace(&[1, 2], &[2]));
    assert_eq!(listed(&group, 1), checksums(&[2]));
    assert_eq!(has(&group, pack(2)), (true, true));
    let refused = group.refused(replace(&[2], &[2]));
    assert_eq!(refused, Refusal::PacksChanged(repository(1)));
    group.check_hash();
}

#[test]
fn what_is_not_durable_replaces_nothing() {
    let mut group = with_packs(&[1, 2]);
    let mut bare = replacement(&[1, 2], &[9]);
    bare.new[0].index.certificate = Default::default();
    let refused = group.refused(Command::ReplacePacks(bare));
    assert!(matches!(refused, Refusal::NotDurable { .. }), "{refused:?}");
    assert_eq!(listed(&group, 1), checksums(&[1, 2]));
    group.done(replace(&[1, 2], &[9]));
}

#[test]
fn a_fork_keeps_what_it_was_made_with() {
    let mut group = with_packs(&[1, 2]);
    group.done(Command::ForkRepository {
        id: repository(2),
        from: repository(1),
    });
    group.done(replace(&[1, 2], &[9]));
    assert_eq!(listed(&group, 2), checksums(&[1, 2]));
    assert_eq!(has(&group, pack(1)), (true, true));
    group.done(Command::SealRepository(repository(2)));
    group.done(Command::DeleteRepository(repository(2)));
    assert_eq!(has(&group, pack(1)), (false, false));
    assert_eq!(listed(&group, 1), checksums(&[9]));
    group.check_hash();
}

#[test]
fn what_was_replaced_is_listed_for_the_collector_until_the_next_barrier() {
    let mut group = with_packs(&[1, 2]);
    group.done(replace(&[1, 2], &[9]));
    assert_eq!(group.count(0x23), 4, "removed blobs");
    group.done(Command::Barrier(Generation(3)));
    assert_eq!(group.count(0x23), 0);
    assert_eq!(has(&group, pack(9)), (true, true));
}

#[test]
fn a_backup_that_reads_the_group_keeps_its_packs() {
    let mut group = with_packs(&[1, 2]);
    let until = Timestamp(group.time + 1_000);
    let holder = OwnerId([1; 16]);
    group.done(Command::Hold { holder, until });
    assert_eq!(
        group.refused(replace(&[1, 2], &[9])),
        Refusal::Held { until }
    );
    assert!(matches!(
        group.ask(&Query::Hold),
        storage_node_api::order::Answer::Hold(Some(Hold { .. }))
    ));
    group.done(Command::Release(holder));
    group.done(replace(&[1, 2], &[9]));
}

#[test]
fn objects_are_dropped_only_at_the_version_that_was_looked_at() {
    let mut group = with_packs(&[1, 2]);
    let seen = group.repository(repository(1)).unwrap().version;
    group.pushed(with_pack(3));
    let actual = seen + 1;
    let refused = group.refused(dropping(&[1, 2], &[9], seen));
    assert_eq!(refused, Refusal::VersionChanged { seen, actual });
    group.done(dropping(&[1, 2], &[9], actual));
    group.check_hash();
}

#[test]
fn a_push_that_was_checked_before_objects_were_dropped_is_checked_again() {
    let mut group = with_packs(&[1, 2]);
    let seen = group.repository(repository(1)).unwrap().version;
    let late = || push(repository(1), vec![command("refs/heads/late", 0, 7)]);
    group.done(dropping(&[1, 2], &[9], seen));
    let dropped = seen + 1;
    let refused = group.refused(checked(late(), seen));
    let of = |checked| Refusal::DroppedSince { checked, dropped };
    assert_eq!(refused, of(seen));
    // One of an earlier release says nothing of what it was checked with.
    assert_eq!(group.refused(Command::Push(late())), of(0));
    assert_eq!(group.refs(repository(1)).len(), 2);
    let pushed = group.run(checked(late(), dropped));
    assert!(matches!(pushed, Reply::Pushed(_)), "{pushed:?}");
    group.check_hash();
}

#[test]
fn a_replacement_that_drops_nothing_disturbs_no_push() {
    let mut group = with_packs(&[1, 2]);
    let seen = group.repository(repository(1)).unwrap().version;
    group.done(replace(&[1, 2], &[9]));
    let pushed = group.run(checked(with_pack(3), seen));
    assert!(matches!(pushed, Reply::Pushed(_)), "{pushed:?}");
    group.pushed(with_pack(4));
    assert_eq!(listed(&group, 1), checksums(&[9, 3, 4]));
}

/// One step of a race, of a pusher or of a maintainer.
#[derive(Clone, Debug)]
enum Step {
    /// Reads refs and packs, and finds object `n` there or not.
    Check(u8),
    /// Commits what was checked: a ref to the object.
    Push(u8),
    /// Deletes the ref.
    Unlink(u8),
    /// Reads refs and packs, and looks what nothing reaches.
    Look,
    /// Commits packs without that.
    Drop,
    /// Replaces packs by one with all of their objects.
    Merge,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let object = || any::<u8>().prop_map(|number| number % 3);
    let step = prop_oneof![
        3 => object().prop_map(Step::Check),
        3 => object().prop_map(Step::Push),
        3 => object().prop_map(Step::Unlink),
        2 => proptest::prelude::Just(Step::Look),
        2 => proptest::prelude::Just(Step::Drop),
        1 => proptest::prelude::Just(Step::Merge),
    ];
    vec(step, 1..60)
}

/// A repository in which objects 0, 1 and 2 lie in a pack, and branches come to name them, and go.
struct Race {
    group: Group,
    /// Which objects the only pack has, and its number.
    stored: (Vec<u8>, u8),
    checked: [Option<u64>; 3],
    looked: Option<(u64, Vec<u8>)>,
    next: u8,
    dropped: u32,
}

impl Race {
    fn new() -> Self {
        let mut group = with_packs(&[10]);
        let created = push(repository(1), vec![command("refs/heads/b10", 1, 0)]);
        group.pushed(created);
        Self {
            group,
            stored: (vec![0, 1, 2], 10),
            checked: [None; 3],
            looked: None,
            next: 11,
            dropped: 0,
        }
    }

    fn version(&self) -> u64 {
        self.group.repository(repository(1)).unwrap().version
    }

    fn named(&self) -> Vec<u8> {
        let refs = self.group.refs(repository(1));
        refs.iter().map(|(_, id)| id.as_bytes()[0] - 1).collect()
    }

    fn step(&mut self, step: &Step, guarded: bool) {
        match *step {
            Step::Check(object) => {
                let is_there = self.stored.0.contains(&object);
                self.checked[usize::from(object)] = is_there.then(|| self.version());
            }
            Step::Push(object) => {
                let Some(version) = self.checked[usize::from(object)].take() else {
                    return;
                };
                let version = if guarded { version } else { u64::MAX };
                let branch = format!("refs/heads/o{object}");
                let one = push(repository(1), vec![command(&branch, 0, object + 1)]);
                drop(self.group.run(checked(one, version)));
            }
            Step::Unlink(object) => {
                let branch = format!("refs/heads/o{object}");
                let one = push(repository(1), vec![command(&branch, object + 1, 0)]);
                let now = self.version();
                drop(self.group.run(checked(one, now)));
            }
            Step::Look => self.looked = Some((self.version(), self.named())),
            Step::Drop => {
                let Some((seen, kept)) = self.looked.take() else {
                    return;
                };
                let kept: Vec<u8> = (kept.into_iter())
                    .filter(|object| self.stored.0.contains(object))
                    .collect();
                let number = self.next;
                let seen = if guarded { seen } else { self.version() };
                let reply = self.group.run(dropping(&[self.stored.1], &[number], seen));
                if reply == Reply::Done {
                    self.dropped += 1;
                    self.stored = (kept, number);
                    self.next += 1;
                }
            }
            Step::Merge => {
                self.group.done(replace(&[self.stored.1], &[self.next]));
                self.stored.1 = self.next;
                self.next += 1;
            }
        }
    }

    /// Whether every object that a ref names is stored.
    fn is_whole(&self) -> bool {
        self.named()
            .iter()
            .all(|object| self.stored.0.contains(object))
    }
}

proptest! {
    #[test]
    fn whatever_races_with_a_drop_no_ref_names_what_is_gone(steps in steps()) {
        let mut race = Race::new();
        for step in &steps {
            race.step(step, true);
            assert!(race.is_whole(), "{step:?} of {steps:?}");
        }
        race.group.check_hash();
    }
}

#[test]
fn without_either_guard_a_ref_comes_to_name_what_is_gone() {
    for steps in [
        [Step::Check(1), Step::Look, Step::Drop, Step::Push(1)],
        [Step::Look, Step::Check(1), Step::Push(1), Step::Drop],
    ] {
        for guarded in [true, false] {
            let mut race = Race::new();
            for step in &steps {
                race.step(step, guarded);
            }
            assert_eq!(race.is_whole(), guarded, "{steps:?}");
        }
    }
}

#[test]
fn replacements_are_as_they_were_written() {
    let mut text = String::new();
    for (number, command) in [
        replace(&[1, 2], &[9]),
        dropping(&[1, 2], &[9], 300),
        checked(with_pack(1), 300),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(command.machine_version(), REPLACEMENT_VERSION);
        let request = Request {
            id: RequestId([u8::try_from(number).unwrap(); 16]),
            time: Timestamp(1_700_000_000_000),
            command,
        };
        let entry = encode_request(&request).unwrap();
        writeln!(text, "{}", hex(&entry)).unwrap();
        assert_eq!(decode_request(&entry).unwrap(), request);
    }
    for refusal in [
        Refusal::PacksChanged(repository(1)),
        Refusal::VersionChanged {
            seen: 1,
            actual: 300,
        },
        Refusal::DroppedSince {
            checked: 0,
            dropped: 300,
        },
    ] {
        let reply = Reply::Refused(refusal);
        let bytes = encode_reply(&reply);
        writeln!(text, "{}", hex(&bytes)).unwrap();
        assert_eq!(decode_reply(&bytes).unwrap(), reply);
    }
    assert_eq!(text, GOLDEN, "golden/replacements.txt");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_replacement_of_many_packs_fits_into_an_entry() {
    let many = Replacement {
        old: (0..512)
            .map(|_| ObjectId::from_bytes(&[7; 32]).unwrap())
            .collect(),
        ..replacement(&[], &[9])
    };
    let request = Request {
        id: RequestId([1; 16]),
        time: Timestamp(1),
        command: Command::ReplacePacks(many),
    };
    assert!(encode_request(&request).unwrap().len() < MAX_COMMAND_BYTES / 3);
}
