//! What a script of git's suite prints: the Test Anything Protocol.

use super::exceptions;

/// What became of a script's tests. Every test is in one list.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) passed: Vec<String>,
    pub(super) failed: Vec<String>,
    /// Failed, and fails with C git's own servers too.
    pub(super) fails_with_git: Vec<String>,
    /// Passing or not, with why it does not count.
    pub(super) excepted: Vec<(String, &'static str)>,
    /// With what the machine lacks.
    pub(super) skipped: Vec<String>,
    /// The script came to its end, and every test was seen.
    pub(super) complete: bool,
}

impl Outcome {
    fn tests(&self) -> usize {
        self.passed.len() + self.failed.len() + self.excepted.len() + self.skipped.len()
    }

    /// Takes out of the failed what failed in a run with C git's servers as well.
    pub(super) fn excuse(&mut self, with_git: &Self) {
        let failed = std::mem::take(&mut self.failed).into_iter();
        (self.fails_with_git, self.failed) =
            failed.partition(|name| with_git.failed.contains(name));
    }

    /// Reads a script's output.
    pub(super) fn read(script: &str, text: &str) -> Self {
        let mut outcome = Self::default();
        for line in text.lines() {
            // The plan comes last; "1..0" is a script that skipped itself.
            if let Some(plan) = line.strip_prefix("1..") {
                outcome.complete = plan.trim().parse() == Ok(outcome.tests()) && plan != "0";
            }
            let (ok, rest) = match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
                (Some(rest), _) => (true, rest),
                (_, Some(rest)) => (false, rest),
                (None, None) => continue,
            };
            let (number, name) = rest.split_once(' ').unwrap_or((rest, ""));
            let name = name.trim_start_matches("- ");
            let shown = format!("{number} {name}");
            let known_broken = name.contains(concat!("# TO", "DO known breakage"));
            if let Some(why) = exceptions::reason(script, name) {
                outcome.excepted.push((shown, why));
            } else if name.starts_with("# skip") || (known_broken && !ok) {
                outcome.skipped.push(shown);
            } else if ok {
                outcome.passed.push(shown);
            } else {
                outcome.failed.push(shown);
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn what_fails_with_git_too_is_no_failure() {
        let mut ours = Outcome::read("t1", "not ok 1 - a\nnot ok 2 - b\n1..2\n");
        ours.excuse(&Outcome::read("t1", "not ok 1 - a\nok 2 - b\n1..2\n"));
        assert_eq!(
            (ours.failed, ours.fails_with_git),
            (vec!["2 b".into()], vec!["1 a".into()])
        );
    }

    #[test]
    fn every_line_of_a_test_is_counted_once() {
        let text = "ok 1 - setup\nnot ok 2 - packfile-uri with transfer.fsckobjects\n#\tgit clone\nok 3 # skip x (missing TTY)\n\
            not ok 4 - packfile-uri with\nnot ok 5 - later # TODO known breakage\n\
            ok 6 - part of packfile response provided as URI\n# failed 2\n1..6\n";
        let outcome = Outcome::read("t5702", text);
        assert_eq!(outcome.passed, ["1 setup"]);
        assert_eq!(outcome.failed, ["4 packfile-uri with"]);
        let excepted: Vec<_> = outcome.excepted.iter().map(|(name, _)| &name[..]).collect();
        assert_eq!(
            excepted,
            [
                "2 packfile-uri with transfer.fsckobjects",
                "6 part of packfile response provided as URI"
            ]
        );
        assert_eq!(outcome.skipped.len(), 2);
        assert!(outcome.complete);
        assert!(!Outcome::read("t5702", "ok 1 - setup\n1..2\n").complete);
        assert!(!Outcome::read("t5702", "1..0 # SKIP no httpd\n").complete);
    }
}
