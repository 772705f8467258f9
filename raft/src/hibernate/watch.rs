//! What keeps an eye on all groups of a node, and lets other nodes know that it is alive.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, join_all, select};
use futures_util::stream::FuturesUnordered;
use runtime::{BoxFuture, TaskHandle};

use super::nodes::{Boot, Nodes};
use super::sleep::Due;
use crate::limits::DOZING_GROUPS;
use crate::net::Lane;
use crate::net::message::{Answer, Message};
use crate::{Group, GroupId, NodeId, Raft};

/// The place of a group in messages that concern nodes.
const NODE: GroupId = GroupId(0);

/// After so many beats it is looked anew whom they go to.
const BEATS_PER_CENSUS: u64 = 8;

/// Campaigns that fall due within this time are begun together.
const STEP: Duration = Duration::from_millis(5);

/// What the watching task and the node share.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) nodes: Arc<Nodes>,
    allowed: AtomicBool,
    task: Mutex<Option<TaskHandle>>,
}

impl Watch {
    pub(crate) fn new(boot: Boot, patience: Duration) -> Self {
        Self {
            nodes: Arc::new(Nodes::new(boot, patience)),
            allowed: AtomicBool::new(false),
            task: Mutex::new(None),
        }
    }

    /// From now on groups may sleep.
    pub(crate) fn allow(&self) {
        self.allowed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_allowed(&self) -> bool {
        self.allowed.load(Ordering::Relaxed)
    }

    /// Begins to watch the groups of `raft`, for as long as it is there.
    pub(crate) fn begin(&self, raft: &Arc<Raft>) {
        let watching = Box::pin(run(Arc::downgrade(raft)));
        let task = raft.runtime().tasks.spawn("raft-watch", watching);
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Ends it, and lets go of all groups.
    pub(crate) async fn end(&self) {
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            task.abort();
            // Aborted or ended: in either case it holds nothing any more.
            let _ = task.join().await;
        }
    }
}

/// What was begun and goes on while the groups are watched. Bounded by the time that each part has.
type UnderWay = FuturesUnordered<BoxFuture<'static, ()>>;

async fn run(raft: Weak<Raft>) {
    let mut peers = BTreeMap::new();
    let (mut beats, mut next_beat) = (0_u64, Duration::ZERO);
    let mut under_way = UnderWay::new();
    loop {
        let Some(strong) = raft.upgrade() else { return };
        let clock = Arc::clone(&strong.runtime().clock);
        let now = clock.monotonic();
        let groups = strong.open_groups();
        let may_sleep = strong.may_sleep();
        if now >= next_beat {
            next_beat = now + strong.heartbeat();
            if may_sleep {
                if beats.is_multiple_of(BEATS_PER_CENSUS) {
                    peers = groups.iter().flat_map(Group::others).collect();
                }
                beats += 1;
                beat(&strong, &peers, now, &under_way);
            }
        }
        let next = look(&strong, groups, now, may_sleep, &under_way);
        let next = next.map_or(next_beat, |at| at.min(next_beat));
        drop(strong);
        let pause = next.saturating_sub(clock.monotonic()).max(STEP);
        let mut pause = pin!(clock.sleep(pause));
        loop {
            match select(&mut pause, under_way.next()).await {
                Either::Left(_) => break,
                Either::Right((Some(()), _)) => {}
                Either::Right((None, _)) => {
                    pause.await;
                    break;
                }
            }
        }
    }
}

/// Lets all peers know that this node is alive, and whether it hears them.
fn beat(raft: &Raft, peers: &BTreeMap<NodeId, Arc<str>>, now: Duration, under_way: &UnderWay) {
    for (node, address) in peers {
        let (node, address) = (*node, Arc::clone(address));
        let (outboxes, nodes) = (Arc::clone(raft.outboxes()), Arc::clone(raft.nodes()));
        let (boot, hears) = (nodes.own(), nodes.answers(node, now));
        under_way.push(Box::pin(async move {
            let message = Message::Beat { boot, hears };
            let sent = outboxes.send(node, &address, Lane::Beats, NODE, message);
            if let Ok(Answer::Beat(boot)) = sent.await {
                nodes.answered(node, boot, now);
            }
        }));
    }
}

/// Begins what has become due, and returns when the next campaign will.
fn look(
    raft: &Raft,
    groups: Vec<Group>,
    now: Duration,
    may_sleep: bool,
    under_way: &UnderWay,
) -> Option<Duration> {
    let (mut next, mut dozing) = (None::<Duration>, Vec::new());
    for group in groups {
        match group.due(now, may_sleep) {
            Due::Quiet if dozing.len() < DOZING_GROUPS => {
                dozing.extend(group.doze(now).map(|quiet| (group, quiet)));
            }
            Due::Quiet | Due::Nothing => {}
            Due::Stirred => under_way.push(Box::pin(async move { group.stir().await })),
            Due::Campaign(at) if at <= now => {
                under_way.push(Box::pin(async move { group.campaign().await }));
            }
            Due::Campaign(at) => next = Some(next.map_or(at, |next| next.min(at))),
        }
    }
    if !dozing.is_empty() {
        // Heartbeats that are under way would wake who was told.
        let pause = raft.runtime().clock.sleep(raft.heartbeat());
        under_way.push(Box::pin(async move {
            pause.await;
            let dozing = dozing.into_iter();
            join_all(dozing.map(|(group, quiet)| async move { group.sleep(quiet).await })).await;
        }));
    }
    next
}
