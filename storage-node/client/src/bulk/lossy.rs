//! Ways that lose packets, by a pattern that is always the same.
//!
//! Of UDP a relay loses whole datagrams. Of TCP nobody above the kernel can lose
//! anything: what a loss comes to there is that all that follows is held up, and
//! that is what a relay does.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// One packet in so many is lost, once as many have passed: in a handshake each
/// costs a second.
const ONE_IN: u64 = 50;
/// The largest packet.
const PACKET_BYTES: usize = 1500;
/// How often others run before a stream that is held up goes on.
const HELD_UP: usize = 20;

/// A relay, as long as it lives.
pub(super) struct Lossy {
    pub(super) address: SocketAddr,
    pub(super) lost: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Lossy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Counts packets of one direction.
#[derive(Default)]
struct Pattern(u64);

impl Pattern {
    fn loses(&mut self, lost: &AtomicU64) -> bool {
        self.0 += 1;
        let loses = self.0 > ONE_IN && self.0.is_multiple_of(ONE_IN);
        lost.fetch_add(u64::from(loses), Ordering::Relaxed);
        loses
    }
}

/// Loses datagrams to and from a listener.
pub(super) async fn udp(to: SocketAddr) -> Lossy {
    let front = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let address = front.local_addr().unwrap();
    let lost = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&lost);
    let task = tokio::spawn(async move {
        let mut backs: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
        let (mut pattern, mut packet) = (Pattern::default(), [0; PACKET_BYTES]);
        let mut returns = tokio::task::JoinSet::new();
        while let Ok((length, from)) = front.recv_from(&mut packet).await {
            let back = match backs.entry(from) {
                Entry::Occupied(known) => Arc::clone(known.get()),
                Entry::Vacant(new) => {
                    let back = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                    back.connect(to).await.unwrap();
                    let (front, counted) = (Arc::clone(&front), Arc::clone(&counted));
                    returns.spawn(back_to(from, front, Arc::clone(&back), counted));
                    Arc::clone(new.insert(back))
                }
            };
            if !pattern.loses(&counted) {
                // The other end may have gone; so is the packet then.
                drop(back.send(&packet[..length]).await);
            }
        }
    });
    Lossy {
        address,
        lost,
        task,
    }
}

async fn back_to(
    client: SocketAddr,
    front: Arc<UdpSocket>,
    back: Arc<UdpSocket>,
    lost: Arc<AtomicU64>,
) {
    let (mut pattern, mut packet) = (Pattern::default(), [0; PACKET_BYTES]);
    loop {
        // A listener that is not there yet refuses; the next packet may do.
        let Ok(length) = back.recv(&mut packet).await else {
            continue;
        };
        if !pattern.loses(&lost) {
            drop(front.send_to(&packet[..length], client).await);
        }
    }
}

/// Holds up streams to and from a listener.
pub(super) async fn tcp(to: SocketAddr) -> Lossy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let lost = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&lost);
    let task = tokio::spawn(async move {
        let mut streams = tokio::task::JoinSet::new();
        while let Ok((client, _)) = listener.accept().await {
            let (there, here) = TcpStream::connect(to).await.unwrap().into_split();
            let (from, back) = client.into_split();
            streams.spawn(pass(from, here, Arc::clone(&counted)));
            streams.spawn(pass(there, back, Arc::clone(&counted)));
        }
    });
    Lossy {
        address,
        lost,
        task,
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    lost: Arc<AtomicU64>,
) {
    let (mut pattern, mut packet) = (Pattern::default(), [0; PACKET_BYTES]);
    while let Ok(length) = from.read(&mut packet).await {
        if pattern.loses(&lost) {
            for _ in 0..HELD_UP {
                tokio::task::yield_now().await;
            }
        }
        if length == 0 || to.write_all(&packet[..length]).await.is_err() {
            return;
        }
    }
}
