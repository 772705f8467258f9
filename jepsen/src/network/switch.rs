use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use rand::Rng;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::queue::{Queue, write};
use super::{Link, MAX_HOSTS, number};

/// How often a reader looks whether the network has ended.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// No packet is larger.
const MAX_PACKET: usize = 65_536;

/// The wires: a thread per host that reads its packets, and one that delivers
/// those that are delayed.
#[derive(Debug)]
pub(super) struct Switch {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    devices: Vec<Arc<File>>,
    links: RwLock<[[Link; MAX_HOSTS]; MAX_HOSTS]>,
    queue: Queue,
    ended: AtomicBool,
}

impl Switch {
    /// Connects the devices of all hosts.
    pub(super) fn start(devices: Vec<File>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            devices: devices.into_iter().map(Arc::new).collect(),
            links: RwLock::default(),
            queue: Queue::default(),
            ended: AtomicBool::new(false),
        });
        for from in 0..shared.devices.len() {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("wire{from}"))
                .spawn(move || shared.forward(from))?;
        }
        let delayed = Arc::clone(&shared);
        thread::Builder::new()
            .name("wires".to_owned())
            .spawn(move || {
                let ended = || delayed.ended.load(Ordering::Relaxed);
                delayed.queue.deliver(&delayed.devices, ended);
            })?;
        Ok(Self { shared })
    }

    /// Changes one direction of one pair.
    pub(super) fn set(&self, from: usize, to: usize, link: Link) {
        let mut links = self
            .shared
            .links
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = links.get_mut(from).and_then(|row| row.get_mut(to)) {
            *entry = link;
        }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    /// Reads what a host sends, until the network ends.
    fn forward(&self, from: usize) {
        let mut random = rand::rng();
        let mut buffer = vec![0; MAX_PACKET];
        let device = &self.devices[from];
        while !self.ended.load(Ordering::Relaxed) {
            let mut ready = [PollFd::new(device, PollFlags::IN)];
            if !matches!(poll(&mut ready, Some(&LOOK)), Ok(count) if count > 0) {
                continue;
            }
            let Ok(length) = (&**device).read(&mut buffer) else {
                continue;
            };
            let packet = &buffer[..length];
            let Some(to) = destination(packet).filter(|to| *to < self.devices.len()) else {
                continue;
            };
            let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
            let link = links[from][to];
            drop(links);
            if link.cut || random.random_range(0..1000) < link.loss_permille {
                continue;
            }
            let wait = link.delay + link.jitter.mul_f64(random.random());
            if wait == Duration::ZERO {
                write(&self.devices[to], packet);
            } else {
                self.queue.push(Instant::now() + wait, to, packet.to_vec());
            }
        }
    }
}

/// Where an IPv4 packet goes: bytes 16 to 19 of its header (RFC 791).
fn destination(packet: &[u8]) -> Option<usize> {
    let version = packet.first()? >> 4;
    let address = packet.get(16..20)?.try_into().ok()?;
    (version == 4).then(|| number(address))?
}
