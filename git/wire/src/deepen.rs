use crate::error::{ProtocolError, shown};

/// How much history a shallow client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deepen {
    /// So many commits from the wants, or, if `relative`, from the client's
    /// present boundary.
    Commits {
        /// At least 1.
        count: u32,
        /// Count from the client's boundary.
        relative: bool,
    },
    /// Commits that are newer than `since`, if given, and not reachable from
    /// the refs `not`.
    History {
        /// Seconds since 1970.
        since: Option<i64>,
        /// Names of refs, as the client wrote them: not checked, maybe short.
        not: Vec<String>,
    },
}

impl Deepen {
    /// The depth with which git asks for the whole history (`--unshallow`).
    pub const INFINITE: u32 = 0x7fff_ffff;
}

/// Collects the `deepen` lines of a request, which come in any order.
#[derive(Debug, Default)]
pub(crate) struct DeepenLines {
    count: Option<u32>,
    since: Option<i64>,
    not: Vec<String>,
    pub(crate) relative: bool,
}

impl DeepenLines {
    /// Takes the line if it is one of `deepen N`, `deepen-since T` and
    /// `deepen-not REF`; says whether it was.
    pub(crate) fn take(&mut self, line: &[u8]) -> Result<bool, ProtocolError> {
        let invalid = || ProtocolError::InvalidDeepen { line: shown(line) };
        if let Some(count) = line.strip_prefix(b"deepen ") {
            let count = parse_positive(count).and_then(|count| u32::try_from(count).ok());
            self.count = Some(count.ok_or_else(invalid)?);
        } else if let Some(since) = line.strip_prefix(b"deepen-since ") {
            self.since = Some(parse_positive(since).ok_or_else(invalid)?);
        } else if let Some(name) = line.strip_prefix(b"deepen-not ") {
            let name = std::str::from_utf8(name).map_err(|_| invalid())?;
            self.not.push(name.to_owned());
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    pub(crate) fn finish(self) -> Result<Option<Deepen>, ProtocolError> {
        let history = self.since.is_some() || !self.not.is_empty();
        match self.count {
            Some(_) if history => Err(ProtocolError::MixedDeepen),
            Some(count) => Ok(Some(Deepen::Commits {
                count,
                relative: self.relative,
            })),
            None if history => Ok(Some(Deepen::History {
                since: self.since,
                not: self.not,
            })),
            None => Ok(None),
        }
    }
}

fn parse_positive(digits: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::{Deepen, DeepenLines};
    use crate::ProtocolError;

    fn collect(lines: &[&str]) -> Result<Option<Deepen>, ProtocolError> {
        let mut collected = DeepenLines::default();
        for line in lines {
            assert!(collected.take(line.as_bytes())?);
        }
        collected.finish()
    }

    #[test]
    fn each_form_is_read_and_mixtures_are_refused() {
        assert_eq!(collect(&[]), Ok(None));
        assert_eq!(
            collect(&["deepen 3"]),
            Ok(Some(Deepen::Commits {
                count: 3,
                relative: false
            }))
        );
        let history = Deepen::History {
            since: Some(7),
            not: vec!["main".to_owned()],
        };
        assert_eq!(
            collect(&["deepen-not main", "deepen-since 7"]),
            Ok(Some(history))
        );
        assert_eq!(
            collect(&["deepen 1", "deepen-not x"]),
            Err(ProtocolError::MixedDeepen)
        );
        for bad in [
            "deepen 0",
            "deepen -1",
            "deepen x",
            "deepen 4294967296",
            "deepen-since 1x",
        ] {
            assert!(
                matches!(collect(&[bad]), Err(ProtocolError::InvalidDeepen { .. })),
                "{bad}"
            );
        }
        assert_eq!(DeepenLines::default().take(b"deepen-relative"), Ok(false));
    }
}
