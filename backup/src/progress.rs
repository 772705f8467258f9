/// Is told how far a long operation is.
pub trait Progress: Sync {
    /// One line for a person: what is being done now.
    fn say(&self, line: &str);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn say(&self, _: &str) {}
}
