/// What kind of failure an operation's error is: what every protocol needs to
/// pick its status, independent of the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request is malformed or breaks a rule; the message says which.
    Invalid,
    /// The caller must sign in, or did so wrongly.
    Unauthenticated,
    /// The caller may know of the thing, but not do this.
    Forbidden,
    /// There is no such thing as far as the caller may know.
    NotFound,
    /// It contradicts what is there.
    Conflict,
    /// This caller asks too much at once: try again later.
    Throttled,
    /// Too much is asked at once by all together: try again later.
    Overloaded,
    /// The storage could not be reached; nothing happened. Try again later.
    Unavailable,
    /// The storage was lost meanwhile; whether it happened is not known.
    Uncertain,
    /// The disks are full.
    Full,
    /// A defect of the program or of its data.
    Internal,
}
