//! Bytes that earlier releases wrote: entries in logs, keys and values in
//! stores. A difference here means that this release cannot read them.

use std::fmt::Write as _;

use chunking::Profile;
use git_id::HashKind;
use storage_node_api::blob::Chunks;
use storage_node_api::map::{
    Assigned, Copies, FailureDomain, NamedPolicy, POLICIES_VERSION, Policies, Policy, PolicyError,
    RegionShare,
};
use storage_node_api::order::{Command, Join, Refusal, Reply, Request, Staged};
use storage_node_api::refs::RefOutcome;
use storage_node_api::repository::{Commands, Pushed};
use storage_node_api::{
    BlobOwner, DedupDomain, Generation, Incarnation, MapEpoch, NodeId, OwnerId, RequestId, Slot,
    Timestamp, UploadId,
};
use storage_node_machine::{decode_reply, decode_request, encode_reply, encode_request};

use crate::group::{
    Group, SLOT, blob, chunk, command, create, map, name, object, pack, push, repository,
};

const ENTRIES: &str = include_str!("../../golden/entries.txt");
const REPLIES: &str = include_str!("../../golden/replies.txt");
const POLICIES: &str = include_str!("../../golden/policies.txt");
const STATE: &str = include_str!("../../golden/state.txt");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .map(|c| (c as char).to_digit(16).unwrap() as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn stage(part: u32, content: Staged) -> Command {
    Command::Stage {
        upload: UploadId([0x77; 16]),
        part,
        content,
    }
}

fn full_push() -> Command {
    let mut full = push(
        repository(1),
        vec![
            command("refs/heads/main", 0, 1),
            command("refs/tags/t", 2, 0),
        ],
    );
    full.pack = Some(pack(1));
    full.options = vec!["o".into()];
    Command::Push(full)
}

fn staged_push() -> Command {
    let mut staged = push(repository(1), Vec::new());
    staged.atomic = true;
    staged.commands = Commands::Staged {
        upload: UploadId([0x77; 16]),
        parts: 1,
    };
    Command::Push(staged)
}

/// One of each kind, in an order in which most take effect.
#[expect(clippy::too_many_lines, reason = "one list")]
fn commands() -> Vec<(&'static str, Command)> {
    let staged_chunks = Staged::Chunks {
        chunks: vec![chunk(b"1", 10)],
        runs: blob("b").certificate.runs,
    };
    let mut staged_blob = blob("staged");
    staged_blob.chunks = Chunks::Staged {
        upload: UploadId([0x77; 16]),
        first_part: 1,
        parts: 1,
        chunks: 1,
    };
    staged_blob.certificate.runs.clear();
    staged_blob.profile = Profile::GenericV1;
    let put = |blob| Command::PutBlob {
        slot: SLOT,
        blob,
        owner: BlobOwner::Named(OwnerId([0x44; 16])),
        domain: DedupDomain(1),
    };
    vec![
        ("adopt-map", Command::AdoptMap(map(2))),
        ("create-repository", create(repository(1))),
        (
            "create-sha256",
            Command::CreateRepository {
                id: repository(4),
                hash: HashKind::Sha256,
                head: name("refs/heads/m"),
                domain: DedupDomain(300),
            },
        ),
        ("push", full_push()),
        (
            "fork-repository",
            Command::ForkRepository {
                id: repository(2),
                from: repository(1),
            },
        ),
        (
            "set-head",
            Command::SetHead {
                repository: repository(2),
                head: name("refs/heads/x"),
            },
        ),
        ("stage-chunks", stage(1, staged_chunks)),
        ("put-staged-blob", put(staged_blob)),
        (
            "stage-commands",
            stage(0, Staged::Commands(vec![command("refs/a", 0, 3)])),
        ),
        ("push-staged", staged_push()),
        ("put-blob", put(blob("named"))),
        (
            "remove-owner",
            Command::RemoveOwner {
                slot: SLOT,
                blob: blob("named").id,
                owner: BlobOwner::Named(OwnerId([0x44; 16])),
            },
        ),
        ("unstage", Command::Unstage(UploadId([0x78; 16]))),
        ("seal-repository", Command::SealRepository(repository(4))),
        (
            "delete-repository",
            Command::DeleteRepository(repository(4)),
        ),
        (
            "truncate-events",
            Command::TruncateEvents {
                slot: SLOT,
                keep_from: 2,
            },
        ),
        ("barrier", Command::Barrier(Generation(3))),
        ("stage-left-over", stage(5, Staged::Commands(Vec::new()))),
        ("found", Command::Found(map(1))),
        (
            "join",
            Command::Join(Join {
                control: "c:1".into(),
                bulk: "b:2".into(),
                zone: "z".into(),
                region: "r".into(),
                capacity: 1 << 40,
            }),
        ),
        (
            "started",
            Command::Started {
                node: NodeId(3),
                incarnation: Incarnation(4),
                control: "c:1".into(),
                bulk: "b:2".into(),
            },
        ),
    ]
}

fn request(number: usize, command: Command) -> Request {
    Request {
        id: RequestId([u8::try_from(number).unwrap(); 16]),
        time: Timestamp(1_700_000_000_000),
        command,
    }
}

/// Fails with the whole text, so that a new file can be made of it.
fn compare(actual: &str, golden: &str, file: &str) {
    for (line, (new, old)) in actual.lines().zip(golden.lines()).enumerate() {
        assert_eq!(new, old, "{file}, line {}; all lines:\n{actual}", line + 1);
    }
    assert_eq!(
        actual.lines().count(),
        golden.lines().count(),
        "{file}:\n{actual}"
    );
}

#[test]
fn entries_are_as_they_were_written() {
    let mut text = String::new();
    for (number, (kind, command)) in commands().into_iter().enumerate() {
        let request = request(number, command);
        let entry = encode_request(&request).unwrap();
        writeln!(text, "{kind} {}", hex(&entry)).unwrap();
    }
    compare(&text, ENTRIES, "golden/entries.txt");
    for (line, (number, (kind, command))) in ENTRIES.lines().zip(commands().into_iter().enumerate())
    {
        let stored = unhex(line.split(' ').nth(1).unwrap());
        let read = decode_request(&stored).unwrap();
        assert_eq!(read, request(number, command), "{kind}");
    }
}

/// What came with machine version 2.
fn policies() -> Vec<Command> {
    let mut wide = map(2);
    wide.machine_version = POLICIES_VERSION;
    wide.nodes[1].draining = true;
    let share = |region: &str, copies| RegionShare {
        region: region.into(),
        copies,
    };
    wide.policies = Policies {
        default: Policy {
            copies: Copies::Regions(vec![share("r", 2), share("s", 1)]),
            survive: FailureDomain::Region,
            home: Some("r".into()),
        },
        named: vec![NamedPolicy {
            name: "p".into(),
            policy: Policy::default(),
        }],
        domains: vec![Assigned {
            domain: DedupDomain(300),
            policy: "p".into(),
        }],
    };
    let set = Command::SetPolicies {
        seen: MapEpoch(5),
        policies: wide.policies.clone(),
    };
    vec![
        Command::AdoptMap(wide),
        set,
        Command::RaiseMachineVersion(2),
    ]
}

#[test]
fn policies_are_as_they_were_written() {
    let mut text = String::new();
    for (number, command) in policies().into_iter().enumerate() {
        let request = request(number, command);
        let entry = encode_request(&request).unwrap();
        writeln!(text, "{}", hex(&entry)).unwrap();
        assert_eq!(decode_request(&entry).unwrap(), request);
    }
    for refusal in [
        Refusal::MapChanged {
            seen: MapEpoch(1),
            actual: MapEpoch(2),
        },
        Refusal::TooEarly {
            needed: 2,
            actual: 1,
        },
        Refusal::Policy(PolicyError::NotSurvivable {
            policy: "p".into(),
            survive: FailureDomain::Zone,
            needed: 2,
            found: 1,
        }),
        Refusal::MapTooLarge(9),
    ] {
        let reply = Reply::Refused(refusal);
        let bytes = encode_reply(&reply);
        writeln!(text, "{}", hex(&bytes)).unwrap();
        assert_eq!(decode_reply(&bytes).unwrap(), reply);
    }
    compare(&text, POLICIES, "golden/policies.txt");
}

#[test]
fn replies_are_as_they_were_written() {
    let replies = [
        Reply::Done,
        Reply::Joined(NodeId(7)),
        Reply::Pushed(Pushed {
            version: 300,
            outcomes: vec![
                RefOutcome::Updated,
                RefOutcome::Stale {
                    actual: Some(object(1)),
                },
                RefOutcome::Stale { actual: None },
                RefOutcome::Conflict {
                    with: name("refs/a"),
                },
                RefOutcome::Aborted,
            ],
        }),
        Reply::Refused(Refusal::NoRepository(repository(1))),
        Reply::Refused(Refusal::NotSealed(repository(1))),
        Reply::Refused(Refusal::TooManyPacks(5)),
        Reply::Refused(Refusal::BadManifest(blob("b").id)),
        Reply::Refused(Refusal::NotDurable {
            chunk: 1,
            domains: 2,
            needed: 3,
        }),
        Reply::Refused(Refusal::SessionExpired),
        Reply::Refused(Refusal::WrongGroup),
        Reply::Refused(Refusal::StaleMap),
        Reply::Refused(Refusal::NotAReference(name("HEAD"))),
        Reply::Refused(Refusal::TooManyCommands),
        Reply::Refused(Refusal::ReservedOwner(repository(1))),
        Reply::Refused(Refusal::NoNode(NodeId(1))),
        Reply::Refused(Refusal::TooManyNodes),
    ];
    let mut text = String::new();
    for reply in &replies {
        writeln!(text, "{}", hex(&encode_reply(reply))).unwrap();
    }
    compare(&text, REPLIES, "golden/replies.txt");
    for (line, reply) in REPLIES.lines().zip(&replies) {
        assert_eq!(&decode_reply(&unhex(line)).unwrap(), reply);
    }
}

#[test]
fn state_is_as_it_was_written() {
    let mut group = Group::empty(storage_node_api::map::FIRST_DATA_GROUP);
    for (number, (_, command)) in commands().into_iter().enumerate() {
        let request = request(number, command);
        group.time = request.time.0;
        group.request(request.id, request.command);
    }
    group.check_hash();
    let mut text = String::new();
    for (key, value) in &group.state {
        writeln!(text, "{} {}", hex(key), hex(value)).unwrap();
    }
    compare(&text, STATE, "golden/state.txt");
    let families: std::collections::BTreeSet<u8> = group.state.keys().map(|key| key[0]).collect();
    assert_eq!(
        families.len(),
        17,
        "the script writes every family: {families:02x?}"
    );
    assert_eq!(
        group.ask(&storage_node_api::order::Query::Repository(repository(4))),
        storage_node_api::order::Answer::Repository(None)
    );
    assert_eq!(group.events(Slot(3), 0).first_kept, 2);
}
