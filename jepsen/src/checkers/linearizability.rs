use super::register::{Judgement, judge};
use super::{Porcupine, Registers, Verdict};

/// Has both judges look at every register.
///
/// A register that one calls linearizable and the other not is a fault of a
/// judge, and counts as broken.
pub fn check_linearizability(
    checker: &'static str,
    registers: &Registers,
    porcupine: &Porcupine,
) -> Verdict {
    let theirs = match porcupine.judge(registers) {
        Ok(theirs) => theirs,
        Err(error) => return Verdict::of(checker, Err(error)),
    };
    let (mut calls, mut hard) = (0, 0);
    for (key, history) in registers {
        calls += history.len();
        let ours = judge(history);
        let their = theirs.as_ref().and_then(|all| all.get(key).copied());
        let problem = match (ours, their) {
            (Judgement::Not, None | Some(Judgement::Not | Judgement::TooHard))
            | (Judgement::TooHard, Some(Judgement::Not)) => "is not linearizable",
            (Judgement::Not, Some(Judgement::Linearizable))
            | (Judgement::Linearizable, Some(Judgement::Not)) => "has judges that disagree",
            (Judgement::TooHard, None | Some(Judgement::TooHard)) => {
                hard += 1;
                continue;
            }
            _ => continue,
        };
        let count = history.len();
        return Verdict::of(
            checker,
            Err(anyhow::anyhow!("{key} ({count} calls) {problem}")),
        );
    }
    let by = match theirs {
        Some(_) => "porcupine and our judge",
        None => "our judge alone: porcupine needs go",
    };
    let count = registers.len();
    Verdict {
        checker,
        kept: (hard == 0).then_some(true),
        said: match hard {
            0 => format!("{calls} calls on {count} registers, by {by}"),
            _ => format!("{hard} of {count} registers were too hard for {by}"),
        },
    }
}
