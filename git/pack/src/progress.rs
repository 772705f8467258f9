/// Where long operations say how far they are, in stages that follow each other.
///
/// Titles are those that git's users know, such as `Counting objects` or
/// `Resolving deltas`. Calls may come from several threads at once.
pub trait Progress: Send + Sync {
    /// A stage begins; `total` is its number of steps where that is known.
    fn stage(&self, title: &str, total: Option<u64>);
    /// That many more steps of the stage are done.
    fn advance(&self, by: u64);
    /// The stage is over.
    fn done(&self);
}

/// Progress that nobody looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn stage(&self, _title: &str, _total: Option<u64>) {}
    fn advance(&self, _by: u64) {}
    fn done(&self) {}
}
