//! How fast QUIC sends on ways that are long and lose packets.
//!
//! CUBIC (RFC 9438) takes every loss for a full queue and slows down: where one
//! packet in a hundred is lost at random and an answer takes 80 ms, it comes to
//! 200 kB/s, however much would pass. [`Tolerant`] is CUBIC that hears of losses
//! only where they are more than a queue with room explains: above one part in
//! fifty of what was sent lately, as BBR has it (draft-ietf-ccwg-bbr,
//! `BBR.LossThresh`). What it keeps true: a queue that overflows is heard of,
//! since that loses much more, and so is a way on which nothing passes any more.
//! It takes no account of a queue that grows and loses nothing.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::congestion::{Controller, ControllerFactory, ControllerMetrics, CubicConfig};
use quinn_proto::RttEstimator;

use super::MAX_CONNECTIONS;

/// Losses up to one part in so many slow nothing down.
const TOLERATED_PART: u64 = 50;
/// Nor do so many packets: of few, one is a large part.
const TOLERATED_PACKETS: u64 = 8;
/// What was answered for in so many round trips was sent lately.
const ROUND_TRIPS: usize = 4;
/// What a connection sends before it hears an answer: as much as those by TCP to
/// one node together (RFC 6928: ten packets each).
const INITIAL_WINDOW_BYTES: u64 = MAX_CONNECTIONS as u64 * 14_720;

/// Makes [`Tolerant`] controllers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TolerantConfig;

/// CUBIC that bears some losses.
struct Tolerant {
    inner: Box<dyn Controller>,
    recent: Recent,
    mtu: u64,
}

/// What became of the bytes of the last round trips.
#[derive(Clone, Debug, Default)]
struct Recent(VecDeque<Slice>);

/// A round trip's worth.
#[derive(Clone, Copy, Debug)]
struct Slice {
    began: Instant,
    arrived: u64,
    lost: u64,
}

impl ControllerFactory for TolerantConfig {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        let mut cubic = CubicConfig::default();
        cubic.initial_window(INITIAL_WINDOW_BYTES);
        Box::new(Tolerant {
            inner: Arc::new(cubic).build(now, mtu),
            recent: Recent::default(),
            mtu: u64::from(mtu),
        })
    }
}

impl Recent {
    fn arrived(&mut self, now: Instant, bytes: u64, round_trip: Duration) {
        let last = self.0.back();
        if last.is_some_and(|last| now.saturating_duration_since(last.began) >= round_trip) {
            self.begin(now);
        }
        self.last(now).arrived += bytes;
    }

    fn lost(&mut self, now: Instant, bytes: u64) {
        self.last(now).lost += bytes;
    }

    /// Whether more was lost than is borne.
    fn is_too_much(&self, mtu: u64) -> bool {
        let lost: u64 = self.0.iter().map(|slice| slice.lost).sum();
        let arrived: u64 = self.0.iter().map(|slice| slice.arrived).sum();
        lost > (TOLERATED_PACKETS * mtu).max((lost + arrived) / TOLERATED_PART)
    }

    fn begin(&mut self, began: Instant) {
        if self.0.len() == ROUND_TRIPS {
            self.0.pop_front();
        }
        self.0.push_back(Slice {
            began,
            arrived: 0,
            lost: 0,
        });
    }

    fn last(&mut self, now: Instant) -> &mut Slice {
        if self.0.is_empty() {
            self.begin(now);
        }
        let last = self.0.len() - 1;
        &mut self.0[last]
    }
}

impl Controller for Tolerant {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.inner.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.recent.arrived(now, bytes, rtt.get());
        self.inner.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        in_flight: u64,
        app_limited: bool,
        largest_packet_num_acked: Option<u64>,
    ) {
        self.inner
            .on_end_acks(now, in_flight, app_limited, largest_packet_num_acked);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.recent.lost(now, lost_bytes);
        // Without a loss it is a router that says that its queue grows.
        let is_told = lost_bytes == 0;
        if is_told || is_persistent_congestion || self.recent.is_too_much(self.mtu) {
            self.recent = Recent::default();
            self.inner
                .on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
        }
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = u64::from(new_mtu);
        self.inner.on_mtu_update(new_mtu);
    }

    fn window(&self) -> u64 {
        self.inner.window()
    }

    fn metrics(&self) -> ControllerMetrics {
        self.inner.metrics()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(Self {
            inner: self.inner.clone_box(),
            recent: self.recent.clone(),
            mtu: self.mtu,
        })
    }

    fn initial_window(&self) -> u64 {
        self.inner.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use quinn::congestion::{Controller, ControllerFactory};

    use super::{Recent, TOLERATED_PACKETS, TolerantConfig};

    const MTU: u64 = 1200;
    const ROUND_TRIP: Duration = Duration::from_millis(80);

    #[expect(
        clippy::disallowed_methods,
        reason = "an instant comes from nowhere else, and only differences matter"
    )]
    fn now() -> Instant {
        Instant::now()
    }

    fn controller() -> (Box<dyn Controller>, Instant) {
        let now = now();
        (Arc::new(TolerantConfig).build(now, 1200), now)
    }

    /// Of a thousand packets in each round trip so many are lost, evenly.
    fn is_too_much_ever(lost: u64) -> bool {
        let (began, mut recent) = (now(), Recent::default());
        (0..20_000).any(|number: u32| {
            let at = began + ROUND_TRIP * number / 1000;
            if u64::from(number) * lost / 1000 != (u64::from(number) + 1) * lost / 1000 {
                recent.lost(at, MTU);
            } else {
                recent.arrived(at, MTU, ROUND_TRIP);
            }
            recent.is_too_much(MTU)
        })
    }

    #[test]
    fn a_few_losses_are_borne_and_a_full_queue_is_not() {
        for (lost, is_too_much) in [(0, false), (1, false), (10, false), (30, true), (500, true)] {
            assert_eq!(is_too_much_ever(lost), is_too_much, "{lost} of 1000");
        }
    }

    #[test]
    fn what_was_lost_long_ago_is_forgotten() {
        let (began, mut recent) = (now(), Recent::default());
        recent.lost(began, 2 * TOLERATED_PACKETS * MTU);
        assert!(recent.is_too_much(MTU));
        for round in 1..=4 {
            recent.arrived(began + ROUND_TRIP * round, MTU, ROUND_TRIP);
        }
        assert!(!recent.is_too_much(MTU));
    }

    #[test]
    fn the_window_shrinks_by_many_losses_by_a_routers_word_and_by_silence() {
        let later = |now: Instant| now + ROUND_TRIP;
        for (losses, is_silent, shrinks) in [
            (vec![MTU], false, false),
            (vec![MTU; 8], false, false),
            (vec![MTU; 9], false, true),
            (vec![0], false, true),
            (vec![MTU], true, true),
        ] {
            let (mut controller, now) = controller();
            let before = controller.window();
            for lost in &losses {
                controller.on_congestion_event(later(now), now, is_silent, *lost);
            }
            let after = controller.window();
            assert_eq!(after < before, shrinks, "{losses:?} {is_silent}: {after}");
        }
    }
}
