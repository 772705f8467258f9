use serde::{Deserialize, Serialize};

/// What a client knows of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was acknowledged.
    Ok,
    /// It was refused, or never sent: it did not happen.
    Fail,
    /// Nobody said.
    Unknown,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Looked at a register.
    Read,
    /// Moved a register from `expected` to `value`.
    Swap,
    /// Gave a register that is not absent the value `value`.
    Overwrite,
    /// Pushed a commit with content of its own by real git.
    Push,
    /// Cloned all of a repository by real git.
    Clone,
    /// Deleted a repository.
    Delete,
    /// Broke something, and mended it at the end.
    Fault,
}

/// One line of a history; see the module's table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Who did it.
    pub process: String,
    /// What was done.
    pub action: Action,
    /// To which register.
    pub key: String,
    /// What a swap demanded.
    pub expected: Option<String>,
    /// What was found or was to be left.
    pub value: Option<String>,
    /// The frontend that was asked.
    pub through: String,
    /// Microseconds since the start.
    pub invoked_us: u64,
    /// Microseconds since the start.
    pub completed_us: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether a server said something definite.
    pub answered: bool,
    /// Its words.
    pub said: String,
}

impl Event {
    /// A fault of this name between two times.
    pub fn fault(name: String, said: String, invoked_us: u64, completed_us: u64) -> Self {
        Self {
            process: "nemesis".to_owned(),
            action: Action::Fault,
            key: name,
            expected: None,
            value: None,
            through: String::new(),
            invoked_us,
            completed_us,
            outcome: Outcome::Ok,
            answered: true,
            said,
        }
    }
}
