//! Which replicas a group should have, and the next step towards them.
//!
//! Both are pure functions: of the map, and of what the group's leader knows. Every node that
//! takes part has a replica of every group; which of them vote follows the policy of order.
//!
//! What it keeps true: one step is one change; a step is taken only if of the voters after it a
//! majority answers; a voter that answers is let go only when its successors vote; when a node
//! joins or leaves, no voters change but those that it takes the place of, or whose place it
//! leaves.
//!
//! Not here: who takes the steps (`storage-node/server`).

use std::collections::BTreeSet;

use chunking::ChunkId;

use super::{ClusterMap, Node, Policies, Standing};
use crate::placement::place;
use crate::{DedupDomain, GroupId, NodeId};

/// The replicas that a group should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seats {
    /// Those that vote.
    pub voters: BTreeSet<NodeId>,
    /// Those that follow.
    pub learners: BTreeSet<NodeId>,
    /// Voters of the home region, one of which should lead; none if there is no such region.
    pub home: BTreeSet<NodeId>,
}

/// The replicas that a group has, as its leader knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// Those that vote.
    pub voters: BTreeSet<NodeId>,
    /// Those that follow.
    pub learners: BTreeSet<NodeId>,
    /// Who leads.
    pub leader: NodeId,
    /// Those that have answered lately, with the leader.
    pub heard: BTreeSet<NodeId>,
    /// Those of them that have nearly the whole log, with the leader.
    pub near: BTreeSet<NodeId>,
    /// A change is half done.
    pub joint: bool,
    /// Those that are too slow to lead while another can.
    pub slow: BTreeSet<NodeId>,
    /// Those that are known not to be, the fastest first.
    pub sound: Vec<NodeId>,
}

/// One change of a group's replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The change that is half done is finished.
    Settle,
    /// A node becomes a learner.
    Learn(NodeId),
    /// A learner becomes a voter.
    Promote(NodeId),
    /// A voter becomes a learner.
    Demote(NodeId),
    /// A member is none any more.
    Remove(NodeId),
    /// Another voter leads.
    Lead(NodeId),
}

impl ClusterMap {
    /// The replicas that a group should have by this map.
    pub fn seats(&self, group: GroupId) -> Seats {
        let standing = |node: &Node| self.standing(node.id);
        let is_reachable = |node: &&Node| !node.control.is_empty();
        let active: Vec<Node> = self
            .nodes
            .iter()
            .filter(|node| standing(node) == Standing::Active)
            .filter(is_reachable)
            .cloned()
            .collect();
        let stay = self.nodes.iter().filter(is_reachable).filter(|node| {
            matches!(
                standing(node),
                Standing::Joining | Standing::Active | Standing::Draining
            )
        });
        let stay: BTreeSet<NodeId> = stay.map(|node| node.id).collect();
        let all: BTreeSet<NodeId> = active.iter().map(|node| node.id).collect();
        let (mut voters, mut home) = (all.clone(), None);
        if let Some(order) = &self.members.order {
            home = order.home.as_deref();
            let among = Self {
                policies: Policies {
                    default: order.clone(),
                    ..Policies::default()
                },
                nodes: active.clone(),
                ..self.clone()
            };
            let name = ChunkId::of(&group.0.to_be_bytes());
            let placed = place(&name, DedupDomain(0), &among);
            if !placed.is_empty() {
                voters = placed.into_iter().collect();
            }
        }
        let home = active
            .iter()
            .filter(|node| Some(node.region.as_str()) == home);
        let home = home.map(|node| node.id).filter(|id| voters.contains(id));
        Seats {
            home: home.collect(),
            learners: stay.difference(&voters).copied().collect(),
            voters,
        }
    }
}

impl Seats {
    /// The next step towards these replicas; nothing if none can be taken now, or is needed.
    pub fn next_step(&self, now: &Replicas) -> Option<Step> {
        if now.joint {
            return Some(Step::Settle);
        }
        let is_member = |id: &NodeId| now.voters.contains(id) || now.learners.contains(id);
        if let Some(id) = self.all().find(|id| !is_member(id)) {
            return Some(Step::Learn(id));
        }
        if let Some(id) = now
            .learners
            .iter()
            .find(|id| !self.all().any(|s| s == **id))
        {
            return Some(Step::Remove(*id));
        }
        let ready = |id: &&NodeId| now.learners.contains(id) && now.near.contains(id);
        if let Some(id) = self.voters.iter().find(ready) {
            return Some(Step::Promote(*id));
        }
        self.retire(now).or_else(|| self.lead(now))
    }

    /// The next voter to go: one that does not answer before one that does, the leader last.
    fn retire(&self, now: &Replicas) -> Option<Step> {
        let mut surplus: Vec<NodeId> = now.voters.difference(&self.voters).copied().collect();
        surplus.sort_by_key(|id| (now.heard.contains(id), *id == now.leader, *id));
        let complete = self.voters.is_subset(&now.voters) || now.voters.len() > self.voters.len();
        let going = surplus.into_iter().find(|id| {
            let after = now.voters.iter().filter(|voter| *voter != id);
            let heard = after.clone().filter(|voter| now.heard.contains(voter));
            let keeps_quorum = heard.count() * 2 > after.count();
            keeps_quorum && (complete || !now.heard.contains(id))
        })?;
        if going == now.leader {
            let heirs = self.voters.intersection(&now.voters);
            let heirs = heirs.filter(|heir| now.near.contains(heir) && **heir != now.leader);
            let heir = heirs.min_by_key(|heir| now.slow.contains(heir))?;
            return Some(Step::Lead(*heir));
        }
        Some(match self.learners.contains(&going) {
            true => Step::Demote(going),
            false => Step::Remove(going),
        })
    }

    /// Who should lead instead: for a leader that is slow a voter that is not, of the home region
    /// if there is one; else one of the home region that is not slow.
    fn lead(&self, now: &Replicas) -> Option<Step> {
        let can = |id: &NodeId| {
            let votes = self.voters.contains(id) && now.voters.contains(id);
            votes && now.near.contains(id) && *id != now.leader && !now.slow.contains(id)
        };
        if now.slow.contains(&now.leader) {
            let heirs = now.sound.iter().filter(|id| can(id));
            // Of equals the first is taken, which is the fastest.
            let heir = heirs.min_by_key(|id| !self.home.contains(id))?;
            return Some(Step::Lead(*heir));
        }
        if self.home.contains(&now.leader) {
            return None;
        }
        self.home
            .iter()
            .find(|id| can(id))
            .map(|id| Step::Lead(*id))
    }

    fn all(&self) -> impl Iterator<Item = NodeId> {
        self.voters.iter().chain(&self.learners).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

    use super::super::tests::{anywhere, map, regions};
    use super::{ClusterMap, NodeId, Replicas, Seats, Step};
    use crate::GroupId;
    use crate::map::{FailureDomain, MembersChange, Policy};

    fn ids(numbers: impl IntoIterator<Item = u64>) -> BTreeSet<NodeId> {
        numbers.into_iter().map(NodeId).collect()
    }

    fn order(map: &mut ClusterMap, copies: crate::map::Copies, home: Option<&str>) {
        map.members.order = Some(Policy {
            copies,
            survive: FailureDomain::Node,
            home: home.map(str::to_owned),
        });
    }

    fn replicas(voters: BTreeSet<NodeId>, leader: u64) -> Replicas {
        Replicas {
            heard: voters.clone(),
            near: voters.clone(),
            voters,
            learners: BTreeSet::new(),
            leader: NodeId(leader),
            joint: false,
            slow: BTreeSet::new(),
            sound: Vec::new(),
        }
    }

    /// Takes a step, as a group does in which `dead` do not answer.
    fn take(now: &mut Replicas, step: Step, dead: &BTreeSet<NodeId>) {
        match step {
            Step::Settle => now.joint = false,
            Step::Learn(id) => drop(now.learners.insert(id)),
            Step::Promote(id) => {
                assert!(now.learners.remove(&id));
                now.voters.insert(id);
            }
            Step::Demote(id) => {
                assert!(now.voters.remove(&id) && id != now.leader);
                now.learners.insert(id);
            }
            Step::Remove(id) => {
                assert!(id != now.leader);
                assert!(now.voters.remove(&id) || now.learners.remove(&id));
            }
            Step::Lead(id) => {
                assert!(now.voters.contains(&id));
                now.leader = id;
            }
        }
        let members = now.voters.union(&now.learners);
        now.heard = members.filter(|id| !dead.contains(id)).copied().collect();
        now.near = now.heard.clone();
    }

    fn run(seats: &Seats, now: &mut Replicas, dead: &BTreeSet<NodeId>) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(step) = seats.next_step(now) {
            take(now, step, dead);
            steps.push(step);
            let heard = now.voters.intersection(&now.heard).count();
            assert!(heard * 2 > now.voters.len(), "{steps:?} leave {now:?}");
            assert!(steps.len() < 100, "{steps:?}");
        }
        steps
    }

    #[test]
    fn a_drained_leader_hands_over_before_it_goes_and_its_successor_votes_first() {
        let mut map = map("a1 a1 a1 a1");
        order(&mut map, anywhere(3), None);
        let group = GroupId(16);
        let before = map.seats(group);
        let going = *before.voters.first().unwrap();
        let spare = *before.learners.first().unwrap();
        let mut now = replicas(before.voters.clone(), going.0);
        now.learners = before.learners.clone();
        now.heard.insert(spare);
        now.near.insert(spare);
        assert_eq!(before.next_step(&now), None);
        let map = map.changed(&MembersChange::Drain(going)).unwrap();
        let seats = map.seats(group);
        let steps = run(&seats, &mut now, &BTreeSet::new());
        let heir = now.leader;
        assert_eq!(
            steps,
            [Step::Promote(spare), Step::Lead(heir), Step::Demote(going)]
        );
        let map = map.changed(&MembersChange::Drained(going)).unwrap();
        let steps = run(&map.seats(group), &mut now, &BTreeSet::new());
        assert_eq!(steps, [Step::Remove(going)]);
    }

    #[test]
    fn a_voter_that_answers_is_kept_while_its_successor_is_dead() {
        let mut map = map("a1 a1 a1 a1");
        order(&mut map, anywhere(3), None);
        let before = map.seats(GroupId(16));
        let (going, dead) = (before.voters.first().unwrap(), before.learners.clone());
        let seats = map.changed(&MembersChange::Drain(*going)).unwrap();
        let leader = before.voters.last().unwrap().0;
        let mut now = replicas(before.voters.clone(), leader);
        now.learners = dead.clone();
        assert_eq!(run(&seats.seats(GroupId(16)), &mut now, &dead), []);
    }

    #[test]
    fn the_home_region_leads_if_it_can() {
        let mut map = map("a1 b1 c1 a1");
        order(&mut map, regions("a1 b1 c1"), Some("b"));
        let seats = map.seats(GroupId(16));
        assert_eq!((seats.voters.len(), seats.learners.len()), (3, 1));
        let leader = *seats.voters.iter().find(|id| **id != NodeId(2)).unwrap();
        let mut now = replicas(seats.voters.clone(), leader.0);
        now.learners = seats.learners.clone();
        assert_eq!(seats.next_step(&now), Some(Step::Lead(NodeId(2))));
        now.near.remove(&NodeId(2));
        assert_eq!(seats.next_step(&now), None);
    }

    #[test]
    fn a_slow_leader_makes_room_for_the_fastest_and_home_does_not_call_it_back() {
        // Voters: 1 in a, 2 in b (home), 3 in c; the leader, the slow, the sound, who is behind.
        type Case = (
            u64,
            &'static [u64],
            &'static [u64],
            &'static [u64],
            Option<u64>,
        );
        let cases: [Case; 10] = [
            (2, &[], &[3, 1], &[], None),
            (2, &[2], &[3, 1], &[], Some(3)),
            (2, &[2], &[1, 3], &[], Some(1)),
            // Only to who is near, and known to be sound.
            (2, &[2], &[3, 1], &[3], Some(1)),
            (2, &[2], &[3, 1], &[1, 3], None),
            (2, &[2], &[], &[], None),
            (2, &[1, 2, 3], &[], &[], None),
            // Not back home while home is slow, and then again.
            (3, &[2], &[1, 3], &[], None),
            (3, &[], &[1, 2, 3], &[], Some(2)),
            // Home before the fastest.
            (3, &[3], &[1, 2], &[], Some(2)),
        ];
        let mut map = map("a1 b1 c1");
        order(&mut map, regions("a1 b1 c1"), Some("b"));
        let seats = map.seats(GroupId(16));
        for case in cases {
            let (leader, slow, sound, behind, expected) = case;
            let mut now = replicas(seats.voters.clone(), leader);
            now.slow = ids(slow.iter().copied());
            now.sound = sound.iter().copied().map(NodeId).collect();
            for id in behind {
                now.near.remove(&NodeId(*id));
            }
            let expected = expected.map(|id| Step::Lead(NodeId(id)));
            assert_eq!(seats.next_step(&now), expected, "{case:?}");
            // Whoever was chosen is left alone: one step, and no second one.
            let steps = run(&seats, &mut now, &BTreeSet::new());
            assert!(steps.len() <= 1, "{case:?}: {steps:?}");
        }
    }

    fn worlds() -> impl Strategy<Value = (ClusterMap, BTreeSet<NodeId>, BTreeSet<NodeId>, u64)> {
        let places =
            prop::collection::vec(prop::sample::select(vec!["a1", "a2", "b1", "c1"]), 2..9);
        places.prop_flat_map(|places| {
            let nodes = places.len() as u64;
            let subset = || prop::collection::btree_set(1..=nodes, 1..=places.len());
            let copies = prop::option::of(1_u8..6);
            let text = places.join(" ");
            let draining = prop::collection::btree_set(1..=nodes, 0..places.len());
            (
                Just(text),
                subset(),
                subset(),
                copies,
                draining,
                any::<u64>(),
            )
                .prop_map(|(text, voters, heard, copies, draining, seed)| {
                    let mut map = map(&text);
                    if let Some(copies) = copies {
                        order(&mut map, anywhere(copies), None);
                    }
                    for id in draining {
                        let index = usize::try_from(id - 1).unwrap();
                        map.nodes[index].draining = true;
                    }
                    (map, ids(voters), ids(heard), seed)
                })
        })
    }

    proptest! {
        #[test]
        fn steps_end_and_never_leave_a_group_without_a_quorum_that_answers(
            (map, voters, heard, seed) in worlds()
        ) {
            let all: BTreeSet<NodeId> = map.nodes.iter().map(|node| node.id).collect();
            let live: Vec<NodeId> = voters.intersection(&heard).copied().collect();
            if live.len() * 2 > voters.len() {
                let leader = live[usize::try_from(seed).unwrap_or(0) % live.len()];
                let dead: BTreeSet<NodeId> = all.difference(&heard).copied().collect();
                let mut now = replicas(voters, leader.0);
                now.heard = live.iter().copied().collect();
                now.near = now.heard.clone();
                let seats = map.seats(GroupId(seed));
                run(&seats, &mut now, &dead);
                if dead.is_empty() {
                    prop_assert_eq!(&now.voters, &seats.voters);
                    prop_assert_eq!(&now.learners, &seats.learners);
                }
            }
        }

        #[test]
        fn a_node_that_goes_changes_no_voters_but_its_own(
            (map, _, _, seed) in worlds()
        ) {
            let group = GroupId(seed);
            let before = map.seats(group);
            for node in &map.nodes {
                if let Ok(after) = map.changed(&MembersChange::Drain(node.id)) {
                    let after = after.seats(group);
                    let left: Vec<_> = before.voters.difference(&after.voters).collect();
                    let came = after.voters.difference(&before.voters).count();
                    if before.voters.contains(&node.id) {
                        // With zones that are full another may take the freed one's place.
                        prop_assert!(left.contains(&&node.id) && came <= left.len());
                        prop_assert!(left.len() <= 2, "{:?} to {:?}", before, after);
                    } else {
                        prop_assert!(left.is_empty() && came == 0);
                    }
                }
            }
        }
    }
}
