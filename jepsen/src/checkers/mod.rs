//! Judges of a history.
//!
//! Refs, groups of refs that are only ever pushed together, and names are
//! registers; each is judged by itself, which linearizability allows. Two
//! judges look at each: [`register`], ours, and porcupine, which is not. They
//! must agree.

mod atomicity;
mod linearizability;
mod porcupine;
mod progress;
pub mod register;
mod registers;

pub use atomicity::{check_atomicity, join_values};
pub use linearizability::check_linearizability;
pub use porcupine::Porcupine;
pub use progress::{check_progress, longest_gap_us};
pub use registers::{Registers, registers};

/// What a checker says in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The checker's name.
    pub checker: &'static str,
    /// Whether the promise was kept; nothing if that could not be told.
    pub kept: Option<bool>,
    /// What was looked at, or what is wrong.
    pub said: String,
}

impl Verdict {
    /// The verdict that a check's end amounts to.
    pub fn of(checker: &'static str, outcome: anyhow::Result<String>) -> Self {
        match outcome {
            Ok(said) => Self {
                checker,
                kept: Some(true),
                said,
            },
            Err(error) => Self {
                checker,
                kept: Some(false),
                said: format!("{error:#}"),
            },
        }
    }

    /// One word.
    pub fn word(&self) -> &'static str {
        match self.kept {
            Some(true) => "kept",
            Some(false) => "BROKEN",
            None => "unknown",
        }
    }
}
