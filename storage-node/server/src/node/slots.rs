//! New groups, and slots on their way to them.
//!
//! Every node opens its replicas of the groups that the map has. Each step of a move is taken by
//! whoever leads the group that it is up to, from what the group's own state says, so that a crash costs the
//! step that was under way and no more: the receiver's leader copies, the giver's tells that it has
//! closed, the cluster group's begins the next move.

use storage_node_api::GroupId;
use storage_node_api::map::{CLUSTER_GROUP, ClusterMap, Moving, Phase, SLOTS_VERSION, SlotsChange};
use storage_node_api::node::Node;
use storage_node_api::order::{Answer, Command, Query, Reply};
use storage_node_api::slots::{Borders, Import, SlotPage};
use storage_node_api::{MapEpoch, ReadPoint};
use storage_node_machine::query;

use super::StorageNode;
use super::keeper::Kept;

/// Pages, or entries that forget, after which the rest waits for the next look, so that other
/// groups have their turn.
const ENTRIES: usize = 64;

impl StorageNode {
    /// Opens the replicas that this node lacks, and begins the groups that are new.
    pub(super) async fn keep_groups(&self, map: &ClusterMap) {
        for id in map.data_groups() {
            if self.group(id).is_none() && !self.parts.rebuilds.is_pending(id) {
                self.open_group(id).await;
            }
        }
        for made in map.moves.made.iter().filter(|made| !made.up) {
            let Some(group) = self.group(made.group) else {
                continue;
            };
            if made.voters.iter().any(|(id, _)| *id == self.id()) {
                let voter = |(id, address): &(_, String)| {
                    let storage_node_api::NodeId(id) = *id;
                    let address = address.clone();
                    (raft::NodeId(id), raft::Peer { address })
                };
                let voters = made.voters.iter().map(voter).collect();
                // Whoever has heard of the group already has begun.
                if let Err(error) = group.initialize(voters).await {
                    tracing::warn!(group.id = made.group.0, %error, "a new group cannot begin");
                }
            }
        }
    }

    async fn open_group(&self, id: GroupId) {
        let machine = self.parts.machines.of(id);
        match self.parts.raft.open(raft::GroupId(id.0), machine).await {
            Ok(_) => tracing::info!(group.id = id.0, "opened a replica of a new group"),
            // Taken up again at the next look.
            Err(error) => tracing::warn!(group.id = id.0, %error, "a replica cannot be opened"),
        }
    }

    /// Called where a data group is led: takes the steps of a move that are up to it.
    pub(super) async fn keep_slots(&self, id: GroupId, map: &ClusterMap) -> Kept {
        if map.machine_version < SLOTS_VERSION {
            return Kept::InLine;
        }
        let Some((adopted, borders)) = self.borders(id) else {
            return Kept::NotYet;
        };
        if adopted < map.epoch {
            return Kept::NotYet;
        }
        if map
            .moves
            .made
            .iter()
            .any(|made| made.group == id && !made.up)
        {
            self.tell_slots(map, SlotsChange::Up(id)).await;
            return Kept::More;
        }
        let is_rid = borders.leftover.is_empty();
        let forgets = !is_rid && self.forget(id).await;
        if let Some(moving) = map.moves.moving {
            match moving.phase {
                Phase::Copying if moving.to == id && !forgets => self.receive(&moving, map).await,
                Phase::Closing if moving.from == id => {
                    self.tell_slots(map, SlotsChange::Closed(moving.number))
                        .await;
                }
                _ => {}
            }
            if moving.from == id || moving.to == id {
                return Kept::More;
            }
        }
        match (forgets, is_rid) {
            (true, _) => Kept::More,
            (false, false) => Kept::NotYet,
            (false, true) => Kept::InLine,
        }
    }

    /// Called where the cluster group is led: begins the next move, unless a backup reads one of its
    /// two groups.
    pub(super) async fn drive_moves(&self, map: &ClusterMap) {
        let Some(next) = map.next_move() else { return };
        for id in [next.from, next.to] {
            let hold = self.ask(id, map, Query::Hold).await;
            if !matches!(hold, Some(Answer::Hold(None))) {
                return;
            }
        }
        let begin = SlotsChange::Begin(map.moves.begun);
        let (seen, change) = (map.epoch, begin);
        let change = Command::ChangeSlots { seen, change };
        if let Some(Reply::Done) = self.commit(CLUSTER_GROUP, change).await {
            let (first, last) = (next.first.0, next.last.0);
            let (from, to) = (next.from.0, next.to.0);
            tracing::info!(first, last, from, to, "slots begin to move");
        }
    }

    /// The epoch that a group's replica here has adopted, and its borders.
    fn borders(&self, id: GroupId) -> Option<(MapEpoch, Borders)> {
        let view = self.view(id).ok()?;
        let Ok(Answer::Map(Some(adopted))) = query(&view, &Query::Map) else {
            return None;
        };
        match query(&view, &Query::Borders) {
            Ok(Answer::Borders(borders)) => Some((adopted.epoch, borders)),
            _ => None,
        }
    }

    /// Copies what is lacking of the slots, page by page.
    async fn receive(&self, moving: &Moving, map: &ClusterMap) {
        for _ in 0..ENTRIES {
            let Some((_, borders)) = self.borders(moving.to) else {
                return;
            };
            let received = borders.received;
            let received = received.filter(|received| received.number == moving.number);
            let (part, after) = match received {
                None => (0, Vec::new()),
                Some(received) => match received.next {
                    Some(next) => (received.parts, next),
                    None => {
                        self.tell_slots(map, SlotsChange::Copied(moving.number))
                            .await;
                        return;
                    }
                },
            };
            let Some(page) = self.slot_page(moving, map, after).await else {
                return;
            };
            let number = moving.number;
            let import = Import { number, part, page };
            if self
                .commit(moving.to, Command::Import(Box::new(import)))
                .await
                .is_none()
            {
                return;
            }
        }
    }

    /// One page, from any replica of the giver that has stopped writing to the slots.
    async fn slot_page(
        &self,
        moving: &Moving,
        map: &ClusterMap,
        after: Vec<u8>,
    ) -> Option<SlotPage> {
        let number = moving.number;
        let page = Query::SlotPage { number, after };
        let own = self.read(moving.from, ReadPoint::Stale, page.clone()).await;
        if let Ok(Answer::SlotPage(Some(page))) = own {
            return Some(*page);
        }
        for peer in self.peers_of(map) {
            let said = peer.read(moving.from, ReadPoint::Stale, page.clone()).await;
            if let Ok(Answer::SlotPage(Some(page))) = said {
                return Some(*page);
            }
        }
        None
    }

    /// An answer from whichever node can show that it is fresh.
    async fn ask(&self, id: GroupId, map: &ClusterMap, asked: Query) -> Option<Answer> {
        let own = self.read(id, ReadPoint::Linearizable, asked.clone()).await;
        if let Ok(answer) = own {
            return Some(answer);
        }
        for peer in self.peers_of(map) {
            let said = peer.read(id, ReadPoint::Linearizable, asked.clone()).await;
            if let Ok(answer) = said {
                return Some(answer);
            }
        }
        None
    }

    /// Forgets what is left of slots that went elsewhere; whether there is more.
    async fn forget(&self, id: GroupId) -> bool {
        for _ in 0..ENTRIES {
            if self.commit(id, Command::ForgetSlots).await.is_none() {
                return false;
            }
            let left = self.borders(id).map(|(_, borders)| borders.leftover);
            if left.is_none_or(|left| left.is_empty()) {
                return false;
            }
        }
        true
    }

    async fn tell_slots(&self, map: &ClusterMap, change: SlotsChange) {
        let seen = map.epoch;
        let change = Command::ChangeSlots { seen, change };
        self.tell_cluster(map, change).await;
    }
}
