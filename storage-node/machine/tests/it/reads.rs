//! What a push costs the store.

use std::cell::Cell;

use bytes::Bytes;
use storage_node_api::order::{Command, Reply, Request};
use storage_node_api::{RequestId, Timestamp};
use storage_node_machine::{Fault, Reader, Visit, apply, encode_request};

use crate::group::{Group, State, command, pack, push, repository};

/// Counts what is read.
struct Counted<'a> {
    state: &'a State,
    gets: Cell<usize>,
    seeks: Cell<usize>,
    visited: Cell<usize>,
}

impl Reader for Counted<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        self.gets.set(self.gets.get() + 1);
        Reader::get(self.state, key)
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: &mut Visit<'_>) -> Result<(), Fault> {
        self.seeks.set(self.seeks.get() + 1);
        Reader::scan(self.state, from, to, &mut |key, value| {
            self.visited.set(self.visited.get() + 1);
            visit(key, value)
        })
    }
}

#[test]
fn a_push_of_one_reference_reads_little_however_many_there_are() {
    let mut costs = Vec::new();
    for refs in [0, 3000] {
        let mut group = Group::data();
        let id = repository(1);
        group.create(id);
        for first in (0..refs).step_by(100) {
            let names = (first..first + 100).map(|number| format!("refs/heads/d/{number}"));
            let commands = names.map(|full| command(&full, 0, 1)).collect();
            let mut next = push(id, commands);
            next.pack = Some(pack(u8::try_from(first / 100).unwrap()));
            group.pushed(next);
        }
        let mut one = push(id, vec![command("refs/heads/d/new", 0, 1)]);
        one.pack = Some(pack(90));
        let entry = encode_request(&Request {
            id: RequestId([9; 16]),
            time: Timestamp(1),
            command: Command::Push(one),
        })
        .unwrap();
        let counted = Counted {
            state: &group.state,
            gets: Cell::default(),
            seeks: Cell::default(),
            visited: Cell::default(),
        };
        let effects = apply(group.group, &counted, group.index + 1, &entry).unwrap();
        assert!(matches!(effects.reply, Reply::Pushed(_)));
        assert!(
            effects.writes.len() <= 18,
            "{} writes",
            effects.writes.len()
        );
        costs.push((
            counted.gets.get(),
            counted.seeks.get(),
            counted.visited.get(),
        ));
    }
    assert_eq!(costs[0], costs[1], "gets, seeks, and pairs seen");
    assert!(costs[0] <= (36, 1, 0), "{costs:?}");
}
