//! Going over all that the groups list, at one generation and by one map.

use storage_node_api::collect::Phase;
use storage_node_api::node::Node;
use storage_node_api::order::{Answer, Query};
use storage_node_api::{GroupId, ReadPoint};

use super::super::scrub::Pace;
use super::candidates::Candidates;
use super::sweep::{Kind, Stopped, Sweep};

/// What a listed chunk counts for in the pace: its place in a manifest and in the
/// answer.
const LISTED_BYTES: u64 = 96;

impl Sweep<'_> {
    /// Marks what is listed. Any page that is not of the sweep's own generation
    /// and map voids all of them.
    pub(super) async fn list(&self, candidates: &mut Candidates) -> Result<(), Stopped> {
        for group in self.groups() {
            let mut after = Some(Vec::new());
            while let Some(from) = after {
                let began = self.clock().monotonic();
                let (chunks, next) = self.page(group, from).await?;
                candidates.mark(&chunks);
                self.collecting().listed(chunks.len() as u64);
                after = next;
                let took = self.clock().monotonic().saturating_sub(began);
                self.rest(chunks.len() as u64 * LISTED_BYTES, took).await;
            }
        }
        Ok(())
    }

    /// Whether all groups have the sweep's generation and map: before that there is
    /// no need to look what could be dropped.
    pub(super) async fn check_groups(&self) -> Result<(), Stopped> {
        for group in self.groups() {
            self.page(group, Vec::new()).await?;
        }
        Ok(())
    }

    fn groups(&self) -> Vec<GroupId> {
        self.map.owners()
    }

    /// One page: of the node's own replica, or of another node's if it has none.
    async fn page(&self, group: GroupId, after: Vec<u8>) -> Result<Page, Stopped> {
        let removed = self.kind == Kind::Drops;
        let query = Query::Listing { after, removed };
        let own = self.node.read(group, ReadPoint::Stale, query.clone()).await;
        if let Ok(answer) = own {
            return self.accept(answer);
        }
        for peer in self.node.peers_of(&self.map) {
            let asked = peer.read(group, ReadPoint::Stale, query.clone()).await;
            if let Some(page) = asked.ok().and_then(|answer| self.accept(answer).ok()) {
                return Ok(page);
            }
        }
        self.collecting().enter(Phase::Waits);
        Err(Stopped::NoListing { group })
    }

    fn accept(&self, answer: Answer) -> Result<Page, Stopped> {
        let Answer::Listing {
            generation,
            epoch,
            chunks,
            next,
        } = answer
        else {
            return Err(Stopped::Moved);
        };
        if (generation, epoch) != (self.map.generation, self.map.epoch) {
            self.collecting().enter(Phase::Waits);
            return Err(Stopped::Moved);
        }
        Ok((chunks, next))
    }

    /// Leaves the disk to others for as long as the pace says.
    pub(super) async fn rest(&self, bytes: u64, took: std::time::Duration) {
        let pace = self.collecting().pace();
        let pause = pace.pause(bytes, took);
        if pace == Pace::Fast || pause.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::select! {
                () = self.clock().sleep(pause) => {}
                () = self.collecting().woken() => {}
            }
        }
    }
}

/// Chunks, and where the next page begins.
type Page = (
    Vec<(storage_node_api::DedupDomain, chunking::ChunkRef)>,
    Option<Vec<u8>>,
);
