//! Records one after the other, cut into chunks like any content: what did not
//! change since the backup before costs nothing again.
//!
//! A record is four bytes of length, little-endian, and postcard.

mod read;
mod write;

pub(crate) use read::StreamReader;
pub(crate) use write::StreamWriter;
