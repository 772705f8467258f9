use std::collections::BTreeMap;

use git_id::{ObjectId, RefName};
use storage_node_api::order::{Answer, Command, Query, Reply};
use storage_node_api::refs::{RefCommand, RefOutcome, Target};
use storage_node_api::repository::{Actor, Commands, NewPack, Push};
use storage_node_api::{ReadPoint, RepositoryId};

use super::{Client, outcome_of};
use crate::history::{Action, Outcome, PushAction};

/// Refs that move one at a time.
const SINGLE: [&str; 2] = ["main", "next"];
/// Refs that only atomic pushes move, both to the same object.
pub(crate) const PAIR: [&str; 2] = ["left", "right"];

/// The object of a number.
fn object(number: u64) -> ObjectId {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8] = 1;
    ObjectId::from_bytes(&bytes).expect("20 bytes are an object id")
}

/// The full name of a branch of the workload.
pub(crate) fn branch(name: &str) -> RefName {
    RefName::branch(name).expect("the workload's names are branches")
}

impl Client {
    /// Reads all refs of a repository; nothing if that is not possible now.
    pub async fn read_refs(
        &mut self,
        repository: RepositoryId,
    ) -> Option<BTreeMap<String, ObjectId>> {
        let called = self.recorder.tick();
        let query = Query::Refs {
            repository,
            known: None,
        };
        let read = self
            .storage
            .read(repository.slot(), ReadPoint::Linearizable, query)
            .await;
        let Ok(Answer::Refs(Some(list))) = read else {
            self.told("read refs", Outcome::Fail);
            return None;
        };
        let refs: BTreeMap<String, ObjectId> = list
            .refs
            .into_iter()
            .map(|reference| (reference.name.as_str().to_owned(), reference.target.id))
            .collect();
        self.told("read refs", Outcome::Ok);
        let action = Action::ReadRefs {
            repository,
            refs: refs.clone(),
        };
        self.recorder
            .ended(self.number, called, Outcome::Ok, action);
        self.known.insert(repository, refs.clone());
        Some(refs)
    }

    /// Pushes to a random repository by what was last seen of it.
    pub(super) async fn push_something(&mut self) {
        let repository = self.repository();
        if self.draw(2) == 0 {
            self.read_refs(repository).await;
        }
        let object = object(self.fresh());
        let (names, atomic) = match self.draw(4) {
            0 => (vec![SINGLE[0]], false),
            1 => (vec![SINGLE[1]], true),
            2 => (SINGLE.to_vec(), false),
            _ => (PAIR.to_vec(), true),
        };
        let deletes = self.draw(8) == 0;
        let mut commands: Vec<RefCommand> = names
            .into_iter()
            .map(|name| self.command(repository, name, object, deletes))
            .collect();
        if self.draw(6) == 0
            && let Some(last) = commands.last_mut()
        {
            // One that must be refused, beside one that need not be.
            last.old = Some(object);
        }
        let with_pack = self.draw(4) == 0;
        self.push(repository, commands, atomic, with_pack).await;
    }

    fn command(
        &self,
        repository: RepositoryId,
        name: &str,
        to: ObjectId,
        deletes: bool,
    ) -> RefCommand {
        let name = branch(name);
        let known = self.known.get(&repository);
        let old = known.and_then(|refs| refs.get(name.as_str())).copied();
        let new = (!deletes || old.is_none()).then_some(Target {
            id: to,
            peeled: None,
        });
        RefCommand { name, old, new }
    }

    /// Moves one ref of each repository, by what it is now. Says whether all moved.
    pub async fn push_everywhere(&mut self) -> bool {
        let mut moved = true;
        for repository in self.repositories.clone() {
            if self.read_refs(repository).await.is_none() {
                return false;
            }
            let to = object(self.fresh());
            let command = self.command(repository, SINGLE[0], to, false);
            moved &= self.push(repository, vec![command], true, true).await == Some(Outcome::Ok);
        }
        moved
    }

    async fn push(
        &mut self,
        repository: RepositoryId,
        commands: Vec<RefCommand>,
        atomic: bool,
        with_pack: bool,
    ) -> Option<Outcome> {
        let called = self.recorder.tick();
        let mut pack = None;
        let mut new_pack = None;
        if with_pack {
            let slot = repository.slot();
            let (blob, stored) = self.upload(slot).await?;
            let (_, index) = self.upload(slot).await?;
            new_pack = Some(NewPack {
                checksum: object(blob.number),
                objects: 1,
                pack: stored,
                index,
            });
            pack = Some(blob);
        }
        let push = Push {
            repository,
            pack: new_pack,
            commands: Commands::Inline(commands.clone()),
            atomic,
            actor: Actor(self.number),
            options: Vec::new(),
        };
        let request = self.request(Command::Push(push));
        let id = request.id;
        let proposed = self.storage.propose(repository.slot(), request).await;
        let (outcome, outcomes) = match proposed {
            Ok(committed) => match committed.reply {
                Reply::Pushed(pushed) => (Outcome::Ok, pushed.outcomes),
                refused => {
                    self.why(&format!("push {id}"), &refused);
                    (Outcome::Fail, Vec::new())
                }
            },
            Err(error) => {
                self.why(&format!("push {id}"), &error);
                (outcome_of(error.effect()), Vec::new())
            }
        };
        for (command, told) in commands.iter().zip(&outcomes) {
            let actual = match told {
                RefOutcome::Updated => command.new.map(|target| target.id),
                RefOutcome::Stale { actual } => *actual,
                RefOutcome::Conflict { .. } | RefOutcome::Aborted => continue,
            };
            let known = self.known.entry(repository).or_default();
            match actual {
                Some(id) => known.insert(command.name.as_str().to_owned(), id),
                None => known.remove(command.name.as_str()),
            };
        }
        self.told(&format!("push {id}"), outcome);
        let moved = outcomes.contains(&RefOutcome::Updated);
        let action = Action::Push(PushAction {
            request: id,
            repository,
            commands,
            atomic,
            // A push of which nothing moved may not keep its pack.
            pack: pack.filter(|_| moved),
            outcomes,
        });
        self.recorder.ended(self.number, called, outcome, action);
        Some(outcome)
    }
}
