use stateright::{Model, Property};

use crate::action::Action;
use crate::bounds::Bounds;
use crate::invariants;
use crate::rule::Rule;
use crate::state::{Facts, Order, State};

/// The protocol within bounds, with all rules or all but one.
#[derive(Clone, Copy, Debug)]
pub struct Collection {
    /// How far to go.
    pub bounds: Bounds,
    /// The rule that nobody follows.
    pub without: Option<Rule>,
}

impl Collection {
    /// Whether a rule is followed.
    pub(crate) fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    fn first(&self) -> State {
        let bounds = &self.bounds;
        let mut state = State {
            generation: 1,
            epoch: 0,
            groups: Default::default(),
            slots: Default::default(),
            repositories: Default::default(),
            nodes: Default::default(),
            sessions: Default::default(),
            history: Default::default(),
        };
        for group in &mut state.groups[..bounds.groups] {
            group.generation = 1;
        }
        for (slot, owner) in state.slots.iter_mut().zip(bounds.owner_of) {
            slot.owner = *owner;
        }
        for made in bounds.made {
            state.repositories[*made].facts = Facts::Active;
            state.repositories[*made].order = Order::Open;
        }
        state.repositories[bounds.made[0]].chunks = bounds.named;
        for node in &mut state.nodes[..bounds.nodes] {
            node.generation = 1;
        }
        for chunk in bounds.stored.iter() {
            let node = &mut state.nodes[bounds.place(chunk, 0)];
            node.touch(chunk, 0);
            node.counted = node.held.within(bounds.named);
        }
        state
    }

    /// What follows an action, if it can happen.
    pub(crate) fn apply(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Begin { session } => self.begin(state, session),
            Action::Store { session, chunk } => self.store(state, session, chunk),
            Action::Present { session, chunk } => self.present(state, session, chunk),
            Action::Commit {
                session,
                repository,
            } => self.commit(state, session, repository),
            Action::Abort { session } => self.abort(state, session),
            Action::Fork { from, to } => self.fork(state, from, to),
            Action::Empty { repository } => self.empty(state, repository),
            Action::Seal { repository } => self.seal(state, repository),
            Action::Delete { repository } => self.delete(state, repository),
            Action::Undelete { repository } => self.undelete(state, repository),
            Action::Unseal { repository } => self.unseal(state, repository),
            Action::Purge { repository } => self.purge(state, repository),
            Action::Remove { repository } => self.remove(state, repository),
            Action::Advance => self.advance(state),
            Action::Barrier { group } => self.barrier(state, group),
            Action::ChangeMap => self.change_map(state),
            Action::Adopt { group } => self.adopt(state, group),
            Action::Move { slot } => self.move_slot(state, slot),
            Action::Learn { node } => self.learn(state, node),
            Action::List { node } => self.list(state, node),
            Action::ListLeft { node } => self.list_left(state, node),
            Action::Drop { node, chunk } => self.drop_chunk(state, node, chunk),
            Action::Condemn { node, chunk } => self.condemn(state, node, chunk),
            Action::Confirm { node, chunk } => self.confirm(state, node, chunk),
            Action::Repair { node, chunk } => self.repair(state, node, chunk),
            Action::Restart { node } => self.restart(state, node),
            Action::Leave { node } => self.leave(state, node),
        }
    }

    fn session_actions(&self, actions: &mut Vec<Action>) {
        for session in 0..self.bounds.sessions {
            actions.extend([Action::Begin { session }, Action::Abort { session }]);
            for chunk in 0..self.bounds.chunks {
                actions.push(Action::Store { session, chunk });
                actions.push(Action::Present { session, chunk });
            }
            for repository in 0..self.bounds.slot_of.len() {
                actions.push(Action::Commit {
                    session,
                    repository,
                });
            }
        }
    }

    fn repository_actions(&self, actions: &mut Vec<Action>) {
        for repository in 0..self.bounds.slot_of.len() {
            if self.bounds.forks {
                actions.push(Action::Empty { repository });
                let others = (0..self.bounds.slot_of.len()).filter(|to| *to != repository);
                actions.extend(others.map(|to| Action::Fork {
                    from: repository,
                    to,
                }));
            }
            if self.bounds.deletions {
                actions.extend([
                    Action::Seal { repository },
                    Action::Delete { repository },
                    Action::Undelete { repository },
                    Action::Unseal { repository },
                    Action::Purge { repository },
                    Action::Remove { repository },
                ]);
            }
        }
    }

    fn cluster_actions(&self, actions: &mut Vec<Action>) {
        actions.extend([Action::Advance, Action::ChangeMap]);
        for group in 0..self.bounds.groups {
            actions.extend([Action::Barrier { group }, Action::Adopt { group }]);
        }
        actions.extend((0..self.bounds.owner_of.len()).map(|slot| Action::Move { slot }));
    }

    fn node_actions(&self, actions: &mut Vec<Action>) {
        for node in 0..self.bounds.nodes {
            actions.extend([
                Action::Learn { node },
                Action::List { node },
                Action::ListLeft { node },
                Action::Restart { node },
                Action::Leave { node },
            ]);
            for chunk in 0..self.bounds.chunks {
                actions.extend([
                    Action::Drop { node, chunk },
                    Action::Condemn { node, chunk },
                    Action::Confirm { node, chunk },
                ]);
                if self.bounds.repairs {
                    actions.push(Action::Repair { node, chunk });
                }
            }
        }
    }
}

impl Model for Collection {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.first()]
    }

    fn actions(&self, _state: &State, actions: &mut Vec<Action>) {
        self.session_actions(actions);
        self.repository_actions(actions);
        self.cluster_actions(actions);
        self.node_actions(actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.apply(&mut state, action)?;
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        invariants::all()
    }
}
