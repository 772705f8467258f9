use storage_node_api::order::{Command, Request};
use storage_node_api::{RequestId, Timestamp};
use storage_node_machine::{Txn, apply, encode_request};

use crate::group::{Group, command, create, pack, push, repository, write};

/// What writes, reads back within the batch, and removes again.
fn commands() -> Vec<Command> {
    let id = repository(1);
    let mut first = push(id, vec![command("refs/heads/a/b", 0, 1)]);
    first.pack = Some(pack(1));
    vec![
        create(id),
        Command::Push(first),
        Command::ForkRepository {
            id: repository(2),
            from: id,
        },
        Command::Push(push(
            id,
            vec![
                command("refs/heads/a/b", 1, 0),
                command("refs/heads/a", 0, 2),
            ],
        )),
        Command::Push(push(id, vec![command("refs/heads/a/b", 0, 1)])),
        Command::SealRepository(id),
        Command::DeleteRepository(id),
        create(repository(3)),
    ]
}

#[test]
fn entries_in_one_batch_do_what_they_do_one_by_one() {
    let entries: Vec<_> = commands()
        .into_iter()
        .enumerate()
        .map(|(number, command)| {
            encode_request(&Request {
                id: RequestId([u8::try_from(number).unwrap(); 16]),
                time: Timestamp(5),
                command,
            })
            .unwrap()
        })
        .collect();
    let base = Group::data();
    let mut one_by_one = base.state.clone();
    let mut replies = Vec::new();
    for (entry, index) in entries.iter().zip(2..) {
        let effects = apply(base.group, &one_by_one, index, entry).unwrap();
        write(&mut one_by_one, effects.writes);
        replies.push(effects.reply);
    }
    for cut in 0..=entries.len() {
        let mut batched = base.state.clone();
        let mut index = 1;
        let mut answers = Vec::new();
        for part in [&entries[..cut], &entries[cut..]] {
            let mut txn = Txn::begin(base.group, &batched).unwrap();
            for entry in part {
                index += 1;
                answers.push(txn.apply(index, entry).unwrap());
            }
            let writes = txn.finish().unwrap();
            assert_eq!(writes.is_empty(), part.is_empty());
            write(&mut batched, writes);
        }
        assert_eq!(answers, replies);
        assert_eq!(batched, one_by_one, "cut after {cut} entries");
    }
    let mut end = base;
    end.index = 1 + entries.len() as u64;
    end.state = one_by_one;
    end.check_hash();
}
