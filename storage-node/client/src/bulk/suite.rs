//! What every transport must do; called by the tests of each.

// tidy: long file, because it is the one list of cases that every transport passes.

use std::collections::HashSet;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use chunking::{Chunk, ChunkId, ChunkRef, MAX_CHUNK_BYTES};
use futures_util::future::join_all;
use runtime::{ManualClock, Runtime};
use storage_node_api::limits::{CHUNK_BATCH, PUT_BATCH_BYTES};
use storage_node_api::node::{Node, NodeError};
use storage_node_api::{DedupDomain, NodeId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::frame::{self, Frame};
use super::lossy::Lossy;
use super::wire::{self, Ask};
use super::{
    FRAME_DEADLINE, IDLE, Listener, MAX_CONNECTIONS, MAX_PIPELINED, Metrics, Pool, REDIAL_PAUSE,
    REQUEST_DEADLINE, Stream, Transport, serve,
};
use crate::remote::fake::{FakeNode, SESSION, chunk, reference};

const NODE: NodeId = NodeId(3);
const UNREACHABLE: NodeError = NodeError::Unreachable { node: NODE };
const SILENT: NodeError = NodeError::Silent { node: NODE };
const MALFORMED: NodeError = NodeError::Malformed { node: NODE };

/// A transport for each end, and an address to listen at.
pub(super) struct Ends {
    pub(super) client: Arc<dyn Transport>,
    pub(super) server: Arc<dyn Transport>,
    pub(super) address: String,
}

/// Time stands still unless it is moved; the rest is real.
pub(super) fn world() -> (Runtime, ManualClock) {
    let (simulated, clock) = Runtime::simulated(1);
    let runtime = Runtime {
        clock: simulated.clock,
        ..Runtime::real()
    };
    (runtime, clock)
}

/// A node that is served, and a pool that asks it.
struct Served {
    node: Arc<FakeNode>,
    pool: Pool,
    address: String,
    runtime: Runtime,
    clock: ManualClock,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
    /// Of the serving end.
    metrics: Metrics,
    /// Of the asking end.
    asking: Metrics,
    client: Arc<dyn Transport>,
}

impl Served {
    async fn new(ends: Ends, (runtime, clock): (Runtime, ManualClock)) -> Self {
        let listener = listening(&ends).await;
        let address = listener.address().unwrap();
        let node = Arc::new(FakeNode::new(NODE));
        let (metrics, asking) = (Metrics::default(), Metrics::default());
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(
            listener,
            NODE,
            Arc::clone(&node) as Arc<dyn Node>,
            runtime.clone(),
            metrics.clone(),
            stop.clone(),
        ));
        let client = Arc::clone(&ends.client);
        let pool = Pool::new(NODE, &*address, client, runtime.clone(), asking.clone());
        Self {
            node,
            pool,
            address,
            runtime,
            clock,
            stop,
            serving,
            metrics,
            asking,
            client: ends.client,
        }
    }

    async fn raw(&self) -> Stream {
        self.client.connect(&self.address).await.unwrap()
    }

    async fn works(&self) {
        let one = chunk(1, 1000);
        self.pool
            .store(&SESSION, std::slice::from_ref(&one))
            .await
            .unwrap();
        let fetched = self.pool.fetch(SESSION.domain, &[reference(&one)]).await;
        assert_eq!(fetched, Ok(vec![Some(one.bytes)]));
    }
}

/// Runs all cases. `make` returns new ends.
pub(super) async fn transport(make: &dyn Fn(&Runtime) -> Ends) {
    macro_rules! cases {
        ($($case:ident),* $(,)?) => {$(
            let around = world();
            let ends = make(&around.0);
            let case = $case(ends, around);
            let ended = tokio::time::timeout(Duration::from_secs(60), Box::pin(case)).await;
            assert!(ended.is_ok(), "{} takes too long", stringify!($case));
        )*};
    }
    cases![
        chunks_go_and_come_back,
        what_is_over_a_limit_is_refused,
        wrong_bytes_are_refused_or_not_there,
        many_requests_share_few_connections,
        one_slow_request_delays_no_other_and_ends_at_its_deadline,
        a_request_that_is_dropped_leaves_nothing_behind,
        nobody_there_is_unreachable_until_somebody_is,
        a_node_that_starts_again_is_found_again,
        stopping_finishes_what_is_under_way,
        a_client_that_breaks_off_or_talks_nonsense_costs_its_connection_only,
        a_server_that_breaks_off_or_talks_nonsense_is_silent,
        a_client_that_does_not_read_is_held_up_and_then_dropped,
        a_client_that_stops_in_the_middle_is_dropped,
    ];
}

/// Listens; who listened there before may take a moment to go away.
async fn listening(ends: &Ends) -> Box<dyn Listener> {
    for _ in 0..2_000 {
        match ends.server.listen(&ends.address).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            listener => return listener.unwrap(),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} stays taken", ends.address);
}

async fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..5_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it never came to hold");
}

async fn chunks_go_and_come_back(ends: Ends, world: (Runtime, ManualClock)) {
    let served = Served::new(ends, world).await;
    let chunks: Vec<Chunk> = [1, 100, 65_536, MAX_CHUNK_BYTES]
        .iter()
        .zip(0..)
        .map(|(length, number)| chunk(number, *length))
        .collect();
    let refs: Vec<ChunkRef> = chunks.iter().map(reference).collect();
    let ids: Vec<ChunkId> = chunks.iter().map(|chunk| chunk.id).collect();
    let presence = served.pool.presence(&SESSION, &ids).await.unwrap();
    assert_eq!(presence.held, [false; 4]);
    let receipt = served.pool.store(&SESSION, &chunks[..3]).await.unwrap();
    assert_eq!(receipt, presence.receipt);
    let presence = served.pool.presence(&SESSION, &ids).await.unwrap();
    assert_eq!(presence.held, [true, true, true, false]);
    let fetched = served.pool.fetch(SESSION.domain, &refs).await.unwrap();
    let expected: Vec<Option<Bytes>> = chunks[..3]
        .iter()
        .map(|chunk| Some(chunk.bytes.clone()))
        .chain([None])
        .collect();
    assert_eq!(fetched, expected);
    let elsewhere = served.pool.fetch(DedupDomain(1), &refs).await.unwrap();
    assert_eq!(elsewhere, vec![None; 4]);
    assert_eq!(served.pool.fetch(SESSION.domain, &[]).await, Ok(vec![]));
    assert_eq!(
        served.pool.presence(&SESSION, &[]).await.unwrap().held,
        Vec::<bool>::new()
    );

    // More than one frame holds, as one fetch.
    let large: Vec<Chunk> = (10..22)
        .map(|number| chunk(number, MAX_CHUNK_BYTES))
        .collect();
    for part in large.chunks(4) {
        served.pool.store(&SESSION, part).await.unwrap();
    }
    let refs: Vec<ChunkRef> = large.iter().map(reference).collect();
    let fetched = served.pool.fetch(SESSION.domain, &refs).await.unwrap();
    for (chunk, bytes) in large.iter().zip(fetched) {
        assert!(bytes.is_some_and(|bytes| bytes == chunk.bytes));
    }
}

/// Of a transport whose packets a relay can lose.
pub(super) async fn a_way_that_loses_packets_brings_everything(
    ends: Ends,
    world: (Runtime, ManualClock),
    relay: impl AsyncFn(SocketAddr) -> Lossy,
) {
    let served = Served::new(ends, world).await;
    let way = relay(served.address.parse().unwrap()).await;
    let (client, asking) = (Arc::clone(&served.client), Metrics::default());
    let address = way.address.to_string();
    let pool = Pool::new(
        NODE,
        address,
        client,
        served.runtime.clone(),
        asking.clone(),
    );
    let chunks: Vec<Chunk> = (0..12)
        .map(|number| chunk(number, MAX_CHUNK_BYTES))
        .collect();
    let stores = chunks.chunks(2).map(|part| pool.store(&SESSION, part));
    for stored in join_all(stores).await {
        stored.unwrap();
    }
    let refs: Vec<ChunkRef> = chunks.iter().map(reference).collect();
    let fetched = pool.fetch(SESSION.domain, &refs).await.unwrap();
    for (chunk, bytes) in chunks.iter().zip(fetched) {
        assert!(bytes.is_some_and(|bytes| bytes == chunk.bytes));
    }
    let lost = way.lost.load(Ordering::Relaxed);
    assert!(lost > 20, "{lost} packets were lost");
    assert_eq!(asking.request_errors.get(), 0);
    assert_eq!(asking.connection_errors.get(), 0);
}

async fn what_is_over_a_limit_is_refused(ends: Ends, world: (Runtime, ManualClock)) {
    let served = Served::new(ends, world).await;
    let ids = vec![ChunkId::of(b""); CHUNK_BATCH + 1];
    let refused = served.pool.presence(&SESSION, &ids).await;
    assert_eq!(refused, Err(MALFORMED));
    let most = served.pool.presence(&SESSION, &ids[1..]).await.unwrap();
    assert_eq!(most.held.len(), CHUNK_BATCH);
    let large = vec![chunk(1, MAX_CHUNK_BYTES); PUT_BATCH_BYTES / MAX_CHUNK_BYTES + 1];
    assert_eq!(served.pool.store(&SESSION, &large).await, Err(MALFORMED));
    let huge = ChunkRef {
        id: ids[0],
        length: u32::MAX,
    };
    let refused = served.pool.fetch(SESSION.domain, &[huge]).await;
    assert_eq!(refused, Err(MALFORMED));
    // A peer that does not keep the limits itself is refused by the node.
    let calls = served.node.calls();
    let mut stream = served.raw().await;
    for (number, ask) in [
        Ask::Presence {
            session: SESSION,
            chunks: ids,
        },
        Ask::Fetch {
            domain: SESSION.domain,
            chunks: vec![huge],
        },
        Ask::Store {
            session: SESSION,
            chunks: vec![huge],
        },
    ]
    .iter()
    .enumerate()
    {
        let frame = Frame {
            message: wire::encode(number as u64, ask).unwrap(),
            payload: Vec::new(),
        };
        frame::write(&mut stream.writer, &frame).await.unwrap();
        let answer = answer(&mut stream).await;
        assert_eq!(wire::number(&answer.message), Ok(number as u64));
        let shown = format!("{:?}", wire::decode::<wire::Answer>(&answer.message));
        assert!(shown.contains("Malformed"), "{shown}");
    }
    assert_eq!(served.node.calls(), calls);
    served.works().await;
}

async fn wrong_bytes_are_refused_or_not_there(ends: Ends, world: (Runtime, ManualClock)) {
    let served = Served::new(ends, world).await;
    let (one, two) = (chunk(1, 10), chunk(2, 10));
    let mixed = Chunk {
        id: one.id,
        bytes: two.bytes.clone(),
    };
    let refused = served.pool.store(&SESSION, &[mixed]).await;
    assert_eq!(refused, Err(NodeError::Mismatch { chunk: one.id }));
    // Other bytes of the same length are the caller's to notice; of another
    // length they would shift all others.
    served
        .node
        .spoil(one.id, Bytes::from_static(b"longer than it was"));
    let both = [two.clone(), one.clone()];
    served.pool.store(&SESSION, &both[..1]).await.unwrap();
    let refs = [reference(&one), reference(&two)];
    let fetched = served.pool.fetch(SESSION.domain, &refs).await;
    assert_eq!(fetched, Ok(vec![None, Some(two.bytes)]));
}

async fn many_requests_share_few_connections(ends: Ends, world: (Runtime, ManualClock)) {
    let served = Served::new(ends, world).await;
    let chunks: Vec<Chunk> = (0..200).map(|number| chunk(number, 20_000)).collect();
    let stores = chunks
        .iter()
        .map(|chunk| served.pool.store(&SESSION, std::slice::from_ref(chunk)));
    for stored in join_all(stores).await {
        stored.unwrap();
    }
    assert!(served.asking.connections.get() <= i64::try_from(MAX_CONNECTIONS).unwrap());
    let refs: Vec<ChunkRef> = chunks.iter().map(reference).collect();
    let fetches = refs.iter().map(|chunk| {
        served
            .pool
            .fetch(SESSION.domain, std::slice::from_ref(chunk))
    });
    let fetched = join_all(fetches).await;
    for (chunk, fetched) in chunks.iter().zip(fetched) {
        assert_eq!(fetched, Ok(vec![Some(chunk.bytes.clone())]));
    }
    assert_eq!(served.asking.in_flight.get(), 0);
    assert_eq!(served.metrics.requests.get(), 400);
}

async fn one_slow_request_delays_no_other_and_ends_at_its_deadline(
    ends: Ends,
    world: (Runtime, ManualClock),
) {
    let served = Served::new(ends, world).await;
    served.works().await;
    served.node.hang(true);
    let calls = served.node.calls();
    let slow = served.pool.presence(&SESSION, &[]);
    let rest = async {
        eventually(|| served.node.calls() > calls).await;
        served.node.hang(false);
        served.works().await;
        served.node.hang(true);
        // Those that hang now are one that began before and one that begins.
        let hanging = served.pool.presence(&SESSION, &[]);
        let late = async {
            eventually(|| served.node.calls() == calls + 4).await;
            served.clock.advance(REQUEST_DEADLINE);
        };
        tokio::join!(hanging, late).0
    };
    let (first, second) = tokio::join!(slow, rest);
    assert!(first.is_ok());
    assert_eq!(second, Err(SILENT));
    served.node.hang(false);
    served.works().await;
}

async fn a_request_that_is_dropped_leaves_nothing_behind(
    ends: Ends,
    world: (Runtime, ManualClock),
) {
    let served = Served::new(ends, world).await;
    served.works().await;
    served.node.hang(true);
    for _ in 0..50 {
        let calls = served.node.calls();
        tokio::select! {
            _ = served.pool.presence(&SESSION, &[]) => panic!("the node hangs"),
            () = eventually(|| served.node.calls() > calls
                || served.metrics.in_flight.get() >= i64::try_from(MAX_PIPELINED).unwrap()) => {}
        }
    }
    assert_eq!(served.asking.in_flight.get(), 0);
    served.node.hang(false);
    served.works().await;
    eventually(|| served.metrics.in_flight.get() == 0).await;
}

async fn nobody_there_is_unreachable_until_somebody_is(
    ends: Ends,
    (runtime, clock): (Runtime, ManualClock),
) {
    let listener = ends.server.listen(&ends.address).await.unwrap();
    let address = listener.address().unwrap();
    drop(listener);
    let pool = Pool::new(
        NODE,
        &*address,
        Arc::clone(&ends.client),
        runtime.clone(),
        Metrics::default(),
    );
    // A listener may take a moment to go away.
    loop {
        let asked = pool.presence(&SESSION, &[]).await;
        if asked == Err(UNREACHABLE) {
            break;
        }
        assert_eq!(asked, Err(SILENT));
    }
    let served = Served::new(Ends { address, ..ends }, (runtime, clock)).await;
    assert_eq!(pool.presence(&SESSION, &[]).await, Err(UNREACHABLE));
    served.clock.advance(REDIAL_PAUSE);
    assert!(pool.presence(&SESSION, &[]).await.is_ok());
}

async fn a_node_that_starts_again_is_found_again(ends: Ends, world: (Runtime, ManualClock)) {
    let (client, server) = (Arc::clone(&ends.client), Arc::clone(&ends.server));
    let first = Served::new(ends, world.clone()).await;
    first.works().await;
    let Served {
        pool,
        address,
        stop,
        serving,
        ..
    } = first;
    stop.cancel();
    serving.await.unwrap();
    let ends = Ends {
        client,
        server,
        address,
    };
    let second = Served::new(ends, world).await;
    // The connection that was there is gone, which the pool finds out by asking.
    let asked = pool.presence(&SESSION, &[]).await;
    assert!(asked.is_ok(), "{asked:?}");
    assert_eq!(second.node.calls(), 1);
}

async fn stopping_finishes_what_is_under_way(ends: Ends, world: (Runtime, ManualClock)) {
    let served = Served::new(ends, world).await;
    served.node.hang(true);
    let asked = served.pool.presence(&SESSION, &[]);
    let stop = async {
        eventually(|| served.node.calls() == 1).await;
        served.stop.cancel();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!served.serving.is_finished());
        served.node.hang(false);
    };
    let (answered, ()) = tokio::join!(asked, stop);
    assert!(answered.is_ok());
    served.serving.await.unwrap();
    assert_eq!(served.metrics.connections.get(), 0);
}

async fn a_client_that_breaks_off_or_talks_nonsense_costs_its_connection_only(
    ends: Ends,
    world: (Runtime, ManualClock),
) {
    let served = Served::new(ends, world).await;
    served.works().await;
    let ask = Ask::Store {
        session: SESSION,
        chunks: vec![reference(&chunk(5, 5000))],
    };
    let mut bytes = Vec::new();
    let frame = Frame {
        message: wire::encode(1, &ask).unwrap(),
        payload: vec![chunk(5, 5000).bytes],
    };
    frame::write(&mut bytes, &frame).await.unwrap();
    let calls = served.node.calls();
    for cut in [1, 11, 12, 30, 1000, bytes.len() - 1] {
        let mut stream = served.raw().await;
        stream.writer.write_all(&bytes[..cut]).await.unwrap();
        stream.writer.flush().await.unwrap();
        drop(stream);
    }
    let mut nonsense = bytes.clone();
    nonsense[0] ^= 1;
    let short_message = b"DFb\x01\x03\0\0\0\0\0\0\0abc".to_vec();
    for bad in [nonsense, short_message, b"GET / HTTP/1.1\r\n\r\n".to_vec()] {
        let mut stream = served.raw().await;
        stream.writer.write_all(&bad).await.unwrap();
        stream.writer.flush().await.unwrap();
        let mut rest = Vec::new();
        // The end, or an error: no answer.
        let _ = stream.reader.read_to_end(&mut rest).await;
        assert_eq!(rest, b"");
    }
    assert_eq!(served.node.calls(), calls);
    served.works().await;
    let open = served.asking.connections.get();
    eventually(|| served.metrics.connections.get() == open).await;
}

async fn a_server_that_breaks_off_or_talks_nonsense_is_silent(
    ends: Ends,
    (runtime, clock): (Runtime, ManualClock),
) {
    let mut listener = ends.server.listen(&ends.address).await.unwrap();
    let address = listener.address().unwrap();
    let asking = Metrics::default();
    let pool = Pool::new(
        NODE,
        &*address,
        Arc::clone(&ends.client),
        runtime,
        asking.clone(),
    );
    let right = wire::Answer::Presence(Err(MALFORMED));
    let other_kind = wire::Answer::Fetch(Ok(vec![]));
    let other_number = frame_of(99, &right).await;
    let bad_answers = [
        Vec::new(),
        frame_of(0, &right).await[..20].to_vec(),
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        b"DFb\x01\xff\xff\xff\xff\0\0\0\0".to_vec(),
        other_number,
        b"DFb\x01\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x77".to_vec(),
        frame_of(0, &other_kind).await,
    ];
    for (number, bad) in bad_answers.into_iter().enumerate() {
        let respond = async {
            // A request is asked twice if its connection broke.
            for _ in 0..2 {
                let mut stream = accept(&mut *listener).await;
                let _ = answer(&mut stream).await;
                stream.writer.write_all(&bad).await.unwrap();
                stream.writer.flush().await.unwrap();
                let _ = stream.writer.shutdown().await;
            }
            std::future::pending::<()>().await;
        };
        let asked = tokio::select! {
            asked = pool.presence(&SESSION, &[]) => asked,
            () = respond => unreachable!("it never ends"),
        };
        assert_eq!(asked, Err(SILENT), "bad answer {number}");
        // What is left of this round is forgotten.
        while tokio::time::timeout(Duration::from_millis(20), listener.accept())
            .await
            .is_ok()
        {}
        clock.advance(REDIAL_PAUSE);
    }
    assert_eq!(asking.in_flight.get(), 0);
}

async fn a_client_that_does_not_read_is_held_up_and_then_dropped(
    ends: Ends,
    world: (Runtime, ManualClock),
) {
    let served = Served::new(ends, world).await;
    let large = chunk(1, MAX_CHUNK_BYTES);
    served
        .pool
        .store(&SESSION, std::slice::from_ref(&large))
        .await
        .unwrap();
    let calls = served.node.calls();
    let ask = Ask::Fetch {
        domain: SESSION.domain,
        chunks: vec![reference(&large); 4],
    };
    let mut stream = served.raw().await;
    let asked = async {
        for number in 0..200 {
            let message = wire::encode(number, &ask).unwrap();
            let frame = Frame {
                message,
                payload: Vec::new(),
            };
            if frame::write(&mut stream.writer, &frame).await.is_err() {
                return;
            }
        }
    };
    let asked = tokio::time::timeout(Duration::from_millis(500), asked);
    let _ = asked.await;
    // What fits into the system's buffers, and what may be under way.
    let begun = served.node.calls() - calls;
    assert!(begun <= 3 * MAX_PIPELINED as u64, "{begun} requests begun");
    assert_eq!(
        served.metrics.in_flight.get(),
        0,
        "answers are there, and wait to be written"
    );
    served.works().await;
    served.clock.advance(FRAME_DEADLINE);
    let open = served.asking.connections.get();
    eventually(|| served.metrics.connections.get() == open).await;
    served.works().await;
}

async fn a_client_that_stops_in_the_middle_is_dropped(ends: Ends, world: (Runtime, ManualClock)) {
    let served = Served::new(ends, world).await;
    let mut begun = served.raw().await;
    begun
        .writer
        .write_all(b"DFb\x01\x05\0\0\0\0\0\0\0ab")
        .await
        .unwrap();
    begun.writer.flush().await.unwrap();
    let mut idle = served.raw().await;
    eventually(|| served.metrics.connections.get() == 2).await;
    // Until the server waits for the rest of the frame.
    tokio::time::sleep(Duration::from_millis(20)).await;
    served.clock.advance(FRAME_DEADLINE);
    let mut rest = Vec::new();
    let _ = begun.reader.read_to_end(&mut rest).await;
    eventually(|| served.metrics.connections.get() == 1).await;
    served.clock.advance(IDLE);
    let _ = idle.reader.read_to_end(&mut rest).await;
    eventually(|| served.metrics.connections.get() == 0).await;
    assert_eq!(rest, b"");
    let _ = &served.runtime;
}

async fn accept(listener: &mut dyn Listener) -> Stream {
    listener.accept().await.unwrap()
}

/// The next frame on a stream.
async fn answer(stream: &mut Stream) -> Frame {
    let prefix = frame::read_prefix(&mut stream.reader).await.unwrap();
    frame::read_rest(&mut stream.reader, prefix.unwrap())
        .await
        .unwrap()
}

fn frame_of(number: u64, answer: &wire::Answer) -> impl Future<Output = Vec<u8>> {
    let frame = Frame {
        message: wire::encode(number, answer).unwrap(),
        payload: Vec::new(),
    };
    async move {
        let mut bytes = Vec::new();
        frame::write(&mut bytes, &frame).await.unwrap();
        bytes
    }
}

/// Who is at each end, by the names that both transports see.
pub(super) async fn peers_are_known(ends: Ends, client: &str, server: &str) {
    let mut listener = ends.server.listen(&ends.address).await.unwrap();
    let address = listener.address().unwrap();
    let (here, there) = tokio::join!(ends.client.connect(&address), listener.accept());
    assert_eq!(here.unwrap().peer.to_string(), server);
    assert_eq!(there.unwrap().peer.to_string(), client);
    let names: HashSet<&str> = [client, server].into();
    assert_eq!(names.len(), 2);
}
