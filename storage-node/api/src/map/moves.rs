//! Slots that go from one group to another, and groups that are being made.
//!
//! A division is ordered once and reached move by move. A move has two phases: while it is
//! [`Phase::Copying`] nobody writes to its slots and the receiver copies them; while it is
//! [`Phase::Closing`] the giver stops answering for them. Only then are they the receiver's. So at no time do two
//! groups answer for one slot, however late either hears of a map.
//!
//! A change is judged against one map and answers the next, or why not, as with
//! [`MembersChange`](super::MembersChange).
//!
//! Not here: what a group keeps of its slots (`storage-node/machine`), and who copies
//! (`storage-node/server`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ClusterMap, SlotRange};
use crate::{GroupId, MapEpoch, NodeId, Slot};

/// The most slots that one move takes, so that what waits for it does not wait long.
pub const MOVE_SLOTS: u16 = 64;

/// What a map has of moves, since [`SLOTS_VERSION`](super::SLOTS_VERSION).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moves {
    /// Groups without slots: new ones, and those whose last one left before another came.
    pub made: Vec<Made>,
    /// How the slots are to be divided; empty if they are as they are to be.
    pub wanted: Vec<SlotRange>,
    /// The move that is under way.
    pub moving: Option<Moving>,
    /// How many moves have begun: the number of the last one.
    pub begun: u64,
}

/// A group that owns no slot at present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The group.
    pub group: GroupId,
    /// Its first voters and where each listens for control. Each of them begins the group's log with
    /// just these, so that it does not matter which of them does.
    pub voters: Vec<(NodeId, String)>,
    /// It has a leader and has adopted a map: its log has begun, and nobody reads the voters.
    pub up: bool,
}

/// Slots on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moving {
    /// Its number, from 1.
    pub number: u64,
    /// The first slot.
    pub first: Slot,
    /// The last slot, included.
    pub last: Slot,
    /// Who owned them when it began.
    pub from: GroupId,
    /// Who will.
    pub to: GroupId,
    /// How far it is.
    pub phase: Phase,
}

/// How far a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The giver refuses writes and answers reads; the receiver copies.
    Copying,
    /// The receiver has everything; the giver refuses both.
    Closing,
}

/// A change of the slots. Persisted in entries: variants are only ever added at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SlotsChange {
    /// Evenly over so many groups, of which those that are lacking are made.
    Divide(u16),
    /// These slots belong to that group.
    Move {
        /// The first slot.
        first: Slot,
        /// The last slot, included.
        last: Slot,
        /// Whose they are to be.
        to: GroupId,
    },
    /// What has not begun to move stays where it is.
    Stop,
    /// A new group is there: proposed by its leader.
    Up(GroupId),
    /// The next move, after so many: proposed by whoever leads the cluster.
    Begin(u64),
    /// The receiver has all of the move of that number: proposed by its leader.
    Copied(u64),
    /// The giver answers no more for the slots of the move of that number: proposed by its leader.
    Closed(u64),
}

impl SlotsChange {
    /// Whether an operator asks for it, who has looked at a map before.
    pub fn is_ordered(&self) -> bool {
        matches!(self, Self::Divide(_) | Self::Move { .. } | Self::Stop)
    }
}

/// Why a change of the slots is refused. Persisted in replies: variants are only ever added at the
/// end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum SlotsError {
    /// Groups are never taken away, and no group is without slots.
    #[error(
        "there are {now} groups: the number can grow to at most {}, not fall",
        Slot::COUNT
    )]
    BadCount {
        /// How many there are.
        now: u16,
    },
    /// Slots that there are not.
    #[error("slots are 0 to {}, the first not after the last", Slot::COUNT - 1)]
    BadSlots,
    /// A group that there is not.
    #[error(
        "group {0} has no slots and is not being made: slots go to a group that there is, or divide them over more groups"
    )]
    NoGroup(GroupId),
    /// A group keeps at least one slot.
    #[error("group {0} would be left without slots")]
    Emptied(GroupId),
    /// Nobody could vote in a new group.
    #[error("no node can take part in a new group yet")]
    NoVoters,
    /// There is nothing to stop.
    #[error("no slots are waiting to be moved")]
    Idle,
    /// It is done already, or not due: the map says where the move is.
    #[error("the move is not at this step")]
    Past,
}

impl ClusterMap {
    /// The groups that own slots, each once, in order.
    pub fn owners(&self) -> Vec<GroupId> {
        let owners = self.groups.iter().map(|range| range.group);
        owners.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The groups that own slots or are made to, each once, in order.
    pub fn data_groups(&self) -> Vec<GroupId> {
        let owners = self.groups.iter().map(|range| range.group);
        let made = self.moves.made.iter().map(|made| made.group);
        owners
            .chain(made)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// The move that a slot is in.
    pub fn moving(&self, slot: Slot) -> Option<&Moving> {
        let moving = self.moves.moving.as_ref();
        moving.filter(|moving| moving.first <= slot && slot <= moving.last)
    }

    /// How many slots are not where they are to be.
    pub fn slots_to_move(&self) -> usize {
        if self.moves.wanted.is_empty() {
            return usize::from(self.moves.moving.is_some());
        }
        let pairs = owners(&self.groups)
            .into_iter()
            .zip(owners(&self.moves.wanted));
        pairs.filter(|(now, wanted)| now != wanted).count()
    }

    /// The map after a change of the slots, of the next epoch.
    pub fn moved(&self, change: &SlotsChange) -> Result<Self, SlotsError> {
        let mut map = self.clone();
        map.epoch = MapEpoch(self.epoch.0 + 1);
        match change {
            SlotsChange::Divide(count) => map.divide(*count)?,
            SlotsChange::Move { first, last, to } => map.want(*first, *last, *to)?,
            SlotsChange::Stop if map.moves.wanted.is_empty() => return Err(SlotsError::Idle),
            SlotsChange::Stop => map.moves.wanted.clear(),
            SlotsChange::Up(group) => map.up(*group)?,
            SlotsChange::Begin(begun) => {
                let next = self.next_move().filter(|_| self.moves.begun == *begun);
                map.moves.moving = Some(next.ok_or(SlotsError::Past)?);
                map.moves.begun += 1;
            }
            SlotsChange::Copied(number) => {
                map.step(*number, Phase::Copying)?.phase = Phase::Closing;
            }
            SlotsChange::Closed(number) => {
                let moving = *map.step(*number, Phase::Closing)?;
                map.finish(&moving);
            }
        }
        Ok(map)
    }

    /// The move that should begin now.
    pub fn next_move(&self) -> Option<Moving> {
        if self.moves.moving.is_some() || self.moves.wanted.is_empty() {
            return None;
        }
        let is_up = |id| {
            !self
                .moves
                .made
                .iter()
                .any(|made| made.group == id && !made.up)
        };
        let pairs = owners(&self.groups)
            .into_iter()
            .zip(owners(&self.moves.wanted));
        let mut slots = (0..).map(Slot).zip(pairs);
        let goes = |(from, to): &(GroupId, GroupId)| from != to && is_up(*to);
        let (first, (from, to)) = slots.find(|(_, pair)| goes(pair))?;
        let along = slots.take_while(|(_, pair)| *pair == (from, to));
        let last = along.take(usize::from(MOVE_SLOTS) - 1).last();
        Some(Moving {
            number: self.moves.begun + 1,
            first,
            last: last.map_or(first, |(slot, _)| slot),
            from,
            to,
            phase: Phase::Copying,
        })
    }

    fn divide(&mut self, count: u16) -> Result<(), SlotsError> {
        let mut groups = self.data_groups();
        let now = u16::try_from(groups.len()).unwrap_or(u16::MAX);
        if count < now || count > Slot::COUNT {
            return Err(SlotsError::BadCount { now });
        }
        let last = groups
            .last()
            .map_or(super::FIRST_DATA_GROUP.0, |last| last.0);
        for number in 1..=u64::from(count - now) {
            let group = GroupId(last + number);
            let voters = self.seats(group).voters.into_iter();
            let address = |id| Some((id, self.node(id)?.control.clone()));
            let voters: Vec<_> = voters.filter_map(address).collect();
            if voters.is_empty() {
                return Err(SlotsError::NoVoters);
            }
            let up = false;
            self.moves.made.push(Made { group, voters, up });
            groups.push(group);
        }
        self.set_wanted(&even(&owners(&self.groups), &groups));
        Ok(())
    }

    fn want(&mut self, first: Slot, last: Slot, to: GroupId) -> Result<(), SlotsError> {
        if first > last || last.0 >= Slot::COUNT {
            return Err(SlotsError::BadSlots);
        }
        let groups = self.data_groups();
        if !groups.contains(&to) {
            return Err(SlotsError::NoGroup(to));
        }
        let mut wanted = match self.moves.wanted.is_empty() {
            true => owners(&self.groups),
            false => owners(&self.moves.wanted),
        };
        wanted[usize::from(first.0)..=usize::from(last.0)].fill(to);
        let made = |id: &GroupId| self.moves.made.iter().any(|made| made.group == *id);
        if let Some(empty) = groups.iter().find(|id| !wanted.contains(id) && !made(id)) {
            return Err(SlotsError::Emptied(*empty));
        }
        self.set_wanted(&wanted);
        Ok(())
    }

    fn set_wanted(&mut self, wanted: &[GroupId]) {
        // What is under way comes to its end first, and goes back then if it must.
        let is_reached = self.moves.moving.is_none() && owners(&self.groups) == wanted;
        self.moves.wanted = if is_reached {
            Vec::new()
        } else {
            ranges(wanted)
        };
    }

    fn up(&mut self, group: GroupId) -> Result<(), SlotsError> {
        let made = self.moves.made.iter_mut();
        let waits = |made: &&mut Made| made.group == group && !made.up;
        let made = made.into_iter().find(waits).ok_or(SlotsError::Past)?;
        made.up = true;
        Ok(())
    }

    fn step(&mut self, number: u64, phase: Phase) -> Result<&mut Moving, SlotsError> {
        let moving = self.moves.moving.as_mut();
        let is_due = |moving: &&mut Moving| moving.number == number && moving.phase == phase;
        moving.filter(is_due).ok_or(SlotsError::Past)
    }

    fn finish(&mut self, moving: &Moving) {
        let mut owners = owners(&self.groups);
        owners[usize::from(moving.first.0)..=usize::from(moving.last.0)].fill(moving.to);
        self.groups = ranges(&owners);
        self.moves.moving = None;
        self.moves.made.retain(|made| made.group != moving.to);
        if !owners.contains(&moving.from) {
            // It stays a group: what it is to have is on its way, and its members open it by this map.
            self.moves.made.push(Made {
                group: moving.from,
                voters: Vec::new(),
                up: true,
            });
        }
        let wanted = std::mem::take(&mut self.moves.wanted);
        if !wanted.is_empty() {
            self.set_wanted(&self::owners(&wanted));
        }
    }
}

/// The owner of each slot.
fn owners(ranges: &[SlotRange]) -> Vec<GroupId> {
    let mut owners = vec![super::FIRST_DATA_GROUP; usize::from(Slot::COUNT)];
    for range in ranges {
        let slots = owners.get_mut(usize::from(range.first.0)..=usize::from(range.last.0));
        slots.into_iter().for_each(|slots| slots.fill(range.group));
    }
    owners
}

/// As few ranges as say the same.
fn ranges(owners: &[GroupId]) -> Vec<SlotRange> {
    let mut ranges: Vec<SlotRange> = Vec::new();
    for (slot, group) in (0..).map(Slot).zip(owners) {
        match ranges.last_mut() {
            Some(range) if range.group == *group => range.last = slot,
            _ => ranges.push(SlotRange {
                first: slot,
                last: slot,
                group: *group,
            }),
        }
    }
    ranges
}

/// An even division that moves as few slots as it can: a group with too many gives its last ones, to
/// those with too few, in order.
fn even(now: &[GroupId], groups: &[GroupId]) -> Vec<GroupId> {
    let (each, more) = (now.len() / groups.len(), now.len() % groups.len());
    // Whoever has most slots gets one of those that are left over.
    let mut counts: BTreeMap<GroupId, usize> = groups.iter().map(|group| (*group, 0)).collect();
    for group in now {
        *counts.entry(*group).or_default() += 1;
    }
    let mut order: Vec<GroupId> = groups.to_vec();
    order.sort_by_key(|group| (std::cmp::Reverse(counts[group]), *group));
    let share = |rank: usize| each + usize::from(rank < more);
    let mut left: BTreeMap<GroupId, usize> =
        (0..).map(share).zip(order).map(|(n, g)| (g, n)).collect();
    let mut wanted = Vec::with_capacity(now.len());
    let mut surplus = Vec::new();
    for (slot, group) in now.iter().enumerate() {
        match left.get_mut(group) {
            Some(left) if *left > 0 => *left -= 1,
            _ => surplus.push(slot),
        }
        wanted.push(*group);
    }
    let takers = left
        .into_iter()
        .flat_map(|(group, count)| std::iter::repeat_n(group, count));
    for (slot, group) in surplus.into_iter().zip(takers) {
        wanted[slot] = group;
    }
    wanted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::super::tests::map;
    use super::{MOVE_SLOTS, Phase, SlotsChange, SlotsError, even, owners, ranges};
    use crate::map::{ClusterMap, FIRST_DATA_GROUP};
    use crate::{GroupId, Slot};

    const FIRST: GroupId = FIRST_DATA_GROUP;
    const SECOND: GroupId = GroupId(FIRST_DATA_GROUP.0 + 1);

    fn after(map: &ClusterMap, change: &SlotsChange) -> ClusterMap {
        let next = map.moved(change).unwrap();
        assert_eq!(next.epoch.0, map.epoch.0 + 1);
        next
    }

    /// Brings all moves to their end; how many there were.
    fn settle(map: &mut ClusterMap) -> u64 {
        for made in map.moves.made.clone() {
            if !made.up {
                *map = after(map, &SlotsChange::Up(made.group));
            }
        }
        let began = map.moves.begun;
        while let Some(next) = map.next_move() {
            assert!(next.last.0 - next.first.0 < MOVE_SLOTS);
            *map = after(map, &SlotsChange::Begin(map.moves.begun));
            *map = after(map, &SlotsChange::Copied(next.number));
            assert_eq!(map.group_of(next.first), next.from);
            *map = after(map, &SlotsChange::Closed(next.number));
            assert_eq!(map.group_of(next.first), next.to);
        }
        map.moves.begun - began
    }

    #[test]
    fn slots_are_divided_over_more_groups_move_by_move() {
        let mut map = map("a1 a1 a1");
        map = after(&map, &SlotsChange::Divide(2));
        assert_eq!(map.data_groups(), [FIRST, SECOND]);
        assert_eq!(map.moves.made[0].voters.len(), 3);
        assert_eq!(map.slots_to_move(), 512);
        // Nothing moves to a group that is not up.
        assert_eq!(map.next_move(), None);
        assert_eq!(map.moved(&SlotsChange::Begin(0)), Err(SlotsError::Past));
        assert_eq!(settle(&mut map), u64::from(512 / MOVE_SLOTS));
        assert_eq!(map.groups, ClusterMap::divide_slots(2));
        assert_eq!((map.moves.made.len(), map.moves.wanted.len()), (0, 0));
        assert_eq!(map.moves.moving, None);
    }

    #[test]
    fn each_step_is_taken_once_and_in_its_order() {
        let mut map = after(&map("a1"), &SlotsChange::Divide(2));
        map = after(&map, &SlotsChange::Up(SECOND));
        assert_eq!(map.moved(&SlotsChange::Up(SECOND)), Err(SlotsError::Past));
        map = after(&map, &SlotsChange::Begin(0));
        let moving = map.moves.moving.unwrap();
        assert_eq!((moving.number, moving.phase), (1, Phase::Copying));
        assert_eq!(map.moving(moving.first), Some(&moving));
        assert_eq!(map.moving(Slot(moving.last.0 + 1)), None);
        for early in [
            SlotsChange::Closed(1),
            SlotsChange::Copied(2),
            SlotsChange::Begin(1),
        ] {
            assert_eq!(map.moved(&early), Err(SlotsError::Past));
        }
        map = after(&map, &SlotsChange::Copied(1));
        assert_eq!(map.moved(&SlotsChange::Copied(1)), Err(SlotsError::Past));
        // What is under way is not stopped; the rest is.
        map = after(&map, &SlotsChange::Stop);
        map = after(&map, &SlotsChange::Closed(1));
        assert_eq!(map.moved(&SlotsChange::Closed(1)), Err(SlotsError::Past));
        assert_eq!((map.next_move(), map.slots_to_move()), (None, 0));
        assert_eq!(map.moved(&SlotsChange::Stop), Err(SlotsError::Idle));
        // And back.
        let (first, last) = (moving.first, moving.last);
        map = after(
            &map,
            &SlotsChange::Move {
                first,
                last: Slot(last.0 - 1),
                to: FIRST,
            },
        );
        assert_eq!(settle(&mut map), 1);
        assert_eq!(map.group_of(first), FIRST);
        let rest = SlotsChange::Move {
            first: last,
            last,
            to: FIRST,
        };
        assert_eq!(map.moved(&rest), Err(SlotsError::Emptied(SECOND)));
    }

    #[test]
    fn a_group_whose_last_slots_leave_before_others_come_stays_a_group() {
        let mut map = after(&map("a1 a1 a1"), &SlotsChange::Divide(2));
        let to = |first, last, to| SlotsChange::Move {
            first: Slot(first),
            last: Slot(last),
            to,
        };
        for change in [to(0, 1023, FIRST), to(0, 0, SECOND)] {
            map = after(&map, &change);
        }
        settle(&mut map);
        assert_eq!(map.group_of(Slot(0)), SECOND);
        // Its only slot is the first to go.
        for change in [to(5, 5, SECOND), to(0, 0, FIRST)] {
            map = after(&map, &change);
        }
        while let Some(next) = map.next_move() {
            for change in [
                SlotsChange::Begin(map.moves.begun),
                SlotsChange::Copied(next.number),
                SlotsChange::Closed(next.number),
            ] {
                map = after(&map, &change);
                assert_eq!(map.data_groups(), [FIRST, SECOND]);
            }
        }
        assert_eq!((map.group_of(Slot(5)), map.moves.made.len()), (SECOND, 0));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_reason() {
        let map = after(&map("a1"), &SlotsChange::Divide(3));
        let slots = |first, last, to| SlotsChange::Move {
            first: Slot(first),
            last: Slot(last),
            to: GroupId(to),
        };
        for (change, error) in [
            (SlotsChange::Divide(2), SlotsError::BadCount { now: 3 }),
            (SlotsChange::Divide(1025), SlotsError::BadCount { now: 3 }),
            (slots(5, 4, 16), SlotsError::BadSlots),
            (slots(0, 1024, 16), SlotsError::BadSlots),
            (slots(0, 1, 2), SlotsError::NoGroup(GroupId(2))),
            (slots(0, 1023, 17), SlotsError::Emptied(GroupId(16))),
        ] {
            assert_eq!(map.moved(&change), Err(error));
        }
        let mut nobody = map.clone();
        nobody.nodes[0].control.clear();
        assert_eq!(
            nobody.moved(&SlotsChange::Divide(4)),
            Err(SlotsError::NoVoters)
        );
    }

    proptest! {
        #[test]
        fn a_division_is_even_and_moves_no_more_than_it_must(
            counts in prop::collection::vec(1_u16..80, 1..12),
        ) {
            let mut counts = counts;
            counts.sort_unstable();
            let mut map = map("a1 a1");
            for count in counts {
                let Ok(next) = map.moved(&SlotsChange::Divide(count)) else { continue };
                let groups = next.data_groups();
                let (before, wanted) = (owners(&map.groups), even(&owners(&map.groups), &groups));
                for group in &groups {
                    let has = wanted.iter().filter(|owner| *owner == group).count();
                    prop_assert!(has == 1024 / groups.len() || has == 1024 / groups.len() + 1);
                }
                // What moves goes to who had too few.
                let moved = before.iter().zip(&wanted).filter(|(a, b)| a != b).count();
                let most = 1024 / groups.len() + 1;
                let lacking: usize = groups.iter().map(|group| {
                    most.saturating_sub(before.iter().filter(|owner| *owner == group).count())
                }).sum();
                prop_assert!(moved <= lacking);
                map = next;
                settle(&mut map);
                prop_assert_eq!(owners(&map.groups), wanted);
                prop_assert_eq!(ranges(&owners(&map.groups)), map.groups.clone());
            }
        }
    }
}
