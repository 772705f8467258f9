//! The bounds of one connection, each with a name.

use std::time::Duration;

/// How long a client may take from the connection to the proof of who it is.
pub const LOGIN_GRACE: Duration = Duration::from_secs(20);

/// Keys that a client may try before it is cut.
pub const KEY_TRIES: usize = 10;

/// Questions about keys and signatures together that are answered before a
/// client is cut; each key that is taken costs two.
pub const KEY_QUESTIONS: u32 = 24;

/// Sessions of a connection at the same time.
pub const SESSIONS: usize = 10;

/// Sessions of a connection one after another; russh keeps a little of each.
pub const SESSIONS_IN_ALL: usize = 1_000;

/// How long a connection is kept on which nothing is done.
pub const IDLE_PATIENCE: Duration = Duration::from_secs(300);

/// How long a client may be silent while its words are waited for.
pub const SILENCE: Duration = Duration::from_secs(60);

/// The same in a push: git is silent while it works out what to send.
pub const SILENCE_OF_PUSH: Duration = Duration::from_secs(600);

/// Within this long a client must take something of what waits for it.
pub const STALL: Duration = Duration::from_secs(120);

/// A client that says nothing for this long is asked whether it is there.
pub const KEEPALIVE: Duration = Duration::from_secs(30);

/// So many such questions in a row may stay without answer.
pub const KEEPALIVES: usize = 4;

/// How long a client that is told to go may take to do so.
pub const FAREWELL: Duration = Duration::from_secs(2);

/// The longest command, in bytes.
pub const COMMAND_BYTES: usize = 4 << 10;

/// Requests of a session before its command, of which each may set a variable.
pub const REQUESTS: usize = 64;

/// The longest value of a variable that is taken, in bytes.
pub const VARIABLE_BYTES: usize = 256;

/// What a client may send of a session ahead of the program that reads it, in
/// bytes: the window of RFC 4254, section 5.2.
pub const WINDOW_BYTES: u32 = 1 << 20;

/// The largest packet of a session, in bytes.
pub const PACKET_BYTES: u32 = 32 << 10;

/// Packets of a session that wait for the program that reads them. Beyond them
/// nothing is read from the connection.
pub const WAITING_PACKETS: usize = 16;

/// Packets that wait to be sent on a connection.
pub const UNSENT_PACKETS: usize = 8;

/// The smallest RSA key, in bits.
pub const RSA_BITS_MIN: usize = 2048;

/// The largest RSA key, in bits; a check takes time with the square of it.
pub const RSA_BITS_MAX: usize = 8192;

/// After so many bytes in one direction the keys of a connection are renewed.
pub const REKEY_BYTES: usize = 1 << 30;

/// After this long the keys of a connection are renewed.
pub const REKEY_AFTER: Duration = Duration::from_secs(3600);
