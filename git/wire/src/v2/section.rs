use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::pkt::{put_delimiter, put_flush, put_line};
use crate::sideband::Band;

/// The sections of a response to `fetch` up to the pack, as they are written.
///
/// With `sideband-all` every line is on the data band, so that messages may come
/// between them; what ends a section or the response is not.
#[derive(Debug, Default)]
pub struct Sections {
    out: BytesMut,
    sideband_all: bool,
}

impl Sections {
    /// No section yet.
    pub fn new(sideband_all: bool) -> Self {
        Self {
            out: BytesMut::new(),
            sideband_all,
        }
    }

    /// What was written.
    pub fn into_bytes(self) -> Bytes {
        self.out.freeze()
    }

    /// Appends a line; `text` brings its line feed.
    pub(super) fn line(&mut self, text: fmt::Arguments<'_>) {
        match self.sideband_all {
            true => put_line(
                &mut self.out,
                format_args!("{}{text}", char::from(Band::Data as u8)),
            ),
            false => put_line(&mut self.out, text),
        }
    }

    /// Ends a section before a further one.
    pub(super) fn delimiter(&mut self) {
        put_delimiter(&mut self.out);
    }

    /// Ends the response.
    pub(super) fn flush(&mut self) {
        put_flush(&mut self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::Sections;

    #[test]
    fn on_the_side_band_only_lines_are() {
        for (sideband_all, expected) in [(false, "0006a\n00010000"), (true, "0007\u{1}a\n00010000")]
        {
            let mut sections = Sections::new(sideband_all);
            sections.line(format_args!("a\n"));
            sections.delimiter();
            sections.flush();
            assert_eq!(&sections.into_bytes()[..], expected.as_bytes());
        }
    }
}
