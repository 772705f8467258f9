//! What the failures of one write's attempts add up to.

use std::error::Error;

use storage_node_api::metadata::ExecuteError;
use storage_node_api::node::{NodeError, NodeFailure};
use storage_node_api::order::ProposeError;
use storage_node_api::{GroupId, NodeId};

/// What one failure says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// It is the group's answer, remembered under the request's id: nothing
    /// else can come of the request, whatever became of earlier attempts.
    Answer,
    /// This attempt did nothing, and another would fail alike.
    Never,
    /// This attempt did nothing; another node may do better at once.
    Elsewhere,
    /// This attempt did nothing; the same node may do better later.
    Later,
    /// This attempt may have had its effect, or may yet.
    Unknown,
}

/// An error of a write that goes through a group's log.
pub(super) trait WriteError: Error + Sized + 'static {
    fn says(&self) -> Says;
    /// No leader, and nothing was done.
    fn no_leader(group: GroupId) -> Self;
    /// The effect is unknown.
    fn interrupted(group: GroupId) -> Self;
    fn full() -> Self;
}

impl WriteError for ProposeError {
    fn says(&self) -> Says {
        match self {
            Self::NoLeader { .. } => Says::Elsewhere,
            Self::Overloaded { .. } => Says::Later,
            Self::Interrupted { .. } => Says::Unknown,
            Self::TooLarge { .. } | Self::Full | Self::TooEarly { .. } => Says::Never,
        }
    }

    fn no_leader(group: GroupId) -> Self {
        Self::NoLeader { group }
    }

    fn interrupted(group: GroupId) -> Self {
        Self::Interrupted { group }
    }

    fn full() -> Self {
        Self::Full
    }
}

impl WriteError for ExecuteError {
    fn says(&self) -> Says {
        match self {
            Self::Guard { .. } | Self::Constraint { .. } | Self::BadStatement { .. } => {
                Says::Answer
            }
            Self::NoLeader => Says::Elsewhere,
            Self::Interrupted => Says::Unknown,
            Self::TooLarge | Self::Full => Says::Never,
        }
    }

    fn no_leader(_: GroupId) -> Self {
        Self::NoLeader
    }

    fn interrupted(_: GroupId) -> Self {
        Self::Interrupted
    }

    fn full() -> Self {
        Self::Full
    }
}

/// How to go on after a failed attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<E> {
    /// The write ends with this.
    End(E),
    /// Ask the next node, this one first if it is named.
    Elsewhere(Option<NodeId>),
    /// Pause, and begin again.
    Pause,
}

/// The failures so far. Pure.
///
/// It keeps the weakest truth: after one attempt of unknown effect, a failure
/// without effect no longer means that nothing happened.
#[derive(Debug)]
pub(super) struct Attempts<E> {
    unknown: bool,
    /// Whether other attempts have had no answer yet.
    others_out: bool,
    /// The last failure without effect that is worth telling.
    last: Option<E>,
}

impl<E: WriteError> Attempts<E> {
    pub(super) fn new() -> Self {
        Self {
            unknown: false,
            others_out: false,
            last: None,
        }
    }

    /// Says whether other attempts have had no answer yet: while there are any,
    /// they may have their effect.
    pub(super) fn others_out(&mut self, out: bool) {
        self.others_out = out;
    }

    fn is_unknown(&self) -> bool {
        self.unknown || self.others_out
    }

    /// Takes the failure of one attempt.
    pub(super) fn failed(&mut self, group: GroupId, failure: NodeFailure<E>) -> Next<E> {
        let error = match failure {
            NodeFailure::NotLeader { leader } => return Next::Elsewhere(leader),
            NodeFailure::Node(NodeError::Full { .. }) => E::full(),
            NodeFailure::Node(NodeError::Unreachable { .. } | NodeError::Malformed { .. }) => {
                return Next::Elsewhere(None);
            }
            // It was sent: even a node whose disk failed may have passed it on.
            NodeFailure::Node(_) => E::interrupted(group),
            NodeFailure::Failed(error) => error,
        };
        match error.says() {
            Says::Answer => Next::End(error),
            Says::Never if self.is_unknown() => Next::End(E::interrupted(group)),
            Says::Never => Next::End(error),
            Says::Elsewhere => Next::Elsewhere(None),
            Says::Later => {
                self.last = Some(error);
                Next::Pause
            }
            Says::Unknown => {
                self.unknown = true;
                Next::Elsewhere(None)
            }
        }
    }

    /// What to say when there is no time left.
    pub(super) fn give_up(self, group: GroupId) -> E {
        match self.last {
            _ if self.is_unknown() => E::interrupted(group),
            Some(last) => last,
            None => E::no_leader(group),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
    use storage_node_api::metadata::ExecuteError;
    use storage_node_api::node::{NodeError, NodeFailure};
    use storage_node_api::order::ProposeError;
    use storage_node_api::{Effect, GroupId, NodeId};

    use super::{Attempts, Next};

    const GROUP: GroupId = GroupId(16);
    const NODE: NodeId = NodeId(1);
    const INTERRUPTED: ProposeError = ProposeError::Interrupted { group: GROUP };
    const OVERLOADED: ProposeError = ProposeError::Overloaded { group: GROUP };
    const NO_LEADER: ProposeError = ProposeError::NoLeader { group: GROUP };

    fn failures() -> Vec<NodeFailure<ProposeError>> {
        let leader = Some(NodeId(2));
        vec![
            NodeFailure::NotLeader { leader },
            NodeFailure::NotLeader { leader: None },
            NodeFailure::Node(NodeError::Unreachable { node: NODE }),
            NodeFailure::Node(NodeError::Malformed { node: NODE }),
            NodeFailure::Node(NodeError::Silent { node: NODE }),
            NodeFailure::Node(NodeError::Failing { node: NODE }),
            NodeFailure::Node(NodeError::SessionExpired),
            NodeFailure::Node(NodeError::Full { node: NODE }),
            NodeFailure::Failed(NO_LEADER),
            NodeFailure::Failed(INTERRUPTED),
            NodeFailure::Failed(ProposeError::TooLarge { bytes: 1 }),
            NodeFailure::Failed(OVERLOADED),
            NodeFailure::Failed(ProposeError::Full),
        ]
    }

    #[test]
    fn each_failure_says_how_to_go_on() {
        let elsewhere = || Next::Elsewhere(None);
        let expected = [
            Next::Elsewhere(Some(NodeId(2))),
            elsewhere(),
            elsewhere(),
            elsewhere(),
            elsewhere(),
            elsewhere(),
            elsewhere(),
            Next::End(ProposeError::Full),
            elsewhere(),
            elsewhere(),
            Next::End(ProposeError::TooLarge { bytes: 1 }),
            Next::Pause,
            Next::End(ProposeError::Full),
        ];
        let given_up = [
            NO_LEADER,
            NO_LEADER,
            NO_LEADER,
            NO_LEADER,
            INTERRUPTED,
            INTERRUPTED,
            INTERRUPTED,
            NO_LEADER,
            NO_LEADER,
            INTERRUPTED,
            NO_LEADER,
            OVERLOADED,
            NO_LEADER,
        ];
        for ((failure, next), last) in failures().into_iter().zip(expected).zip(given_up) {
            let mut attempts = Attempts::new();
            assert_eq!(attempts.failed(GROUP, failure.clone()), next, "{failure:?}");
            assert_eq!(attempts.give_up(GROUP), last, "{failure:?}");
        }
    }

    #[test]
    fn while_another_attempt_is_out_no_end_says_that_nothing_happened() {
        let too_large = || NodeFailure::Failed(ProposeError::TooLarge { bytes: 1 });
        let mut attempts = Attempts::new();
        attempts.others_out(true);
        let end = attempts.failed(GROUP, too_large());
        assert_eq!(end, Next::End(INTERRUPTED));
        attempts.others_out(false);
        let end = attempts.failed(GROUP, too_large());
        assert_eq!(end, Next::End(ProposeError::TooLarge { bytes: 1 }));
        attempts.others_out(true);
        assert_eq!(attempts.give_up(GROUP), INTERRUPTED);
    }

    #[test]
    fn a_groups_own_answer_stands_even_after_an_unknown_attempt() {
        let guard = ExecuteError::Guard {
            statement: 0,
            found: 2,
        };
        let mut attempts = Attempts::new();
        let silent = NodeFailure::Node(NodeError::Silent { node: NODE });
        assert_eq!(attempts.failed(GROUP, silent), Next::Elsewhere(None));
        let answer = NodeFailure::Failed(guard.clone());
        assert_eq!(attempts.failed(GROUP, answer), Next::End(guard));
        let full = NodeFailure::Failed(ExecuteError::Full);
        let interrupted = Next::End(ExecuteError::Interrupted);
        assert_eq!(attempts.failed(GROUP, full), interrupted);
    }

    fn failure() -> impl Strategy<Value = NodeFailure<ProposeError>> {
        prop_oneof![
            (0..failures().len()).prop_map(|index| failures().swap_remove(index)),
            Just(NodeFailure::Failed(NO_LEADER)),
        ]
    }

    proptest! {
        #[test]
        fn after_an_unknown_attempt_no_end_says_that_nothing_happened(
            failed in proptest::collection::vec(failure(), 0..12),
        ) {
            let mut attempts = Attempts::new();
            let mut may_have_happened = false;
            for failure in failed {
                may_have_happened |= match &failure {
                    NodeFailure::Failed(error) => error.effect() == Effect::Unknown,
                    NodeFailure::Node(error) => !matches!(
                        error,
                        NodeError::Unreachable { .. }
                            | NodeError::Malformed { .. }
                            | NodeError::Full { .. }
                    ),
                    NodeFailure::NotLeader { .. } => false,
                };
                if let Next::End(error) = attempts.failed(GROUP, failure) {
                    assert_eq!(error.effect() == Effect::Unknown, may_have_happened);
                    return Ok(());
                }
            }
            let last = attempts.give_up(GROUP);
            assert_eq!(last.effect() == Effect::Unknown, may_have_happened);
        }
    }
}
