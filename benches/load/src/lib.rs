//! Load on something that runs already, and how it took it: workers that repeat
//! an operation, in a closed loop or on a timetable, and the figures of it.
//!
//! What it keeps true:
//! - What happens in the warm-up is counted apart and in no figure.
//! - On a timetable, an operation's time begins when it was due, not when a
//!   worker came to it: a server that stalls is charged for everybody who would
//!   have asked meanwhile. A closed loop cannot do that (it asks nothing while
//!   it waits: *coordinated omission*), so its report says that it was one.
//! - Failed operations are counted, by message, and have no part in latencies.
//! - Workers, kinds of errors, buckets of time and an operation's length are
//!   bounded.
//!
//! Not here: what the operations are, and to whom.

mod chart;
mod drive;
mod page;
mod plan;
mod record;
mod text;

pub use chart::histogram;
pub use drive::{Operation, Progress, Stop, drive};
pub use page::page;
pub use plan::{MAX_RATE, MAX_WORKERS, Plan, PlanError};
pub use record::{Bucket, Figures, MAX_KINDS, Measured};
pub use text::{bytes, duration, summary};
