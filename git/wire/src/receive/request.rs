use git_id::{HashKind, ObjectId};

use super::ReportFormat;
use crate::capabilities::Capabilities;
use crate::error::{ProtocolError, shown};
use crate::pkt::Packet;
use crate::sideband::Sideband;

/// The most push options of one push.
pub const MAX_PUSH_OPTIONS: usize = 1000;

/// The most `shallow` lines of one push.
const MAX_SHALLOW_LINES: usize = crate::MAX_REQUEST_LINES;

/// One ref update as the client wrote it. The name is not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What the client believes the ref to be; null to create it.
    pub old: ObjectId,
    /// What it shall be; null to delete it.
    pub new: ObjectId,
    /// The name's bytes.
    pub name: Vec<u8>,
}

/// Everything in a push but the pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushRequest {
    /// The ref updates, in the client's order; empty if it wants nothing.
    pub commands: Vec<Command>,
    /// Commits whose parents the client lacks.
    pub shallow: Vec<ObjectId>,
    /// What the user passed with `--push-option`.
    pub options: Vec<String>,
    /// All or none.
    pub atomic: bool,
    /// No progress messages.
    pub quiet: bool,
    /// How the outcome is reported; `None` if the client wants no report.
    pub report: Option<ReportFormat>,
    /// How the report is framed; `None` for a bare one without messages.
    pub sideband: Option<Sideband>,
    /// The client's name and version, fit for a log.
    pub agent: Option<String>,
}

impl PushRequest {
    /// Whether a pack follows: not if every command is a deletion.
    pub fn has_pack(&self) -> bool {
        self.commands.iter().any(|command| !command.new.is_null())
    }
}

/// Reads the commands and push options. The pack begins where it ends.
#[derive(Debug)]
pub struct RequestParser {
    hash: HashKind,
    max_commands: usize,
    capabilities: Capabilities,
    request: PushRequest,
    in_options: bool,
}

impl RequestParser {
    /// A parser for a repository with that hash function, which takes so many
    /// commands in one push.
    pub fn new(hash: HashKind, max_commands: usize) -> Self {
        Self {
            hash,
            max_commands,
            capabilities: Capabilities::default(),
            request: PushRequest::default(),
            in_options: false,
        }
    }

    /// Takes the next packet; returns the request when it is complete.
    pub fn packet(&mut self, packet: &Packet) -> Result<Option<PushRequest>, ProtocolError> {
        match packet {
            Packet::Flush => self.flush(),
            Packet::Delimiter | Packet::ResponseEnd => Err(ProtocolError::SpecialPacket),
            Packet::Data(data) if self.in_options => self.option(data).map(|()| None),
            Packet::Data(data) => self.line(data).map(|()| None),
        }
    }

    /// Whether nothing was read, so that the stream may end here.
    pub fn is_empty(&self) -> bool {
        self.request.commands.is_empty() && self.request.shallow.is_empty()
    }

    /// How the client, as far as it was read, expects messages: an error after
    /// the first command goes on the side band if it asked for one.
    pub fn sideband(&self) -> Option<Sideband> {
        self.capabilities
            .has("side-band-64k")
            .then_some(Sideband::Large)
    }

    fn line(&mut self, data: &[u8]) -> Result<(), ProtocolError> {
        let line = match data.iter().position(|&byte| byte == 0) {
            Some(at) => {
                self.capabilities.extend(&data[at + 1..]);
                self.check_format()?;
                &data[..at]
            }
            None => data.strip_suffix(b"\n").unwrap_or(data),
        };
        if line == b"push-cert" {
            return Err(ProtocolError::PushCertificate);
        }
        if let Some(hex) = line.strip_prefix(b"shallow ") {
            if self.request.shallow.len() == MAX_SHALLOW_LINES {
                return Err(ProtocolError::TooManyLines);
            }
            let id = self.id(hex);
            let expected = || ProtocolError::ExpectedObjectId { line: shown(line) };
            self.request.shallow.push(id.ok_or_else(expected)?);
            return Ok(());
        }
        let command = self.command(line);
        let command =
            command.ok_or_else(|| ProtocolError::ExpectedCommand { line: shown(line) })?;
        if self.request.commands.len() == self.max_commands {
            return Err(ProtocolError::TooManyCommands {
                limit: self.max_commands,
            });
        }
        self.request.commands.push(command);
        Ok(())
    }

    fn command(&self, line: &[u8]) -> Option<Command> {
        let digits = self.hash.len_hex();
        let (old, rest) = line.split_at_checked(digits)?;
        let (new, name) = rest.strip_prefix(b" ")?.split_at_checked(digits)?;
        let name = name.strip_prefix(b" ").filter(|name| !name.is_empty())?;
        Some(Command {
            old: self.id(old)?,
            new: self.id(new)?,
            name: name.to_vec(),
        })
    }

    fn id(&self, hex: &[u8]) -> Option<ObjectId> {
        ObjectId::from_hex(hex)
            .ok()
            .filter(|id| id.kind() == self.hash)
    }

    fn option(&mut self, data: &[u8]) -> Result<(), ProtocolError> {
        let options = &mut self.request.options;
        let error = ProtocolError::PushOptions {
            limit: MAX_PUSH_OPTIONS,
        };
        if options.len() == MAX_PUSH_OPTIONS {
            return Err(error);
        }
        let option = data.strip_suffix(b"\n").unwrap_or(data);
        options.push(String::from_utf8(option.to_vec()).map_err(|_| error)?);
        Ok(())
    }

    /// A client that names no hash function means SHA-1.
    fn check_format(&self) -> Result<(), ProtocolError> {
        let client = self.capabilities.value("object-format").unwrap_or(b"sha1");
        if client == self.hash.name().as_bytes() {
            return Ok(());
        }
        Err(ProtocolError::ObjectFormat {
            server: self.hash,
            client: shown(client),
        })
    }

    fn flush(&mut self) -> Result<Option<PushRequest>, ProtocolError> {
        let words = &self.capabilities;
        if !self.in_options && words.has("push-options") && !self.request.commands.is_empty() {
            self.in_options = true;
            return Ok(None);
        }
        Ok(Some(PushRequest {
            atomic: words.has("atomic"),
            quiet: words.has("quiet"),
            report: match (words.has("report-status-v2"), words.has("report-status")) {
                (true, _) => Some(ReportFormat::V2),
                (false, true) => Some(ReportFormat::V1),
                (false, false) => None,
            },
            sideband: self.sideband(),
            agent: words.agent(),
            ..std::mem::take(&mut self.request)
        }))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use git_id::HashKind;
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};

    use super::{PushRequest, RequestParser};
    use crate::ProtocolError;
    use crate::pkt::Packet;
    use crate::receive::ReportFormat;
    use crate::sideband::Sideband;

    fn parse(lines: &[Option<&[u8]>]) -> Result<Option<PushRequest>, ProtocolError> {
        let mut parser = RequestParser::new(HashKind::Sha1, 3);
        for line in lines {
            let packet = line.map_or(Packet::Flush, |line| {
                Packet::Data(Bytes::copy_from_slice(line))
            });
            if let Some(request) = parser.packet(&packet)? {
                return Ok(Some(request));
            }
        }
        Ok(None)
    }

    fn command(name: &str, words: &str) -> Vec<u8> {
        let (old, new) = ("0".repeat(40), "a".repeat(40));
        let nul = if words.is_empty() { "" } else { "\0" };
        format!("{old} {new} {name}{nul}{words}").into_bytes()
    }

    #[test]
    fn commands_capabilities_and_options_are_read() {
        let first = command(
            "refs/heads/a",
            " report-status-v2 side-band-64k atomic quiet push-options agent=git/2",
        );
        let second = command("refs/heads/b c", "");
        let request = parse(&[
            Some(&first),
            Some(&second),
            None,
            Some(b"ci.skip"),
            Some(b""),
            None,
        ]);
        let request = request.unwrap().unwrap();
        assert!(request.atomic && request.quiet && request.has_pack());
        assert_eq!(request.report, Some(ReportFormat::V2));
        assert_eq!(request.sideband, Some(Sideband::Large));
        assert_eq!(request.options, ["ci.skip", ""]);
        assert_eq!(request.commands.len(), 2);
        assert_eq!(request.commands[0].name, b"refs/heads/a");
        assert_eq!(request.commands[1].name, b"refs/heads/b c");
        assert!(request.commands[0].old.is_null());
    }

    #[test]
    fn a_probe_and_a_push_of_deletions_have_no_pack() {
        let probe = parse(&[None]).unwrap().unwrap();
        assert_eq!(probe, PushRequest::default());
        let line = format!(
            "{} {} refs/heads/a\0report-status",
            "a".repeat(40),
            "0".repeat(40)
        );
        let deletion = parse(&[Some(line.as_bytes()), None]).unwrap().unwrap();
        assert!(!deletion.has_pack());
        assert_eq!(
            (deletion.report, deletion.sideband),
            (Some(ReportFormat::V1), None)
        );
    }

    #[test]
    fn every_fault_has_its_error() {
        let ok = command("refs/heads/a", "");
        let format = command("refs/heads/a", "object-format=sha256");
        let cases: &[(&[&[u8]], &str)] = &[
            (
                &[b"push-cert\0 push-options"],
                "signed pushes are not supported here: push without --signed",
            ),
            (
                &[b"hello"],
                "protocol error: expected old/new/ref, got 'hello'",
            ),
            (
                &[b"shallow x"],
                "protocol error, expected to get object ID, not 'shallow x'",
            ),
            (
                &[&ok, &ok, &ok, &ok],
                "a push updates at most 3 refs here: push fewer refs at a time",
            ),
            (
                &[&format],
                "mismatched object format: server sha1; client sha256",
            ),
        ];
        for (lines, expected) in cases {
            let lines: Vec<_> = lines.iter().copied().map(Some).collect();
            assert_eq!(parse(&lines).unwrap_err().to_string(), *expected);
        }
    }

    proptest! {
        #[test]
        fn no_line_is_a_panic(lines in vec(vec(any::<u8>(), 0..120), 0..5)) {
            let lines: Vec<_> = lines.iter().map(|line| Some(&line[..]).filter(|line| line.len() > 4)).collect();
            let _ = parse(&lines);
        }
    }
}
