//! Whether one replica sleeps.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;

use super::nodes::{Boot, Nodes};
use crate::{Metrics, NodeId};

/// What wakes a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// A command was proposed here.
    Proposal,
    /// A linearizable read was asked for.
    Read,
    /// Members or the leadership are to change.
    Change,
    /// A message of the group came from another replica.
    Message,
    /// Someone stands for election.
    Ballot,
    /// A member would not sleep.
    Refusal,
    /// The node of a member came back or was started again.
    Member,
    /// The leader's node is lost.
    Lost,
}

/// Why a replica woke, as the metrics show it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct WakeLabel {
    reason: &'static str,
}

impl From<Wake> for WakeLabel {
    fn from(wake: Wake) -> Self {
        let reason = match wake {
            Wake::Proposal => "proposal",
            Wake::Read => "read",
            Wake::Change => "change",
            Wake::Message => "message",
            Wake::Ballot => "ballot",
            Wake::Refusal => "refusal",
            Wake::Member => "member",
            Wake::Lost => "lost",
        };
        Self { reason }
    }
}

/// The rest that a replica takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// None.
    Awake,
    /// It led when it slept and was woken: whether it still leads is not confirmed yet.
    Waking,
    /// It leads, its clock stands, and the members are being told.
    Drowsy(Vec<(NodeId, u64)>),
    /// It leads and sleeps. With each other member the session in which that was told, or left out.
    Leading(Vec<(NodeId, u64)>),
    /// It follows the leader on this run of a node.
    Following {
        leader: NodeId,
        boot: Boot,
        /// When it stands for election: set once the leader's node is found to be lost.
        campaign_at: Option<Duration>,
    },
}

/// One replica's rest, and how long nothing was asked of it.
#[derive(Debug)]
pub(crate) struct Sleep {
    /// False unless the rest is none: what most calls look at.
    rests: AtomicBool,
    /// How often something was asked of the group here.
    calls: AtomicU64,
    inner: Mutex<Inner>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Inner {
    rest: Rest,
    /// How many calls there were when last counted, and since when there are so many.
    counted: u64,
    quiet_since: Duration,
}

/// What has become due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// It has been quiet for long.
    Quiet,
    /// A session with a member has changed.
    Stirred,
    /// To stand for election at this time.
    Campaign(Duration),
}

impl Sleep {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            rests: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            inner: Mutex::new(Inner {
                rest: Rest::Awake,
                counted: 0,
                quiet_since: Duration::ZERO,
            }),
            metrics,
        }
    }

    /// Something is asked of the group.
    pub(crate) fn called(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether it takes any rest. One atomic read.
    pub(crate) fn rests(&self) -> bool {
        self.rests.load(Ordering::SeqCst)
    }

    pub(crate) fn rest(&self) -> Rest {
        self.inner().rest.clone()
    }

    /// What is due. `quiet` is how long nothing must have been asked before it may sleep, if it may.
    /// `draw` is when to stand for election; it is called once after a leader's node is lost, and the
    /// campaign is called off if the node is heard again before.
    pub(crate) fn due(
        &self,
        nodes: &Nodes,
        now: Duration,
        quiet: Option<Duration>,
        draw: impl FnOnce() -> Duration,
    ) -> Due {
        let mut inner = self.inner();
        match &mut inner.rest {
            Rest::Awake | Rest::Waking => {
                let calls = self.calls.load(Ordering::SeqCst);
                if inner.counted != calls {
                    (inner.counted, inner.quiet_since) = (calls, now);
                }
                let quiet_for = now.saturating_sub(inner.quiet_since);
                match quiet {
                    Some(quiet) if quiet_for >= quiet => Due::Quiet,
                    _ => Due::Nothing,
                }
            }
            Rest::Drowsy(_) => Due::Nothing,
            Rest::Leading(sessions) => {
                let ended = |(node, session): &(_, _)| nodes.session(*node) != *session;
                if sessions.iter().any(ended) {
                    Due::Stirred
                } else {
                    Due::Nothing
                }
            }
            Rest::Following {
                leader,
                boot,
                campaign_at,
            } => {
                if nodes.is_alive(*leader, *boot, now) {
                    *campaign_at = None;
                    return Due::Nothing;
                }
                Due::Campaign(*campaign_at.get_or_insert_with(draw))
            }
        }
    }

    /// It cannot sleep yet: it is to be quiet for as long again.
    pub(crate) fn put_off(&self, now: Duration) {
        self.inner().quiet_since = now;
    }

    /// Whether the replica sleeps as a member whose leader's node is alive.
    pub(crate) fn hangs_on(&self, nodes: &Nodes, now: Duration) -> bool {
        match &self.inner().rest {
            Rest::Following { leader, boot, .. } => nodes.is_alive(*leader, *boot, now),
            _ => false,
        }
    }

    /// Begins to rest as the leader, unless it rests already. `stop` stops the clock.
    pub(crate) fn doze(&self, sessions: Vec<(NodeId, u64)>, stop: impl FnOnce()) -> bool {
        let mut inner = self.inner();
        if !matches!(inner.rest, Rest::Awake | Rest::Waking) {
            return false;
        }
        stop();
        self.enter(&mut inner, Rest::Drowsy(sessions));
        true
    }

    /// All members sleep: so does the leader, unless something was asked meanwhile.
    pub(crate) fn fall_asleep(&self) -> bool {
        let mut inner = self.inner();
        let Rest::Drowsy(sessions) = &inner.rest else {
            return false;
        };
        if inner.counted != self.calls.load(Ordering::SeqCst) {
            return false;
        }
        let rest = Rest::Leading(sessions.clone());
        self.enter(&mut inner, rest);
        true
    }

    /// Sleeps as a member that hangs on its leader's node. `stop` stops the clock.
    pub(crate) fn follow(&self, leader: NodeId, boot: Boot, stop: impl FnOnce()) {
        let mut inner = self.inner();
        stop();
        let rest = Rest::Following {
            leader,
            boot,
            campaign_at: None,
        };
        self.enter(&mut inner, rest);
    }

    /// Wakes, if it rests and `concerns` what it does. Says whether its leadership is now to be
    /// confirmed. `start` lets the clock go on.
    pub(crate) fn wake(
        &self,
        why: Wake,
        concerns: impl FnOnce(&Rest) -> bool,
        start: impl FnOnce(),
    ) -> bool {
        if !self.rests() {
            return false;
        }
        let mut inner = self.inner();
        if !concerns(&inner.rest) {
            return false;
        }
        let led = match inner.rest {
            Rest::Awake => return false,
            Rest::Waking => return true,
            Rest::Drowsy(_) | Rest::Leading(_) => true,
            Rest::Following { .. } => false,
        };
        start();
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.metrics.wakes.get_or_create(&why.into()).inc();
        self.enter(&mut inner, if led { Rest::Waking } else { Rest::Awake });
        led
    }

    /// It is known whether the leadership is confirmed.
    pub(crate) fn confirmed(&self) {
        let mut inner = self.inner();
        if inner.rest == Rest::Waking {
            self.enter(&mut inner, Rest::Awake);
        }
    }

    /// The replica has ended.
    pub(crate) fn ended(&self) {
        self.enter(&mut self.inner(), Rest::Awake);
    }

    fn enter(&self, inner: &mut Inner, rest: Rest) {
        let sleeps = |rest: &Rest| matches!(rest, Rest::Leading(_) | Rest::Following { .. });
        match (sleeps(&inner.rest), sleeps(&rest)) {
            (false, true) => {
                self.metrics.sleeps.inc();
                self.metrics.asleep.inc();
            }
            (true, false) => {
                self.metrics.asleep.dec();
            }
            _ => {}
        }
        self.rests.store(rest != Rest::Awake, Ordering::SeqCst);
        inner.rest = rest;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);
    const PATIENCE: Duration = Duration::from_secs(1);
    const OTHER: NodeId = NodeId(2);

    struct World {
        sleep: Sleep,
        metrics: Metrics,
        nodes: Nodes,
    }

    fn world() -> World {
        let metrics = Metrics::default();
        World {
            sleep: Sleep::new(metrics.clone()),
            metrics,
            nodes: Nodes::new(Boot(1), PATIENCE),
        }
    }

    impl World {
        fn due(&self, now: Duration) -> Due {
            let draw = || now + PATIENCE;
            self.sleep.due(&self.nodes, now, Some(PATIENCE), draw)
        }

        fn asleep(self) -> Self {
            self.due(NOW);
            let sessions = vec![(OTHER, self.nodes.session(OTHER))];
            assert!(self.sleep.doze(sessions, || {}));
            assert!(self.sleep.fall_asleep());
            self
        }

        fn wake(&self, why: Wake) -> bool {
            self.sleep.wake(why, |_| true, || {})
        }

        fn wakes(&self, why: Wake) -> u64 {
            self.metrics.wakes.get_or_create(&why.into()).get()
        }
    }

    #[test]
    fn a_call_ends_the_quiet_and_what_may_not_sleep_is_never_quiet() {
        let world = world();
        assert_eq!(world.due(NOW), Due::Quiet);
        world.sleep.called();
        assert_eq!(world.due(NOW), Due::Nothing);
        assert_eq!(world.due(NOW + PATIENCE), Due::Quiet);
        world.sleep.put_off(NOW + PATIENCE);
        assert_eq!(world.due(NOW + PATIENCE), Due::Nothing);
        let never = world.sleep.due(&world.nodes, NOW * 2, None, || NOW);
        assert_eq!(never, Due::Nothing);
    }

    #[test]
    fn a_leader_does_not_fall_asleep_over_a_call() {
        let world = world();
        world.due(NOW);
        assert!(world.sleep.doze(Vec::new(), || {}));
        assert!(!world.sleep.doze(Vec::new(), || panic!("it dozes already")));
        assert!(world.sleep.rests());
        world.sleep.called();
        assert_eq!(world.due(NOW), Due::Nothing);
        assert!(!world.sleep.fall_asleep());
        assert!(world.wake(Wake::Proposal), "it is to be confirmed");
        assert_eq!(world.metrics.sleeps.get(), 0);
        assert_eq!(world.wakes(Wake::Proposal), 1);
    }

    #[test]
    fn sleeps_and_what_ended_them_are_counted() {
        let world = world().asleep();
        assert_eq!(
            (world.metrics.sleeps.get(), world.metrics.asleep.get()),
            (1, 1)
        );
        world.wake(Wake::Read);
        world.wake(Wake::Read);
        assert_eq!(world.metrics.asleep.get(), 0);
        assert_eq!(world.wakes(Wake::Read), 1);
        world.sleep.follow(OTHER, Boot(7), || {});
        world.sleep.follow(OTHER, Boot(7), || {});
        assert_eq!(
            (world.metrics.sleeps.get(), world.metrics.asleep.get()),
            (2, 1)
        );
        world.sleep.ended();
        assert_eq!(world.metrics.asleep.get(), 0);
    }

    #[test]
    fn everyone_who_comes_while_a_leader_wakes_confirms_it_and_nobody_later() {
        let world = world();
        let nothing = || panic!("its clock goes");
        assert!(!world.sleep.wake(Wake::Read, |_| true, nothing));
        let world = world.asleep();
        assert!(world.wake(Wake::Read));
        assert!(world.sleep.wake(Wake::Read, |_| true, nothing));
        world.sleep.confirmed();
        assert!(!world.sleep.rests());
        assert!(!world.sleep.wake(Wake::Read, |_| true, nothing));
    }

    #[test]
    fn a_leader_is_stirred_when_the_session_with_a_member_ends() {
        let world = world().asleep();
        assert_eq!(world.due(NOW), Due::Nothing);
        world.nodes.answered(OTHER, Boot(7), NOW);
        assert_eq!(world.due(NOW), Due::Stirred);
        world.wake(Wake::Member);
        let world = world.asleep();
        assert_eq!(world.due(NOW + PATIENCE * 9), Due::Nothing, "silence alone");
        world.nodes.answered(OTHER, Boot(7), NOW + PATIENCE * 9);
        assert_eq!(world.due(NOW + PATIENCE * 9), Due::Stirred);
    }

    #[test]
    fn a_member_wakes_only_for_what_concerns_it_and_has_nothing_to_confirm() {
        let world = world();
        world.sleep.follow(OTHER, Boot(7), || {});
        let led = |rest: &Rest| !matches!(rest, Rest::Following { .. });
        assert!(
            !world
                .sleep
                .wake(Wake::Proposal, led, || panic!("it does not lead"))
        );
        assert!(world.sleep.rests());
        assert!(!world.wake(Wake::Message));
        assert!(!world.sleep.rests());
    }

    #[test]
    fn a_campaign_is_drawn_once_and_called_off_when_the_node_lives() {
        let world = world();
        world.nodes.heard(OTHER, Boot(7), NOW);
        world.sleep.follow(OTHER, Boot(7), || {});
        assert!(world.sleep.hangs_on(&world.nodes, NOW));
        assert_eq!(world.due(NOW), Due::Nothing);
        let lost = NOW + PATIENCE * 2;
        assert!(!world.sleep.hangs_on(&world.nodes, lost));
        for now in [lost, lost + PATIENCE / 2] {
            assert_eq!(world.due(now), Due::Campaign(lost + PATIENCE));
        }
        world.nodes.heard(OTHER, Boot(7), lost);
        assert_eq!(world.due(lost), Due::Nothing);
        world.nodes.heard(OTHER, Boot(8), lost);
        assert_eq!(
            world.due(lost),
            Due::Campaign(lost + PATIENCE),
            "another run"
        );
    }
}
