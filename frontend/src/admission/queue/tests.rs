use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{Limits, Queue, Refused};
use crate::admission::{Cost, Tenant};

fn tenant(number: u8) -> Tenant {
    Tenant::Address(Ipv4Addr::new(192, 0, 2, number))
}

fn queue(working: u32, share: u32) -> Queue {
    Queue::new(Limits {
        working,
        share,
        waiting: 6,
        waiting_of_tenant: 4,
    })
}

#[test]
fn tenants_take_turns_and_keep_to_their_share() {
    let mut queue = queue(4, 3);
    let mut come = |number| queue.arrive(tenant(number), Cost::ONE).unwrap();
    let of_one: Vec<u64> = (0..4).map(|_| come(1)).collect();
    let of_two: Vec<u64> = (0..2).map(|_| come(2)).collect();
    let admitted = queue.admit();
    assert_eq!(admitted, [of_one[0], of_two[0], of_one[1], of_two[1]]);
    queue.leave(tenant(2), Cost::ONE);
    assert_eq!(queue.admit(), [of_one[2]], "up to its share");
    queue.leave(tenant(2), Cost::ONE);
    assert_eq!(
        queue.admit(),
        [0; 0],
        "there is room, but not for this tenant"
    );
    assert_eq!(
        queue.give_up(tenant(1), of_one[3]),
        Some(Refused::Share),
        "and it is told so"
    );
}

#[test]
fn cheap_requests_do_not_starve_a_dear_one() {
    let mut queue = queue(8, 8);
    for _ in 0..6 {
        queue.arrive(tenant(1), Cost::ONE).unwrap();
        assert_eq!(queue.admit().len(), 1);
    }
    let dear = queue.arrive(tenant(2), Cost(8)).unwrap();
    let cheap = queue.arrive(tenant(3), Cost::ONE).unwrap();
    assert_eq!(queue.admit(), [0; 0]);
    for _ in 0..6 {
        queue.leave(tenant(1), Cost::ONE);
    }
    assert_eq!(queue.admit(), [dear]);
    queue.leave(tenant(2), Cost(8));
    assert_eq!(queue.admit(), [cheap]);
}

#[test]
fn a_request_dearer_than_the_share_is_served_all_the_same() {
    let mut queue = queue(4, 2);
    queue.arrive(tenant(1), Cost(8)).unwrap();
    assert_eq!(queue.admit().len(), 1);
    let cost = queue.counted(Cost(8));
    queue.leave(tenant(1), cost);
    assert!(queue.tenants.is_empty());
}

#[test]
fn waiting_is_bounded_for_each_and_for_all() {
    let mut queue = queue(1, 1);
    queue.arrive(tenant(1), Cost::ONE).unwrap();
    assert_eq!(queue.admit().len(), 1);
    for _ in 0..4 {
        queue.arrive(tenant(1), Cost::ONE).unwrap();
    }
    assert_eq!(queue.arrive(tenant(1), Cost::ONE), Err(Refused::Share));
    for _ in 0..2 {
        queue.arrive(tenant(2), Cost::ONE).unwrap();
    }
    assert_eq!(queue.arrive(tenant(3), Cost::ONE), Err(Refused::Overloaded));
    assert_eq!(queue.tenants.len(), 2, "nothing is kept of the refused");
}

proptest! {
    #[test]
    fn limits_hold_and_nothing_is_left_behind(
        steps in proptest::collection::vec((any::<u8>(), 0..4u8, 1..9u32), 1..200)
    ) {
        let mut queue = queue(10, 6);
        let mut waiting = BTreeMap::new();
        let mut working = Vec::new();
        for (what, number, cost) in steps {
            let who = tenant(number);
            match what % 4 {
                0 | 1 => {
                    if let Ok(ticket) = queue.arrive(who, Cost(cost)) {
                        waiting.insert(ticket, (who, queue.counted(Cost(cost))));
                    }
                }
                2 if !working.is_empty() => {
                    let (who, cost) = working.swap_remove(usize::from(what) % working.len());
                    queue.leave(who, cost);
                }
                _ => {
                    if let Some((ticket, (who, _))) = waiting.pop_first() {
                        prop_assert!(queue.give_up(who, ticket).is_some());
                    }
                }
            }
            for ticket in queue.admit() {
                working.push(waiting.remove(&ticket).unwrap());
            }
            let units: u32 = working.iter().map(|(_, cost)| cost.0).sum();
            prop_assert!(units <= 10);
            for number in 0..4 {
                let own = working.iter().filter(|(who, _)| *who == tenant(number));
                prop_assert!(own.map(|(_, cost)| cost.0).sum::<u32>() <= 6);
            }
            prop_assert_eq!(queue.waiting, waiting.len());
            prop_assert!(waiting.len() <= 6);
        }
        // Everyone who still waits is served in the end.
        while let Some((who, cost)) = working.pop() {
            queue.leave(who, cost);
            for ticket in queue.admit() {
                working.push(waiting.remove(&ticket).unwrap());
            }
        }
        prop_assert!(waiting.is_empty());
        prop_assert!(queue.tenants.is_empty() && queue.round.is_empty());
    }
}
