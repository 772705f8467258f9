use std::time::Duration;

/// What happens to packets from one host to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// All are lost, and nobody is told.
    pub cut: bool,
    /// Each comes so much later.
    pub delay: Duration,
    /// And each by up to so much more, so that they overtake one another.
    pub jitter: Duration,
    /// Of a thousand so many are lost.
    pub loss_permille: u16,
}

impl Link {
    /// Nothing comes through.
    pub fn cut() -> Self {
        Self {
            cut: true,
            ..Self::default()
        }
    }
}
