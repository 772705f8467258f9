use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rand::Rng;
use serde_json::{Value, json};

use super::Shared;
use super::door::{Answer, Door, Request};
use crate::history::{Action, Event, Outcome};

/// After so many calls another name is used.
const CALLS: usize = 40;
/// The longest pause between two calls of a client, in milliseconds.
const PAUSE_MS: u64 = 150;

/// Clients that make repositories of one name, of which one may win, and change
/// and read their descriptions, which are the values of the register.
#[derive(Debug, Default)]
pub(crate) struct Names {
    calls: AtomicUsize,
    /// Makes names and values unlike those of other runs on the same cluster.
    pub(super) run: String,
}

impl Names {
    /// Clients of names that no other run has.
    pub(crate) fn of_run(run: String) -> Self {
        Self {
            calls: AtomicUsize::new(0),
            run,
        }
    }

    /// Calls until stopped.
    pub(super) fn work(&self, shared: &Shared, number: usize) -> anyhow::Result<()> {
        let mut random = rand::rng();
        while shared.is_running() {
            let door = &shared.doors[random.random_range(0..shared.doors.len())];
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            let key = self.key(call / CALLS);
            let process = format!("names-{number}");
            let action = match random.random_range(0..10) {
                0..5 => Action::Read,
                5..8 => Action::Swap,
                _ => Action::Overwrite,
            };
            let value = format!("{}-{call}", self.run);
            call_once(shared, process, action, &key, Some(value), door)?;
            thread::sleep(Duration::from_millis(random.random_range(0..PAUSE_MS)));
        }
        Ok(())
    }

    /// Reads every name that was ever used.
    pub(super) fn read_all(&self, shared: &Shared, door: &Door) -> anyhow::Result<()> {
        for name in 0..=self.calls.load(Ordering::Relaxed) / CALLS {
            let process = format!("final-{}", door.name);
            call_once(shared, process, Action::Read, &self.key(name), None, door)?;
        }
        Ok(())
    }

    fn key(&self, number: usize) -> String {
        format!("name-{}-{number}", self.run)
    }
}

fn call_once(
    shared: &Shared,
    process: String,
    action: Action,
    key: &str,
    value: Option<String>,
    door: &Door,
) -> anyhow::Result<()> {
    let mut event = shared.begin(process, action, key, door);
    let one = format!("/api/v1/repos/{}/{key}", shared.owner);
    let (method, path, body) = match action {
        Action::Read => ("GET", one, Value::Null),
        Action::Swap => {
            let body = json!({"name": key, "description": value});
            ("POST", "/api/v1/user/repos".to_owned(), body)
        }
        _ => ("PATCH", one, json!({"description": value})),
    };
    let answer = door.send(&Request {
        method,
        path,
        headers: vec!["Content-Type: application/json".to_owned()],
        body: match &body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        },
        reads: action == Action::Read,
    })?;
    if action != Action::Read {
        event.value = value;
    }
    judge(&mut event, &answer);
    shared.end(event)
}

fn judge(event: &mut Event, answer: &Answer) {
    event.outcome = match answer.status {
        200..300 => Outcome::Ok,
        404 if event.action == Action::Read => Outcome::Ok,
        400..500 => Outcome::Fail,
        _ if !answer.sent => Outcome::Fail,
        _ => Outcome::Unknown,
    };
    event.answered = answer.sent && event.outcome != Outcome::Unknown;
    if event.action == Action::Read && answer.status == 200 {
        let description = serde_json::from_slice::<Value>(&answer.body)
            .ok()
            .and_then(|body| body["description"].as_str().map(str::to_owned));
        match description {
            Some(description) => event.value = Some(description),
            None => event.outcome = Outcome::Unknown,
        }
    }
    if event.outcome != Outcome::Ok {
        event.said = format!("{} {}", answer.status, answer.text());
    }
}
