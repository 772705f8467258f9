use bytes::BytesMut;

use crate::pkt::{put_data, put_flush};
use crate::sideband::{Band, Sideband};

/// Which report the client understands. This server rewrites no refs, so that
/// version 2's option lines never occur and both have the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFormat {
    /// `report-status`.
    V1,
    /// `report-status-v2`.
    V2,
}

/// The outcome of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefStatus {
    /// The name as the client wrote it.
    pub name: Vec<u8>,
    /// Why the ref was not updated; `None` if it was.
    pub rejection: Option<String>,
}

/// The outcome of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Why the pack was not taken; `None` if it was or if there was none.
    pub unpack_error: Option<String>,
    /// Each command's outcome, in the client's order.
    pub refs: Vec<RefStatus>,
}

impl Report {
    /// Appends the report, inside the side band if there is one. Line feeds in
    /// reasons become spaces.
    pub fn put(&self, out: &mut BytesMut, sideband: Option<Sideband>) {
        let Some(sideband) = sideband else {
            return self.put_lines(out);
        };
        let mut lines = BytesMut::new();
        self.put_lines(&mut lines);
        sideband.put(out, Band::Data, &lines);
        put_flush(out);
    }

    fn put_lines(&self, out: &mut BytesMut) {
        let unpack = self.unpack_error.as_deref().unwrap_or("ok");
        put_data(out, format!("unpack {}\n", one_line(unpack)).as_bytes());
        for status in &self.refs {
            let line = match &status.rejection {
                None => [b"ok ", &status.name[..], b"\n"].concat(),
                Some(reason) => [
                    b"ng ",
                    &status.name[..],
                    b" ",
                    one_line(reason).as_bytes(),
                    b"\n",
                ]
                .concat(),
            };
            put_data(out, &line);
        }
        put_flush(out);
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r', '\0'], " ")
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{RefStatus, Report};
    use crate::sideband::Sideband;

    #[test]
    fn reports_are_lines_inside_the_side_band_if_there_is_one() {
        let report = Report {
            unpack_error: None,
            refs: vec![
                RefStatus {
                    name: b"refs/heads/a".to_vec(),
                    rejection: None,
                },
                RefStatus {
                    name: b"refs/heads/b".to_vec(),
                    rejection: Some("no\nway".to_owned()),
                },
            ],
        };
        let mut bare = BytesMut::new();
        report.put(&mut bare, None);
        let lines = "000eunpack ok\n0014ok refs/heads/a\n001bng refs/heads/b no way\n0000";
        assert_eq!(std::str::from_utf8(&bare).unwrap(), lines);
        let mut framed = BytesMut::new();
        report.put(&mut framed, Some(Sideband::Large));
        let expected = format!("{:04x}\x01{lines}0000", lines.len() + 5);
        assert_eq!(std::str::from_utf8(&framed).unwrap(), expected);
    }
}
