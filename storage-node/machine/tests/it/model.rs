//! The machine against a model that is too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::{Just, any, prop_oneof, proptest};
use proptest::strategy::Strategy;
use proptest::test_runner::Config;
use storage_node_api::event::Kind;
use storage_node_api::map::FIRST_DATA_GROUP;
use storage_node_api::order::{Answer, Command, Query, Refusal, Reply, Staged};
use storage_node_api::refs::{RefCommand, RefOutcome};
use storage_node_api::repository::{Commands, Pushed, State};
use storage_node_api::{BlobOwner, OwnerId, RepositoryId, RequestId, Slot, UploadId};

use crate::group::{DOMAIN, Group, blob, command, create, map, name, object, pack, push};

const NAMES: [&str; 6] = [
    "refs/heads/a",
    "refs/heads/a/b",
    "refs/heads/a/b/c",
    "refs/heads/a-b",
    "refs/heads/a/c",
    "refs/tags/a",
];
const SLOTS: [Slot; 2] = [Slot(1), Slot(2)];

/// Repositories 0 and 1 are in the first slot, 2 in the second.
fn repository(number: u8) -> RepositoryId {
    let mut id = [number + 1; 16];
    let slot = SLOTS[usize::from(number / 2)];
    id[..2].copy_from_slice(&slot.0.to_be_bytes());
    RepositoryId(id)
}

#[derive(Clone, Debug)]
struct ModelPush {
    repository: u8,
    /// The pack's number, and whether its certificate holds.
    pack: Option<(u8, bool)>,
    commands: Vec<(usize, u8, u8)>,
    /// The upload that the commands are staged under, and in how many parts.
    staged: Option<(u8, u32)>,
    atomic: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    Fork(u8, u8),
    Seal(u8),
    Delete(u8),
    SetHead(u8, usize),
    Push(ModelPush),
    Stage(u8, u32, Vec<(usize, u8, u8)>),
    Unstage(u8),
    Put {
        slot: usize,
        blob: u8,
        owner: u8,
        certified: bool,
    },
    Remove {
        slot: usize,
        blob: u8,
        owner: u8,
    },
    Truncate(usize, u64),
    /// An earlier request once more.
    Retry(usize),
}

fn ref_commands() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
    vec((0..NAMES.len(), 0..3u8, 0..4u8), 0..5)
}

fn pushes() -> impl Strategy<Value = ModelPush> {
    (
        0..3u8,
        proptest::option::of((0..3u8, proptest::bool::weighted(0.8))),
        ref_commands(),
        proptest::option::weighted(0.2, (0..2u8, 0..3u32)),
        any::<bool>(),
    )
        .prop_map(|(repository, pack, commands, staged, atomic)| ModelPush {
            repository,
            pack,
            commands,
            staged,
            atomic,
        })
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3u8).prop_map(Step::Create),
        2 => (0..3u8, 0..3u8).prop_map(|(id, from)| Step::Fork(id, from)),
        1 => (0..3u8).prop_map(Step::Seal),
        2 => (0..3u8).prop_map(Step::Delete),
        1 => (0..3u8, 0..NAMES.len()).prop_map(|(id, head)| Step::SetHead(id, head)),
        20 => pushes().prop_map(Step::Push),
        4 => (0..2u8, 0..3u32, ref_commands()).prop_map(|(u, p, c)| Step::Stage(u, p, c)),
        1 => (0..2u8).prop_map(Step::Unstage),
        2 => (0..2usize, 0..4u8, 0..2u8, any::<bool>()).prop_map(|(slot, blob, owner, certified)| {
            Step::Put { slot, blob, owner, certified }
        }),
        2 => (0..2usize, 0..4u8, 0..2u8)
            .prop_map(|(slot, blob, owner)| Step::Remove { slot, blob, owner }),
        1 => (0..2usize, 0..20u64).prop_map(|(slot, keep)| Step::Truncate(slot, keep)),
        3 => any::<usize>().prop_map(Step::Retry),
        1 => Just(Step::Retry(0)),
    ]
}

/// The blobs that pushes bring, so that packs and named owners share some.
fn seed(number: u8) -> String {
    match number {
        0 | 1 => format!("pack {number}"),
        _ => format!("index {}", number - 2),
    }
}

#[derive(Clone, Debug)]
struct ModelRepository {
    head: String,
    sealed: bool,
    version: u64,
    events: u64,
    refs: BTreeMap<String, u8>,
    packs: Vec<u8>,
    origin: Option<u8>,
}

#[derive(Default)]
struct Model {
    repositories: BTreeMap<u8, ModelRepository>,
    owners: BTreeMap<(Slot, String), BTreeSet<BlobOwner>>,
    staged: BTreeMap<u8, BTreeMap<u32, Vec<RefCommand>>>,
    /// Per slot the first sequence kept, and all events ever.
    feeds: BTreeMap<Slot, (u64, Vec<ModelEvent>)>,
}

/// Whose, the repository's own number, and the kind.
type ModelEvent = (RepositoryId, u64, &'static str);

type Outcome<T> = Result<T, Refusal>;

impl Model {
    fn apply(&mut self, step: &Step) -> Reply {
        let result = match step {
            Step::Create(id) => self.create(*id),
            Step::Fork(id, from) => self.fork(*id, *from),
            Step::Seal(id) => self.seal(*id),
            Step::Delete(id) => self.delete(*id),
            Step::SetHead(id, head) => self.set_head(*id, NAMES[*head]),
            Step::Push(push) => self.push(push).map(Reply::Pushed),
            Step::Stage(upload, part, commands) => {
                let upload = self.staged.entry(*upload).or_default();
                upload.insert(*part, ref_list(commands));
                Ok(Reply::Done)
            }
            Step::Unstage(upload) => {
                self.staged.remove(upload);
                Ok(Reply::Done)
            }
            Step::Put {
                slot,
                blob,
                owner,
                certified,
            } => self.put(SLOTS[*slot], *blob, *owner, *certified),
            Step::Remove { slot, blob, owner } => {
                self.disown(SLOTS[*slot], seed(*blob), named(*owner));
                Ok(Reply::Done)
            }
            Step::Truncate(slot, keep) => {
                if let Some((first, events)) = self.feeds.get_mut(&SLOTS[*slot]) {
                    *first = (*first).max((*keep).min(events.len() as u64 + 1));
                }
                Ok(Reply::Done)
            }
            Step::Retry(_) => unreachable!("the driver answers it"),
        };
        result.unwrap_or_else(Reply::Refused)
    }

    fn event(&mut self, id: u8, number: u64, kind: &'static str) {
        let feed = self
            .feeds
            .entry(repository(id).slot())
            .or_insert((1, Vec::new()));
        feed.1.push((repository(id), number, kind));
    }

    fn create(&mut self, id: u8) -> Outcome<Reply> {
        if let Some(existing) = self.repositories.get(&id) {
            return existing_reply(existing, id, existing.origin.is_none());
        }
        let made = ModelRepository {
            head: "refs/heads/main".into(),
            sealed: false,
            version: 1,
            events: 1,
            refs: BTreeMap::new(),
            packs: Vec::new(),
            origin: None,
        };
        self.repositories.insert(id, made);
        self.event(id, 1, "created");
        Ok(Reply::Done)
    }

    fn fork(&mut self, id: u8, from: u8) -> Outcome<Reply> {
        if repository(id).slot() != repository(from).slot() {
            return Err(Refusal::OtherSlot(repository(id)));
        }
        if let Some(existing) = self.repositories.get(&id) {
            return existing_reply(existing, id, existing.origin == Some(from));
        }
        let mut made = self.active(from)?.clone();
        (made.version, made.events, made.origin) = (1, 1, Some(from));
        for pack in made.packs.clone() {
            self.own_pack(id, pack);
        }
        self.repositories.insert(id, made);
        self.event(id, 1, "forked");
        Ok(Reply::Done)
    }

    fn seal(&mut self, id: u8) -> Outcome<Reply> {
        let there = self.present(id)?;
        if !there.sealed {
            there.sealed = true;
            there.events += 1;
            let number = there.events;
            self.event(id, number, "sealed");
        }
        Ok(Reply::Done)
    }

    fn delete(&mut self, id: u8) -> Outcome<Reply> {
        if !self.present(id)?.sealed {
            return Err(Refusal::NotSealed(repository(id)));
        }
        let gone = self.repositories.remove(&id).unwrap();
        let owner = BlobOwner::Repository(repository(id));
        for pack in gone.packs {
            for blob in [format!("pack {pack}"), format!("index {pack}")] {
                self.disown(repository(id).slot(), blob, owner);
            }
        }
        self.event(id, gone.events + 1, "deleted");
        Ok(Reply::Done)
    }

    fn set_head(&mut self, id: u8, head: &str) -> Outcome<Reply> {
        let there = self.active(id)?;
        if there.head != head {
            there.head = head.to_owned();
            there.version += 1;
            there.events += 1;
            let number = there.events;
            self.event(id, number, "head");
        }
        Ok(Reply::Done)
    }

    fn present(&mut self, id: u8) -> Outcome<&mut ModelRepository> {
        let there = self.repositories.get_mut(&id);
        there.ok_or(Refusal::NoRepository(repository(id)))
    }

    fn active(&mut self, id: u8) -> Outcome<&mut ModelRepository> {
        let there = self.present(id)?;
        match there.sealed {
            true => Err(Refusal::RepositorySealed(repository(id))),
            false => Ok(there),
        }
    }

    fn put(&mut self, slot: Slot, blob: u8, owner: u8, certified: bool) -> Outcome<Reply> {
        let owners = self.owners.entry((slot, seed(blob))).or_default();
        if owners.is_empty() && !certified {
            return Err(short());
        }
        owners.insert(named(owner));
        Ok(Reply::Done)
    }

    fn own_pack(&mut self, id: u8, pack: u8) {
        for blob in [format!("pack {pack}"), format!("index {pack}")] {
            let owners = self
                .owners
                .entry((repository(id).slot(), blob))
                .or_default();
            owners.insert(BlobOwner::Repository(repository(id)));
        }
    }

    fn disown(&mut self, slot: Slot, blob: String, owner: BlobOwner) {
        self.owners.entry((slot, blob)).or_default().remove(&owner);
    }

    fn push(&mut self, push: &ModelPush) -> Outcome<Pushed> {
        let id = push.repository;
        let slot = repository(id).slot();
        let mut now = self.active(id)?.clone();
        let commands = match push.staged {
            None => ref_list(&push.commands),
            Some((upload, parts)) => {
                let staged = self.staged.entry(upload).or_default();
                let missing = |part| Refusal::NotStaged {
                    upload: upload_id(upload),
                    part,
                };
                let parts = (0..parts).map(|part| staged.get(&part).cloned().ok_or(missing(part)));
                parts.collect::<Outcome<Vec<_>>>()?.concat()
            }
        };
        let new_pack = push.pack.filter(|(pack, _)| !now.packs.contains(pack));
        if let Some((pack, certified)) = new_pack {
            let here = |blob: String| {
                self.owners
                    .get(&(slot, blob))
                    .is_some_and(|owners| !owners.is_empty())
            };
            // Only the certificate of the .pack is ever missing.
            if !certified && !here(format!("pack {pack}")) {
                return Err(short());
            }
        }
        let (outcomes, changed) = judge(&mut now.refs, &commands, push.atomic);
        let mut grows = changed;
        if let Some((pack, _)) = new_pack
            && outcomes.contains(&RefOutcome::Updated)
        {
            now.packs.push(pack);
            self.own_pack(id, pack);
            grows = true;
        }
        now.version += u64::from(grows);
        now.events += u64::from(changed);
        let (version, number) = (now.version, now.events);
        if changed {
            self.event(id, number, "pushed");
        }
        self.repositories.insert(id, now);
        if let Some((upload, _)) = push.staged {
            self.staged.remove(&upload);
        }
        Ok(Pushed { version, outcomes })
    }
}

/// Deletions first, then the rest, each against what is there by then.
fn judge(
    refs: &mut BTreeMap<String, u8>,
    commands: &[RefCommand],
    atomic: bool,
) -> (Vec<RefOutcome>, bool) {
    let before = refs.clone();
    let mut outcomes = vec![RefOutcome::Aborted; commands.len()];
    let mut changed = false;
    for deletes in [true, false] {
        for (command, outcome) in commands.iter().zip(&mut outcomes) {
            if command.new.is_none() != deletes {
                continue;
            }
            let full = command.name.as_str();
            let actual = refs.get(full).map(|number| object(*number));
            let mut others = refs.keys().filter(|other| {
                full.starts_with(&format!("{other}/")) || other.starts_with(&format!("{full}/"))
            });
            let other = others.next().cloned();
            *outcome = if actual != command.old {
                RefOutcome::Stale { actual }
            } else if let (Some(with), Some(_), None) = (other, command.new, actual) {
                RefOutcome::Conflict { with: name(&with) }
            } else {
                changed |= actual != command.new.map(|target| target.id);
                match command.new {
                    Some(target) => refs.insert(full.into(), target.id.as_bytes()[0]),
                    None => refs.remove(full),
                };
                RefOutcome::Updated
            };
        }
    }
    if atomic
        && outcomes
            .iter()
            .any(|outcome| *outcome != RefOutcome::Updated)
    {
        *refs = before;
        for outcome in &mut outcomes {
            if *outcome == RefOutcome::Updated {
                *outcome = RefOutcome::Aborted;
            }
        }
        return (outcomes, false);
    }
    (outcomes, changed)
}

fn existing_reply(existing: &ModelRepository, id: u8, same: bool) -> Outcome<Reply> {
    match (existing.sealed, same) {
        (true, _) => Err(Refusal::RepositorySealed(repository(id))),
        (false, true) => Ok(Reply::Done),
        (false, false) => Err(Refusal::RepositoryExists(repository(id))),
    }
}

fn short() -> Refusal {
    Refusal::NotDurable {
        chunk: 0,
        domains: 0,
        needed: 2,
    }
}

fn named(owner: u8) -> BlobOwner {
    BlobOwner::Named(OwnerId([owner; 16]))
}

fn upload_id(upload: u8) -> UploadId {
    UploadId([upload; 16])
}

fn ref_list(commands: &[(usize, u8, u8)]) -> Vec<RefCommand> {
    let one = |(full, old, new): &(usize, u8, u8)| command(NAMES[*full], *old, *new);
    commands.iter().map(one).collect()
}

fn to_command(step: &Step) -> Command {
    match step {
        Step::Create(id) => create(repository(*id)),
        Step::Fork(id, from) => Command::ForkRepository {
            id: repository(*id),
            from: repository(*from),
        },
        Step::Seal(id) => Command::SealRepository(repository(*id)),
        Step::Delete(id) => Command::DeleteRepository(repository(*id)),
        Step::SetHead(id, head) => Command::SetHead {
            repository: repository(*id),
            head: name(NAMES[*head]),
        },
        Step::Push(model) => {
            let mut made = push(repository(model.repository), ref_list(&model.commands));
            made.atomic = model.atomic;
            made.pack = model.pack.map(|(number, certified)| {
                let mut pack = pack(number);
                if !certified {
                    pack.pack.certificate.runs.clear();
                }
                pack
            });
            if let Some((upload, parts)) = model.staged {
                made.commands = Commands::Staged {
                    upload: upload_id(upload),
                    parts,
                };
            }
            Command::Push(made)
        }
        Step::Stage(upload, part, commands) => Command::Stage {
            upload: upload_id(*upload),
            part: *part,
            content: Staged::Commands(ref_list(commands)),
        },
        Step::Unstage(upload) => Command::Unstage(upload_id(*upload)),
        Step::Put {
            slot,
            blob: number,
            owner,
            certified,
        } => {
            let mut blob = blob(&seed(*number));
            if !certified {
                blob.certificate.runs.clear();
            }
            Command::PutBlob {
                slot: SLOTS[*slot],
                blob,
                owner: named(*owner),
                domain: DOMAIN,
            }
        }
        Step::Remove {
            slot,
            blob: number,
            owner,
        } => Command::RemoveOwner {
            slot: SLOTS[*slot],
            blob: blob(&seed(*number)).id,
            owner: named(*owner),
        },
        Step::Truncate(slot, keep_from) => Command::TruncateEvents {
            slot: SLOTS[*slot],
            keep_from: *keep_from,
        },
        Step::Retry(_) => unreachable!("the driver repeats the command"),
    }
}

/// Of several references in the way, the machine may name any.
fn without_names(reply: Reply) -> Reply {
    match reply {
        Reply::Pushed(mut pushed) => {
            for outcome in &mut pushed.outcomes {
                if let RefOutcome::Conflict { with } = outcome {
                    assert!(NAMES.contains(&with.as_str()));
                    *with = name("refs/some");
                }
            }
            Reply::Pushed(pushed)
        }
        other => other,
    }
}

fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Created => "created",
        Kind::Forked { .. } => "forked",
        Kind::Pushed { .. } => "pushed",
        Kind::HeadMoved { .. } => "head",
        Kind::Sealed => "sealed",
        Kind::Deleted => "deleted",
    }
}

fn compare(group: &Group, model: &Model) {
    for number in 0..3 {
        let id = repository(number);
        let Some(expected) = model.repositories.get(&number) else {
            assert_eq!(group.repository(id), None);
            assert_eq!(
                group.ask(&Query::Packs {
                    repository: id,
                    known: None
                }),
                Answer::Packs(None)
            );
            continue;
        };
        let actual = group.repository(id).unwrap();
        assert_eq!(actual.head.as_str(), expected.head);
        assert_eq!(actual.state == State::Sealed, expected.sealed);
        assert_eq!(
            (actual.version, actual.events),
            (expected.version, expected.events)
        );
        let packs: Vec<u8> = group
            .packs(id)
            .iter()
            .map(|pack| pack.checksum.as_bytes()[0] - 100)
            .collect();
        assert_eq!(packs, expected.packs);
        assert_eq!(actual.packs as usize, packs.len());
        assert_eq!(actual.bytes, packs.len() as u64 * 20);
        let refs: BTreeMap<String, u8> = group
            .refs(id)
            .into_iter()
            .map(|(full, id)| (full, id.as_bytes()[0]))
            .collect();
        assert_eq!(refs, expected.refs);
    }
    for slot in SLOTS {
        for number in 0..3 {
            for seed in [format!("pack {number}"), format!("index {number}")] {
                let owned = model.owners.get(&(slot, seed.clone()));
                let owned = owned.is_some_and(|owners| !owners.is_empty());
                assert_eq!(
                    group.has_blob(slot, DOMAIN, blob(&seed).id),
                    owned,
                    "{seed}"
                );
            }
        }
        let (first, all) = model.feeds.get(&slot).cloned().unwrap_or((1, Vec::new()));
        let events = group.events(slot, 0);
        assert_eq!((events.first_kept, events.last), (first, all.len() as u64));
        let kept: Vec<_> = events
            .events
            .iter()
            .map(|event| (event.repository, event.number, kind_name(&event.kind)))
            .collect();
        let from = usize::try_from(first).unwrap() - 1;
        assert_eq!(kept, all[from..]);
    }
    let owners: usize = model.owners.values().map(BTreeSet::len).sum();
    assert_eq!(group.count(0x22), owners);
    let parts: usize = model.staged.values().map(BTreeMap::len).sum();
    assert_eq!(group.count(0x0c), parts);
}

/// Runs the steps on the machine and the model, comparing each reply.
fn run(steps: &[Step]) -> (Group, Model) {
    let mut group = Group::empty(FIRST_DATA_GROUP);
    group.request(RequestId([0xff; 16]), Command::AdoptMap(map(3)));
    let mut model = Model::default();
    let mut history: Vec<(RequestId, Step, Reply)> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        if let Step::Retry(which) = step {
            if let Some(len) = history.len().checked_sub(1) {
                let (id, step, reply) = &history[which % (len + 1)];
                assert_eq!(
                    &group.request(*id, to_command(step)),
                    reply,
                    "a retry of {step:?}"
                );
            }
            continue;
        }
        let id = RequestId((number as u128).to_be_bytes());
        let reply = group.request(id, to_command(step));
        let expected = model.apply(step);
        assert_eq!(
            without_names(reply.clone()),
            without_names(expected),
            "{step:?}"
        );
        if !matches!(
            step,
            Step::Stage(..) | Step::Unstage(_) | Step::Truncate(..)
        ) {
            history.push((id, step.clone(), reply));
        }
    }
    (group, model)
}

proptest! {
    #![proptest_config(Config::with_cases(300))]

    #[test]
    fn the_machine_does_what_the_model_does(steps in vec(steps(), 0..60)) {
        let (group, model) = run(&steps);
        compare(&group, &model);
        group.check_hash();
        let (again, _) = run(&steps);
        assert_eq!(again.state, group.state, "the same entries give the same bytes");
    }
}
