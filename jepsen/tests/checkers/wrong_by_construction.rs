//! Histories that break a promise, each in the smallest way, and their twins
//! that do not.

use std::time::Duration;

use jepsen::checkers::{
    Porcupine, check_atomicity, check_linearizability, check_progress, join_values, registers,
};
use jepsen::history::{Action, Event, Outcome};

fn event(action: Action, times: (u64, u64), expected: &str, value: &str) -> Event {
    let some = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    Event {
        process: format!("client-{}", times.0),
        action,
        key: "refs/heads/a".to_owned(),
        expected: some(expected),
        value: some(value),
        through: "frontend1".to_owned(),
        invoked_us: times.0,
        completed_us: times.1,
        outcome: Outcome::Ok,
        answered: true,
        said: String::new(),
    }
}

fn read(times: (u64, u64), value: &str) -> Event {
    event(Action::Read, times, "", value)
}

fn swap(times: (u64, u64), expected: &str, value: &str) -> Event {
    event(Action::Swap, times, expected, value)
}

fn unknown(mut event: Event) -> Event {
    event.outcome = Outcome::Unknown;
    event
}

fn failed(mut event: Event) -> Event {
    event.outcome = Outcome::Fail;
    event
}

/// What an overwrite may and may not do.
fn overwrites() -> Vec<(&'static str, bool, Vec<Event>)> {
    let overwrite = |times, value| event(Action::Overwrite, times, "", value);
    vec![
        (
            "an overwrite of what is there",
            true,
            vec![
                swap((1, 2), "", "a"),
                overwrite((3, 4), "b"),
                read((5, 6), "b"),
            ],
        ),
        (
            "an overwrite of what is not",
            false,
            vec![overwrite((1, 2), "b"), read((3, 4), "b")],
        ),
    ]
}

#[test]
fn wrong_histories_are_told_from_right_ones() {
    let mut cases: Vec<(&str, bool, Vec<Event>)> = vec![
        ("nothing", true, vec![]),
        (
            "a stale read",
            false,
            vec![swap((1, 2), "", "a"), read((3, 4), "")],
        ),
        (
            "a read beside the swap",
            true,
            vec![swap((1, 4), "", "a"), read((2, 3), "")],
        ),
        (
            "a lost update",
            false,
            vec![
                swap((1, 2), "", "a"),
                swap((3, 4), "a", "b"),
                swap((5, 6), "a", "c"),
            ],
        ),
        (
            "two winners of one name",
            false,
            vec![swap((1, 9), "", "a"), swap((2, 8), "", "b")],
        ),
        (
            "an acknowledged write that was forgotten",
            false,
            vec![
                swap((1, 2), "", "a"),
                swap((3, 4), "a", "b"),
                read((5, 6), "a"),
            ],
        ),
        (
            "a read that goes back",
            false,
            vec![swap((1, 9), "", "a"), read((2, 3), "a"), read((4, 5), "")],
        ),
        (
            "an unknown swap that happened late",
            true,
            vec![
                unknown(swap((1, 2), "", "a")),
                read((3, 4), ""),
                read((5, 6), "a"),
            ],
        ),
        (
            "a refused swap that happened",
            false,
            vec![failed(swap((1, 2), "", "a")), read((3, 4), "a")],
        ),
    ];
    cases.extend(overwrites());
    let porcupine = Porcupine::find().unwrap();
    for (name, right, events) in cases {
        let verdict = check_linearizability("refs", &registers(&events, |_| true), &porcupine);
        assert_eq!(verdict.kept, Some(right), "{name}: {}", verdict.said);
    }
}

#[test]
fn a_split_atomic_push_is_seen() {
    let some = |value: &str| Some(value.to_owned());
    assert_eq!(join_values(&[some("a"), some("a")]), some("a"));
    assert_eq!(join_values(&[None, None]), None);
    let whole = [read((1, 2), "a")];
    check_atomicity(&whole, |_| true).unwrap();
    for values in [[some("a"), some("b")], [some("a"), None]] {
        let mut split = read((1, 2), "");
        split.value = join_values(&values);
        let error = check_atomicity(&[split.clone()], |_| true).unwrap_err();
        assert!(error.to_string().contains("in part"), "{error}");
        check_atomicity(&[split], |_| false).unwrap();
    }
}

#[test]
fn a_fault_during_which_writes_stood_still_is_seen() {
    let fault = |name: &str| Event::fault(name.to_owned(), "eu".to_owned(), 100, 200);
    let cases: [(&str, bool, Vec<Event>); 6] = [
        ("no fault", true, vec![]),
        ("no write", false, vec![fault("region")]),
        (
            "writes all the while",
            true,
            vec![
                swap((105, 140), "", "a"),
                swap((141, 170), "a", "b"),
                fault("region"),
            ],
        ),
        (
            "writes that came to an end",
            false,
            vec![swap((105, 140), "", "a"), fault("region")],
        ),
        (
            "reads and writes that were not acknowledged",
            false,
            vec![
                swap((105, 140), "", "a"),
                unknown(swap((141, 170), "a", "b")),
                read((141, 180), "a"),
                fault("region"),
            ],
        ),
        ("another fault", true, vec![fault("kill")]),
    ];
    for (name, right, events) in cases {
        let checked = check_progress(&events, "region", Duration::from_micros(50));
        assert_eq!(checked.is_ok(), right, "{name}: {checked:?}");
    }
}
