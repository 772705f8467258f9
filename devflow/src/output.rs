//! What a command says on its standard output.
//!
//! The standard library's `println!` panics if whoever read has gone, as in
//! `devflow cluster status | head -1`. In this crate the name stands for one that does not.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::process;

/// The status with which a command ends that nobody listens to any more: what a shell makes of
/// SIGPIPE.
const NOBODY_LISTENS: i32 = 128 + 13;

/// A line for the person, or the program, that ran the command. The command ends here if they
/// have gone: what it would still have said is all that it was for.
macro_rules! println {
    ($($words:tt)*) => {
        $crate::output::line(format_args!($($words)*))
    };
}

/// A line from a process that serves, and goes on if nobody reads it.
macro_rules! announce {
    ($($words:tt)*) => {
        $crate::output::announcement(format_args!($($words)*))
    };
}

pub(crate) fn line(words: Arguments<'_>) {
    if let Err(error) = write(words) {
        if error.kind() == ErrorKind::BrokenPipe {
            process::exit(NOBODY_LISTENS);
        }
        eprintln!("devflow: write to standard output: {error}");
        process::exit(1);
    }
}

pub(crate) fn announcement(words: Arguments<'_>) {
    if let Err(error) = write(words) {
        tracing::debug!(%error, "nobody reads the standard output");
    }
}

fn write(words: Arguments<'_>) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_fmt(words)?;
    output.write_all(b"\n")?;
    output.flush()
}
