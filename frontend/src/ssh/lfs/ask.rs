use git_serve::{Packets, ServeError};
use git_wire::pkt::Packet;
use tokio::io::AsyncRead;

use crate::limits::LFS_ARGUMENTS;

/// One request of a conversation, up to where its lines or bytes follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ask {
    /// The command.
    pub(super) verb: String,
    /// What stands behind it.
    pub(super) operands: Vec<String>,
    arguments: Vec<(String, String)>,
    /// Whether more follows, up to a flush packet.
    pub(super) more: bool,
}

/// A request that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AskError {
    /// Not text, or too much of it.
    #[error("a request begins with a command and at most {LFS_ARGUMENTS} arguments, in UTF-8")]
    Form,
}

impl Ask {
    /// The next request; nothing if the client has gone. What is wrong with it is told when it
    /// was read to where its lines or bytes would follow.
    pub(super) async fn read<R: AsyncRead + Unpin>(
        packets: &mut Packets<R>,
    ) -> Result<Option<(Self, Result<(), AskError>)>, ServeError> {
        let mut ask = Self::default();
        let (mut lines, mut fault) = (0, Ok(()));
        loop {
            let Some(packet) = packets.next().await? else {
                return Ok(None);
            };
            match &packet {
                Packet::Flush | Packet::ResponseEnd => return Ok(Some((ask, fault))),
                Packet::Delimiter => {
                    ask.more = true;
                    return Ok(Some((ask, fault)));
                }
                Packet::Data(_) => {}
            }
            let line = packet.line().and_then(|line| str::from_utf8(line).ok());
            lines += 1;
            match line {
                Some(line) if lines <= LFS_ARGUMENTS => ask.take(line),
                _ => fault = Err(AskError::Form),
            }
        }
    }

    fn take(&mut self, line: &str) {
        if self.verb.is_empty() {
            let mut words = line.split(' ').map(str::to_owned);
            self.verb = words.next().unwrap_or_default();
            self.operands = words.collect();
        } else if let Some((key, value)) = line.split_once('=') {
            self.arguments.push((key.to_owned(), value.to_owned()));
        }
    }

    /// An argument's value.
    pub(super) fn argument(&self, key: &str) -> Option<&str> {
        let found = self.arguments.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use git_serve::Packets;
    use git_wire::pkt::{put_delimiter, put_flush, put_line};

    use super::{Ask, AskError};

    async fn read(lines: &[&str], delimiter: bool) -> (Ask, Result<(), AskError>) {
        let mut bytes = BytesMut::new();
        for line in lines {
            put_line(&mut bytes, format_args!("{line}"));
        }
        if delimiter {
            put_delimiter(&mut bytes);
        }
        put_flush(&mut bytes);
        let mut packets = Packets::new(&bytes[..]);
        Ask::read(&mut packets).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_request_is_a_command_with_operands_and_arguments() {
        let (ask, fault) = read(&["put-object abc", "size=5", "odd"], true).await;
        assert_eq!(fault, Ok(()));
        assert_eq!((ask.verb.as_str(), ask.more), ("put-object", true));
        assert_eq!(ask.operands, ["abc"]);
        assert_eq!(
            (ask.argument("size"), ask.argument("id")),
            (Some("5"), None)
        );
        let (ask, _) = read(&["quit"], false).await;
        assert_eq!((ask.verb.as_str(), ask.more), ("quit", false));
        let many: Vec<String> = (0..100).map(|n| format!("a{n}=b")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(read(&many, false).await.1, Err(AskError::Form));
    }
}
