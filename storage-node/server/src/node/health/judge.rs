//! Whether a node is slow: pure, from its figures and its peers'.

use std::time::Duration;

use storage_node_api::health::{HealthReport, Slow};

/// How many times its peers' figure a slow node's is.
const RATIO: u32 = 4;
/// For so long it must be over the limits before it is slow.
const SUSTAINED: Duration = Duration::from_secs(4);
/// For so long it must be under half of them before it is not slow any more.
const RECOVERY: Duration = Duration::from_secs(30);
/// The longest that it comes to when a node turns slow again and again.
const RECOVERY_MOST: Duration = Duration::from_secs(16 * 60);
/// One that stays sound for so long is as good as one that was never slow.
const FORGIVEN: Duration = Duration::from_secs(30 * 60);
/// A synced write of volumes has many bytes to write: it may take so many times as long as a sync
/// of the log.
const VOLUMES_PER_LOG: u32 = 5;
/// An answer from peers may come from across an ocean.
const PEERS_FLOOR: Duration = Duration::from_millis(400);

/// A change of what is held of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is slow.
    Slow(Slow),
    /// It is not any more.
    Sound,
}

/// What one node holds of itself, from one look to the next.
#[derive(Debug)]
pub(super) struct Judge {
    /// Below it a sync of the log is never slow.
    floor: Duration,
    slow: Option<Slow>,
    /// Since when the next change is due, if it is.
    since: Option<Duration>,
    recovery: Duration,
    recovered: Option<Duration>,
}

impl Judge {
    /// For a node that has just started. Nothing is ever slow with a floor of zero.
    pub(super) fn new(floor: Duration) -> Self {
        Self {
            floor,
            slow: None,
            since: None,
            recovery: RECOVERY,
            recovered: None,
        }
    }

    /// What the node is slow at.
    pub(super) fn slow(&self) -> Option<Slow> {
        self.slow
    }

    /// Judges by the figures of this moment.
    pub(super) fn look(
        &mut self,
        now: Duration,
        own: &HealthReport,
        peers: &[HealthReport],
    ) -> Option<Change> {
        if self.floor.is_zero() {
            return None;
        }
        match self.slow {
            None => self.look_sound(now, own, peers),
            Some(slow) => self.look_slow(now, slow, own, peers),
        }
    }

    fn look_sound(
        &mut self,
        now: Duration,
        own: &HealthReport,
        peers: &[HealthReport],
    ) -> Option<Change> {
        let over = |of: &Slow| is_over(*of, own, peers, self.floor(*of), RATIO);
        let Some(of) = [Slow::Log, Slow::Volumes, Slow::Peers]
            .into_iter()
            .find(over)
        else {
            self.since = None;
            return None;
        };
        let since = *self.since.get_or_insert(now);
        if now.saturating_sub(since) < SUSTAINED {
            return None;
        }
        let again = |recovered| now.saturating_sub(recovered) < FORGIVEN;
        self.recovery = match self.recovered.is_some_and(again) {
            true => (self.recovery * 2).min(RECOVERY_MOST),
            false => RECOVERY,
        };
        (self.slow, self.since) = (Some(of), None);
        Some(Change::Slow(of))
    }

    /// Without a figure nothing has got better.
    fn look_slow(
        &mut self,
        now: Duration,
        slow: Slow,
        own: &HealthReport,
        peers: &[HealthReport],
    ) -> Option<Change> {
        let is_better = own.figure(slow).is_some()
            && [Slow::Log, Slow::Volumes, Slow::Peers]
                .into_iter()
                .all(|of| !is_over(of, own, peers, self.floor(of) / 2, RATIO / 2));
        if !is_better {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        if now.saturating_sub(since) < self.recovery {
            return None;
        }
        (self.slow, self.since, self.recovered) = (None, None, Some(now));
        Some(Change::Sound)
    }

    fn floor(&self, of: Slow) -> Duration {
        match of {
            Slow::Log => self.floor,
            Slow::Volumes => self.floor * VOLUMES_PER_LOG,
            Slow::Peers => PEERS_FLOOR,
        }
    }

    /// Whether a peer that says so of itself can take over what this node leads: it is not slow,
    /// nor about to be found so.
    pub(super) fn is_sound(&self, peer: &HealthReport) -> bool {
        let is_under = |of| peer.figure(of).is_none_or(|took| took < self.floor(of));
        peer.slow.is_none()
            && [Slow::Log, Slow::Volumes, Slow::Peers]
                .into_iter()
                .all(is_under)
    }
}

/// Whether a figure is over the floor, and over so many times what it is with the peer in the
/// middle of those that have one. If no peer has, there is nobody who is known to do better.
fn is_over(
    of: Slow,
    own: &HealthReport,
    peers: &[HealthReport],
    floor: Duration,
    ratio: u32,
) -> bool {
    let mut others: Vec<Duration> = peers.iter().filter_map(|peer| peer.figure(of)).collect();
    others.sort_unstable();
    // Of two the better one: it could take over.
    let Some(middle) = others.get(others.len().saturating_sub(1) / 2) else {
        return false;
    };
    let is_over = |took| took >= floor && took >= middle.saturating_mul(ratio);
    own.figure(of).is_some_and(is_over)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: Duration = Duration::from_millis(100);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn log(millis: Option<u64>) -> HealthReport {
        HealthReport {
            log: millis.map(ms),
            ..HealthReport::default()
        }
    }

    #[test]
    fn slow_is_who_is_over_the_floor_and_far_over_the_peers() {
        type Case = (Slow, Option<u64>, &'static [Option<u64>], bool);
        let cases: [Case; 12] = [
            (Slow::Log, Some(100), &[Some(5), Some(5)], true),
            (Slow::Log, Some(99), &[Some(5), Some(5)], false),
            // One disk for all, or a load that all of them have.
            (Slow::Log, Some(300), &[Some(250), Some(290)], false),
            (Slow::Log, Some(300), &[Some(76), Some(76)], false),
            // Of two peers one could take over; of four most are as slow.
            (Slow::Log, Some(300), &[Some(5), Some(290)], true),
            (
                Slow::Log,
                Some(300),
                &[Some(5), Some(290), Some(290), Some(290)],
                false,
            ),
            // Nobody is known to do better; nothing is known of the node.
            (Slow::Log, Some(900), &[None, None], false),
            (Slow::Log, Some(900), &[], false),
            (Slow::Log, None, &[Some(5)], false),
            (Slow::Volumes, Some(499), &[Some(20)], false),
            (Slow::Volumes, Some(500), &[Some(20)], true),
            (Slow::Peers, Some(400), &[Some(2), Some(2)], true),
        ];
        for case in cases {
            let (of, own, peers, expected) = case;
            let report = |took: Option<u64>| {
                let mut report = HealthReport::default();
                match of {
                    Slow::Log => report.log = took.map(ms),
                    Slow::Volumes => report.volumes = took.map(ms),
                    Slow::Peers => report.peers = took.map(ms),
                }
                report
            };
            let peers: Vec<_> = peers.iter().map(|took| report(*took)).collect();
            let mut judge = Judge::new(FLOOR);
            for second in 0..10 {
                judge.look(ms(second * 1000), &report(own), &peers);
            }
            assert_eq!(judge.slow(), expected.then_some(of), "{case:?}");
        }
    }

    /// The seconds at which a node that is as slow as the tape says changes.
    fn changes(tape: impl Fn(u64) -> Option<u64>, seconds: u64) -> Vec<(u64, Change)> {
        let mut judge = Judge::new(FLOOR);
        let peers = [log(Some(5)), log(Some(5))];
        let look = |second| {
            let own = log(tape(second));
            judge
                .look(ms(second * 1000), &own, &peers)
                .map(|change| (second, change))
        };
        (0..seconds).filter_map(look).collect()
    }

    #[test]
    fn a_hiccup_is_nothing_and_a_slow_time_is_left_only_after_a_good_one() {
        let slow = Change::Slow(Slow::Log);
        assert_eq!(
            changes(|second| Some(if second % 4 == 0 { 5 } else { 900 }), 600),
            []
        );
        let once = |second| Some(if (10..20).contains(&second) { 900 } else { 5 });
        assert_eq!(changes(once, 600), [(14, slow), (50, Change::Sound)]);
        // In between the limits it stays what it is.
        let wavering = |second| Some(if second < 10 { 900 } else { 60 });
        assert_eq!(changes(wavering, 600), [(4, slow)]);
        // Nothing measured says nothing.
        let idle = |second| (second < 10).then_some(900);
        assert_eq!(changes(idle, 600), [(4, slow)]);
    }

    #[test]
    fn a_disk_that_comes_and_goes_moves_leaders_less_and_less() {
        let tape = |second| Some(if second % 40 < 5 { 900 } else { 5 });
        let changes = changes(tape, 40 * 200);
        let turned_slow = changes
            .iter()
            .filter(|(_, change)| *change != Change::Sound);
        assert!(turned_slow.count() <= 2, "{changes:?}");
    }

    #[test]
    fn a_floor_of_zero_turns_it_off() {
        let mut judge = Judge::new(Duration::ZERO);
        for second in 0..20 {
            assert_eq!(
                judge.look(ms(second * 1000), &log(Some(9000)), &[log(Some(1))]),
                None
            );
        }
    }

    #[test]
    fn who_is_about_to_be_slow_takes_nothing_over() {
        let judge = Judge::new(FLOOR);
        assert!(judge.is_sound(&log(Some(50))) && judge.is_sound(&log(None)));
        assert!(!judge.is_sound(&log(Some(100))));
        let told = HealthReport {
            slow: Some(Slow::Peers),
            ..log(Some(1))
        };
        assert!(!judge.is_sound(&told));
    }
}
