use crate::MAX_REQUEST_LINES;

/// What a peer did wrong. The text is fit to be sent back to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The four bytes before a packet are no length, or one that cannot be.
    #[error("protocol error: bad line length character: {header}")]
    PacketHeader {
        /// The four bytes, escaped.
        header: String,
    },
    /// A packet above the protocol's limit of 65520 bytes.
    #[error("protocol error: bad line length {length}")]
    PacketLength {
        /// The length that the header announced.
        length: usize,
    },
    /// A delimiter or response-end packet where none may be.
    #[error("protocol error: unexpected special packet")]
    SpecialPacket,
    /// Something else than the end after a command's arguments.
    #[error("expected flush after {command} arguments")]
    ExpectedFlush {
        /// The command.
        command: &'static str,
    },
    /// A ref that is wanted twice.
    #[error("duplicate want-ref {name}")]
    DuplicateWantRef {
        /// The ref, escaped and shortened.
        name: String,
    },
    /// The peer closed the connection in the middle of a request.
    #[error("the remote end hung up unexpectedly")]
    HungUp,
    /// A request with more lines than [`MAX_REQUEST_LINES`].
    #[error("a request has at most {MAX_REQUEST_LINES} lines")]
    TooManyLines,
    /// A line that the command does not know.
    #[error("unexpected line: '{line}'")]
    UnexpectedLine {
        /// The line, escaped and shortened.
        line: String,
    },
    /// An object id was expected.
    #[error("protocol error, expected to get object ID, not '{line}'")]
    ExpectedObjectId {
        /// The line, escaped and shortened.
        line: String,
    },
    /// Something other than `have` or `done` while negotiating.
    #[error("expected SHA1 list, got '{line}'")]
    ExpectedHave {
        /// The line, escaped and shortened.
        line: String,
    },
    /// Not a filter, or one that is combined of too much.
    #[error("invalid filter-spec '{spec}'")]
    InvalidFilter {
        /// What was sent.
        spec: String,
    },
    /// A `deepen` or `deepen-since` without a positive number.
    #[error("invalid deepen: {line}")]
    InvalidDeepen {
        /// The line, escaped and shortened.
        line: String,
    },
    /// A depth together with `deepen-since` or `deepen-not`.
    #[error("deepen and deepen-since (or deepen-not) cannot be used together")]
    MixedDeepen,
    /// A protocol v2 request without a command.
    #[error("no command requested")]
    NoCommand,
    /// A protocol v2 request with two commands.
    #[error("command '{command}' requested after another one")]
    SecondCommand {
        /// The second command.
        command: String,
    },
    /// A protocol v2 command that this server does not have.
    #[error("invalid command '{command}'")]
    InvalidCommand {
        /// The command, escaped and shortened.
        command: String,
    },
    /// A protocol v2 capability that this server did not advertise.
    #[error("unknown capability '{capability}'")]
    UnknownCapability {
        /// The capability, escaped and shortened.
        capability: String,
    },
    /// A hash function that is not the repository's.
    #[error("mismatched object format: server {server}; client {client}")]
    ObjectFormat {
        /// The repository's hash function.
        server: git_id::HashKind,
        /// What the client named, escaped and shortened.
        client: String,
    },
    /// A line in a push that is no command.
    #[error("protocol error: expected old/new/ref, got '{line}'")]
    ExpectedCommand {
        /// The line, escaped and shortened.
        line: String,
    },
    /// More commands in one push than the server takes.
    #[error("a push updates at most {limit} refs here: push fewer refs at a time")]
    TooManyCommands {
        /// The server's limit.
        limit: usize,
    },
    /// A signed push.
    #[error("signed pushes are not supported here: push without --signed")]
    PushCertificate,
    /// More or larger push options than the server takes.
    #[error("a push has at most {limit} options of text")]
    PushOptions {
        /// The largest number of options.
        limit: usize,
    },
}

/// A peer's bytes as they may be shown: escaped, at most 120 characters.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const SHOWN_BYTES: usize = 100;
    let head = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let mut text: String = String::from_utf8_lossy(head)
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    if head.len() < bytes.len() {
        text.push_str("...");
    }
    text
}
