use git_id::ObjectId;

/// What a negotiation asks about the repository.
///
/// Called in the order of the client's lines; implementations may do blocking
/// reads.
pub trait Knowledge {
    /// Why a question could not be answered.
    type Error;

    /// Whether the repository has the object.
    fn contains(&mut self, id: &ObjectId) -> Result<bool, Self::Error>;

    /// Whether everything that the client wants descends from something in
    /// `common`, so that further haves would not make the pack much smaller.
    fn is_ready(&mut self, common: &[ObjectId]) -> Result<bool, Self::Error>;
}
