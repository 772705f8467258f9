//! A checker of linearizability for one register with compare-and-swap.
//!
//! The search of Wing and Gong with the memory of Lowe: it takes calls one by
//! one in an order that real time allows, and never looks twice at the same
//! set of taken calls with the same value.

use std::collections::BTreeSet;

/// The most steps of one search.
const MAX_STEPS: usize = 500_000;

/// One call and what it was told.
#[derive(Clone, Debug)]
pub(super) struct Call<V> {
    pub(super) called: u64,
    /// Nothing if it is not known whether it took effect, or ever will.
    pub(super) returned: Option<u64>,
    pub(super) effect: Effect<V>,
}

/// What a call did, or would do.
#[derive(Clone, Debug)]
pub(super) enum Effect<V> {
    /// It found this value.
    Read(V),
    /// It found the first value and left the second.
    Swap(V, V),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    Linearizable,
    Not,
    /// The search took too many steps.
    TooHard,
}

/// Which calls were taken.
type Taken = Vec<u64>;

fn is_taken(taken: &Taken, index: usize) -> bool {
    taken[index / 64] & (1 << (index % 64)) != 0
}

fn take(taken: &mut Taken, index: usize) {
    taken[index / 64] |= 1 << (index % 64);
}

/// Whether a register that begins with `first` can have answered so.
pub(super) fn judge<V: Clone + Ord>(first: &V, calls: &[Call<V>]) -> Judgement {
    let mut seen: BTreeSet<(Taken, V)> = BTreeSet::new();
    let mut open = vec![(vec![0; calls.len().div_ceil(64).max(1)], first.clone())];
    while let Some((mut taken, value)) = open.pop() {
        take_reads(calls, &mut taken, &value);
        let due = due(calls, &taken);
        let Some(due) = due else {
            return Judgement::Linearizable;
        };
        if !seen.insert((taken.clone(), value.clone())) {
            continue;
        }
        if seen.len() > MAX_STEPS {
            return Judgement::TooHard;
        }
        for (index, call) in calls.iter().enumerate() {
            let Effect::Swap(old, new) = &call.effect else {
                continue;
            };
            if call.called < due && *old == value && !is_taken(&taken, index) {
                let mut next = taken.clone();
                take(&mut next, index);
                open.push((next, new.clone()));
            }
        }
    }
    Judgement::Not
}

/// When the first of the calls that must still be taken was answered; nothing
/// if all were.
fn due<V>(calls: &[Call<V>], taken: &Taken) -> Option<u64> {
    let waiting = calls
        .iter()
        .enumerate()
        .filter(|(index, _)| !is_taken(taken, *index));
    waiting.filter_map(|(_, call)| call.returned).min()
}

/// Takes all reads of the present value that may come now: to take them later
/// could not make more possible.
fn take_reads<V: Eq>(calls: &[Call<V>], taken: &mut Taken, value: &V) {
    while let Some(due) = due(calls, taken) {
        let found = calls.iter().enumerate().find(|(index, call)| {
            let fits = matches!(&call.effect, Effect::Read(read) if read == value);
            fits && call.called < due && !is_taken(taken, *index)
        });
        // A call is answered after it was made, so the one that is due first may come now.
        match found {
            Some((index, _)) => take(taken, index),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Effect, Judgement, judge};

    fn read(called: u64, returned: u64, value: u8) -> Call<u8> {
        Call {
            called,
            returned: Some(returned),
            effect: Effect::Read(value),
        }
    }

    fn swap(called: u64, returned: impl Into<Option<u64>>, old: u8, new: u8) -> Call<u8> {
        Call {
            called,
            returned: returned.into(),
            effect: Effect::Swap(old, new),
        }
    }

    #[test]
    fn histories_are_judged_as_they_should_be() {
        use Judgement::{Linearizable, Not};
        let cases: Vec<(&str, Vec<Call<u8>>, Judgement)> = vec![
            ("nothing", vec![], Linearizable),
            (
                "a read of the first value",
                vec![read(1, 2, 0)],
                Linearizable,
            ),
            ("a value from nowhere", vec![read(1, 2, 7)], Not),
            (
                "a swap and a read",
                vec![swap(1, 2, 0, 1), read(3, 4, 1)],
                Linearizable,
            ),
            ("a stale read", vec![swap(1, 2, 0, 1), read(3, 4, 0)], Not),
            (
                "concurrent with the swap, either value",
                vec![swap(1, 6, 0, 1), read(2, 3, 0), read(4, 5, 1)],
                Linearizable,
            ),
            (
                "there and back again without a swap",
                vec![swap(1, 8, 0, 1), read(2, 3, 1), read(4, 5, 0)],
                Not,
            ),
            (
                "two swaps of one value",
                vec![swap(1, 2, 0, 1), swap(3, 4, 0, 2)],
                Not,
            ),
            (
                "an unknown swap that happened",
                vec![swap(1, None, 0, 1), read(2, 3, 0), read(4, 5, 1)],
                Linearizable,
            ),
            (
                "an unknown swap that did not",
                vec![swap(1, None, 0, 1), swap(2, 3, 0, 2), read(4, 5, 2)],
                Linearizable,
            ),
            (
                "an unknown swap before its call",
                vec![read(1, 2, 1), swap(3, None, 0, 1)],
                Not,
            ),
        ];
        for (name, calls, expected) in cases {
            assert_eq!(judge(&0, &calls), expected, "{name}");
        }
    }

    #[test]
    fn many_concurrent_unknown_swaps_are_no_trouble() {
        let mut calls: Vec<_> = (0..40)
            .map(|n| swap(n, None, 0, u8::try_from(n + 1).unwrap()))
            .collect();
        calls.push(read(100, 101, 17));
        calls.push(read(102, 103, 17));
        assert_eq!(judge(&0, &calls), Judgement::Linearizable);
        calls.push(read(104, 105, 18));
        assert_eq!(judge(&0, &calls), Judgement::Not);
    }
}
