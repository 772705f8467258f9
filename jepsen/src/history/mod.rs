//! What the clients of a run saw: its history.
//!
//! A history is a file of JSON lines, one [`Event`] each, in the order of their
//! ends:
//!
//! | field | meaning |
//! |---|---|
//! | `process` | who did it: a client (`refs-2`), or `nemesis`; one process does one thing at a time |
//! | `action` | `read`, `swap` (compare and swap), `overwrite`, `push`, `clone`, `delete`, or `fault` |
//! | `key` | the register: a ref, a group of refs, a name; a repository; for a fault its name |
//! | `expected` | the value that a swap demands; `null` is *absent* |
//! | `value` | what was found by a read, or was to be left by a write; `null` is *absent* |
//! | `through` | the frontend that was asked |
//! | `invoked_us`, `completed_us` | microseconds since the start of the run, by one monotone clock |
//! | `outcome` | `ok`: it happened between the two times; `fail`: it never did and never will; `unknown`: it may have happened at any time after `invoked_us`, or not |
//! | `answered` | whether a server said something definite, be it a refusal: what availability counts |
//! | `said` | the words of a refusal or an error; for a fault what exactly was done |
//!
//! Who is not sure says `unknown`: a checker may only be misled by a wrong `ok`
//! or `fail`.

mod event;
mod recorder;

pub use event::{Action, Event, Outcome};
pub use recorder::Recorder;
