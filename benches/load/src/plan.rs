use std::time::Duration;

/// Workers of one run.
pub const MAX_WORKERS: usize = 4096;
/// Operations a second that a timetable may have.
pub const MAX_RATE: f64 = 1_000_000.0;
/// The longest part of a run.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// How a run goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Operations under way at a time.
    pub workers: usize,
    /// Operations a second, of all workers together; a closed loop if none.
    pub rate: Option<f64>,
    /// What goes before and is not measured.
    pub warm_up: Duration,
    /// What is measured.
    pub duration: Duration,
    /// How long one operation may take before it counts as failed.
    pub limit: Duration,
}

/// A plan that cannot be carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// None, or too many.
    #[error("{workers} workers are asked for: take 1 to {MAX_WORKERS}")]
    Workers {
        /// How many.
        workers: usize,
    },
    /// Not a rate, or too high.
    #[error("{rate} operations a second are asked for: take more than 0 and at most {MAX_RATE}")]
    Rate {
        /// The rate.
        rate: f64,
    },
    /// Nothing would be measured, or for too long.
    #[error(
        "a run of {duration:?} after {warm_up:?} is asked for: measure for longer than nothing and for at most seven days"
    )]
    Duration {
        /// What is measured.
        duration: Duration,
        /// What goes before.
        warm_up: Duration,
    },
}

impl Plan {
    /// Checks that it can be carried out.
    pub fn check(&self) -> Result<(), PlanError> {
        let workers = self.workers;
        if workers == 0 || workers > MAX_WORKERS {
            return Err(PlanError::Workers { workers });
        }
        if let Some(rate) = self.rate
            && !(rate > 0.0 && rate <= MAX_RATE)
        {
            return Err(PlanError::Rate { rate });
        }
        let (duration, warm_up) = (self.duration, self.warm_up);
        if duration.is_zero() || duration > LONGEST || warm_up > LONGEST {
            return Err(PlanError::Duration { duration, warm_up });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MAX_WORKERS, Plan};

    #[test]
    fn only_plans_that_can_be_carried_out_are_taken() {
        let plan = Plan {
            workers: 1,
            rate: None,
            warm_up: Duration::ZERO,
            duration: Duration::from_secs(1),
            limit: Duration::from_secs(1),
        };
        assert_eq!(plan.check(), Ok(()));
        for workers in [0, MAX_WORKERS + 1] {
            assert!(
                Plan {
                    workers,
                    ..plan.clone()
                }
                .check()
                .is_err()
            );
        }
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let rate = Some(rate);
            assert!(
                Plan {
                    rate,
                    ..plan.clone()
                }
                .check()
                .is_err()
            );
        }
        for duration in [Duration::ZERO, Duration::MAX] {
            assert!(
                Plan {
                    duration,
                    ..plan.clone()
                }
                .check()
                .is_err()
            );
        }
    }
}
