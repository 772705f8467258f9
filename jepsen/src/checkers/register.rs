//! Our judge of linearizability, for one register with compare-and-swap.
//!
//! The search of Wing and Gong with Lowe's memory: calls are taken one by one in
//! an order that real time allows, and no set of taken calls is looked at twice
//! with the same value. A call whose end is not known may be taken at any time
//! after its beginning, or never.

use std::collections::HashSet;

/// The most states that one search looks at before it gives up.
const MAX_STATES: usize = 400_000;

/// The value of a register that is absent.
pub const ABSENT: u32 = 0;

/// One call and what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it began.
    pub invoked: u64,
    /// When it ended; nothing if it is not known whether it took effect.
    pub completed: Option<u64>,
    /// What it did, or would do.
    pub effect: Effect,
}

/// What a call does at its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Finds this value.
    Read(u32),
    /// Finds the first value and leaves the second.
    Swap(u32, u32),
    /// Finds some value that is not [`ABSENT`], and leaves this one.
    Overwrite(u32),
}

/// What a judge says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// One register can have answered so.
    Linearizable,
    /// None can.
    Not,
    /// The search was given up.
    TooHard,
}

impl Effect {
    /// The value afterwards; nothing if the effect cannot come at this value.
    pub fn apply(self, value: u32) -> Option<u32> {
        match self {
            Self::Read(found) => (found == value).then_some(value),
            Self::Swap(old, new) => (old == value).then_some(new),
            Self::Overwrite(new) => (value != ABSENT).then_some(new),
        }
    }
}

/// Which calls were taken, and the value then.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    taken: Vec<u64>,
    value: u32,
}

impl State {
    fn has(&self, index: usize) -> bool {
        self.taken[index / 64] & (1 << (index % 64)) != 0
    }

    fn take(&mut self, index: usize, value: u32) {
        self.taken[index / 64] |= 1 << (index % 64);
        self.value = value;
    }

    /// The earliest end among calls that must still be taken; nothing if none must.
    fn deadline(&self, calls: &[Call]) -> Option<u64> {
        let left = calls.iter().enumerate().filter(|(i, _)| !self.has(*i));
        left.filter_map(|(_, call)| call.completed).min()
    }
}

/// Whether a register that begins [`ABSENT`] can have answered so.
pub fn judge(calls: &[Call]) -> Judgement {
    let first = State {
        taken: vec![0; calls.len().div_ceil(64).max(1)],
        value: ABSENT,
    };
    let mut seen = HashSet::new();
    let mut open = vec![first];
    while let Some(mut state) = open.pop() {
        let Some(deadline) = take_reads(&mut state, calls) else {
            return Judgement::Linearizable;
        };
        if seen.len() == MAX_STATES {
            return Judgement::TooHard;
        }
        if !seen.insert(state.clone()) {
            continue;
        }
        for (index, call) in calls.iter().enumerate() {
            let reads = matches!(call.effect, Effect::Read(_));
            if reads || call.invoked > deadline || state.has(index) {
                continue;
            }
            if let Some(value) = call.effect.apply(state.value) {
                let mut next = state.clone();
                next.take(index, value);
                open.push(next);
            }
        }
    }
    Judgement::Not
}

/// Takes every read that may come now: to wait with one could make nothing more
/// possible. Says by when another call must come; nothing if none must.
fn take_reads(state: &mut State, calls: &[Call]) -> Option<u64> {
    loop {
        let deadline = state.deadline(calls)?;
        let fits = |(index, call): &(usize, &Call)| {
            call.effect == Effect::Read(state.value)
                && call.invoked <= deadline
                && !state.has(*index)
        };
        let Some((index, _)) = calls.iter().enumerate().find(fits) else {
            return Some(deadline);
        };
        state.take(index, state.value);
    }
}
