/// One rule of the protocol. A model without it shows what the rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// An answer that a chunk is present touches it.
    PresenceTouches,
    /// From its barrier on, a group refuses commits of sessions that are older.
    BarrierRefusesOldSessions,
    /// A node drops nothing before it has listed every slot.
    SweepWaitsForAllSlots,
    /// A slot is listed only after its group's barrier of the node's generation.
    ListingFollowsBarrier,
    /// A slot is not listed, in one cycle, after its group's barrier of the next.
    ListingPrecedesNextBarrier,
    /// What was removed stays listed until the group's next barrier.
    RemovedStaysListed,
    /// What was removed is not listed after the group's next barrier.
    RemovedIsForgotten,
    /// The touch is looked at and the chunk dropped in one critical section.
    DropLooksAgain,
    /// All chunks of a node that starts again count as touched now.
    RestartTouches,
    /// What is now, a node that starts again asks the cluster group.
    RestartAsksTheCluster,
    /// A copy made by repair is touched.
    RepairTouches,
    /// A copy elsewhere than placed goes only when the placed node has confirmed.
    ExtraWaitsForConfirmation,
    /// A confirmation touches the copy that it confirms.
    ConfirmationTouches,
    /// A group that receives a slot takes at least the giving group's generation.
    MoveCarriesGeneration,
    /// A group that receives a slot goes on listing what was removed from it.
    MoveCarriesRemoved,
    /// A group that receives a slot takes at least the giving group's map epoch.
    MoveCarriesEpoch,
    /// A slot is listed only by the group that owns it.
    OnlyOwnersList,
    /// A group refuses receipts of nodes that its map has not.
    GroupsRefuseRemovedNodes,
    /// A node that left the map empties itself only by listings of groups that
    /// have adopted that map.
    LeavingWaitsForGroups,
    /// Purge moves the facts to `purging`, guarded, before it removes anything.
    PurgeIsGuarded,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::PresenceTouches,
        Self::BarrierRefusesOldSessions,
        Self::SweepWaitsForAllSlots,
        Self::ListingFollowsBarrier,
        Self::ListingPrecedesNextBarrier,
        Self::RemovedStaysListed,
        Self::RemovedIsForgotten,
        Self::DropLooksAgain,
        Self::RestartTouches,
        Self::RestartAsksTheCluster,
        Self::RepairTouches,
        Self::ExtraWaitsForConfirmation,
        Self::ConfirmationTouches,
        Self::MoveCarriesGeneration,
        Self::MoveCarriesRemoved,
        Self::MoveCarriesEpoch,
        Self::OnlyOwnersList,
        Self::GroupsRefuseRemovedNodes,
        Self::LeavingWaitsForGroups,
        Self::PurgeIsGuarded,
    ];
}
