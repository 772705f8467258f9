use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most packets under way; what comes beyond is lost, as in a router.
const MAX_PACKETS: usize = 20_000;
/// How often a waiting thread looks whether the network has ended.
const LOOK: Duration = Duration::from_millis(100);

/// When it is due, its order among those due then, to whom it goes, and its bytes.
type Packet = (Instant, u64, usize, Vec<u8>);

/// Packets that wait for their moment, by moment and order of arrival, each with
/// the host it goes to.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<BinaryHeap<Reverse<Packet>>>,
    changed: Condvar,
}

impl Queue {
    /// Adds a packet, or loses it.
    pub(super) fn push(&self, due: Instant, to: usize, packet: Vec<u8>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MAX_PACKETS {
            let order = waiting.len() as u64;
            waiting.push(Reverse((due, order, to, packet)));
            self.changed.notify_one();
        }
    }

    /// Delivers packets until `ended`.
    pub(super) fn deliver(&self, devices: &[Arc<File>], ended: impl Fn() -> bool) {
        while !ended() {
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let next = waiting.peek().map(|Reverse((due, ..))| *due);
            let now = Instant::now();
            let left = next.map_or(LOOK, |due| due.saturating_duration_since(now));
            if !left.is_zero() {
                let waited = self.changed.wait_timeout(waiting, left.min(LOOK));
                drop(waited);
                continue;
            }
            let mut waiting = waiting;
            let packet = waiting.pop();
            drop(waiting);
            if let Some(Reverse((_, _, to, packet))) = packet {
                write(&devices[to], &packet);
            }
        }
    }
}

/// Hands a packet to a host. A host that does not take it loses it.
pub(super) fn write(mut device: &File, packet: &[u8]) {
    drop(device.write(packet));
}
