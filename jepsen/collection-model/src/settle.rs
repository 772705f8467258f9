use crate::action::Action;
use crate::model::Collection;
use crate::state::{Session, State};

/// Cycles after which nothing that could go may be left: one in which removed
/// manifests are still listed, one in which copies move, one in which they go.
const CYCLES: usize = 3;

impl Collection {
    /// The state after the collector has run undisturbed for some cycles, with
    /// uploads ended and everybody up to date.
    pub(crate) fn settle(&self, state: &State) -> State {
        let mut state = state.clone();
        state.sessions = [Session::default(); 2];
        for _ in 0..CYCLES {
            state.generation += 1;
            for group in 0..self.bounds.groups {
                self.all(
                    &mut state,
                    &[Action::Barrier { group }, Action::Adopt { group }],
                );
            }
            for node in 0..self.bounds.nodes {
                self.all(&mut state, &[Action::Learn { node }]);
                for _ in self.bounds.slot_of {
                    self.all(&mut state, &[Action::List { node }]);
                }
            }
            for chunk in 0..self.bounds.chunks {
                for node in 0..self.bounds.nodes {
                    self.all(&mut state, &[Action::Repair { node, chunk }]);
                }
                for node in 0..self.bounds.nodes {
                    let confirm = Action::Confirm { node, chunk };
                    self.all(&mut state, &[confirm, Action::Drop { node, chunk }]);
                }
            }
        }
        state
    }

    /// Does each action that can be done.
    fn all(&self, state: &mut State, actions: &[Action]) {
        for action in actions {
            let _ = self.apply(state, *action);
        }
    }
}
