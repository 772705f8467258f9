//! Three judges that share no code say the same of random histories.

use jepsen::checkers::register::{ABSENT, Call, Effect, Judgement, judge};
use jepsen::checkers::{Porcupine, Registers};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

/// The register as stateright wants it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Cell(u32);

impl SequentialSpec for Cell {
    type Op = Effect;
    type Ret = bool;

    /// Whose end is not known may be refused as well, which changes nothing.
    fn invoke(&mut self, effect: &Effect) -> bool {
        let after = effect.apply(self.0);
        self.0 = after.unwrap_or(self.0);
        after.is_some()
    }
}

/// A history of a true register, with answers and ends sometimes spoiled.
fn random_history(random: &mut StdRng) -> Vec<Call> {
    let mut value = ABSENT;
    let mut calls = Vec::new();
    for moment in 1..=random.random_range(1..8_u64) {
        let effect = match random.random_range(0..6) {
            0..=2 => Effect::Read(value),
            3..=4 => Effect::Swap(value, random.random_range(1..4)),
            _ => Effect::Overwrite(random.random_range(1..4)),
        };
        let Some(after) = effect.apply(value) else {
            continue;
        };
        let unknown = random.random_ratio(1, 5) && !matches!(effect, Effect::Read(_));
        if !unknown || random.random_bool(0.5) {
            value = after;
        }
        calls.push(Call {
            invoked: (moment * 10).saturating_sub(random.random_range(1..25)) + 30,
            completed: (!unknown).then(|| moment * 10 + random.random_range(1..25) + 30),
            effect,
        });
    }
    if !calls.is_empty() && random.random_bool(0.5) {
        let index = random.random_range(0..calls.len());
        calls[index].effect = match calls[index].effect {
            Effect::Read(_) => Effect::Read(random.random_range(0..4)),
            Effect::Swap(_, new) => Effect::Swap(random.random_range(0..4), new),
            Effect::Overwrite(_) => Effect::Overwrite(random.random_range(1..4)),
        };
    }
    calls
}

/// What stateright says. Each call is a thread of its own: only time orders them.
fn by_stateright(calls: &[Call]) -> bool {
    let mut moments: Vec<(u64, bool, usize)> = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        moments.push((call.invoked, false, index));
        moments.extend(call.completed.map(|end| (end, true, index)));
    }
    // At one moment beginnings come before ends: such calls are concurrent.
    moments.sort_unstable();
    let mut tester = LinearizabilityTester::new(Cell(ABSENT));
    for (_, ends, index) in moments {
        if ends {
            tester.on_return(index, true).unwrap();
        } else {
            tester.on_invoke(index, calls[index].effect).unwrap();
        }
    }
    tester.is_consistent()
}

#[test]
fn our_judge_and_stateright_agree_on_random_histories() {
    let mut random = StdRng::seed_from_u64(20);
    let mut counts = [0, 0];
    for _ in 0..4000 {
        let calls = random_history(&mut random);
        let theirs = by_stateright(&calls);
        counts[usize::from(theirs)] += 1;
        let ours = judge(&calls);
        assert_eq!(ours == Judgement::Linearizable, theirs, "{calls:?}");
        assert_ne!(ours, Judgement::TooHard);
    }
    assert!(counts.iter().all(|&count| count > 300), "{counts:?}");
}

#[test]
fn our_judge_and_porcupine_agree_on_random_histories() {
    let porcupine = Porcupine::find().unwrap();
    let mut random = StdRng::seed_from_u64(21);
    let histories: Registers = (0..2000)
        .map(|number| (number.to_string(), random_history(&mut random)))
        .collect();
    let Some(theirs) = porcupine.judge(&histories).unwrap() else {
        return;
    };
    assert_eq!(theirs.len(), histories.len());
    for (key, calls) in &histories {
        assert_eq!(judge(calls), theirs[key], "{calls:?}");
    }
}
