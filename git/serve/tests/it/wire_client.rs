//! Pushes made by hand, so that they can be wrong.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use git_serve::bare::{BareRepository, Caller};
use git_serve::{Mode, Output, Policy, ProtocolVersion, ServeError, receive_pack, upload_pack};
use git_wire::pkt::{Decoder, Packet, put_data, put_flush};
use tokio::sync::mpsc::Receiver;

/// What a hand-made push was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The report's lines.
    pub(crate) report: Vec<String>,
    /// What went to the person's terminal, with fatal errors.
    pub(crate) messages: String,
    pub(crate) error: Option<ServeError>,
}

/// Pushes `commands` (without capabilities) followed by `pack`.
pub(crate) fn push(repository: &Path, policy: &Policy, commands: &[String], pack: &[u8]) -> Answer {
    let mut request = BytesMut::new();
    for (at, command) in commands.iter().enumerate() {
        let capabilities = if at == 0 {
            "\0 report-status side-band-64k quiet"
        } else {
            ""
        };
        put_data(&mut request, format!("{command}{capabilities}").as_bytes());
    }
    put_flush(&mut request);
    request.extend_from_slice(pack);
    raw_push(repository, policy, &request)
}

/// Sends bytes to receive-pack as one stateless request.
pub(crate) fn raw_push(repository: &Path, policy: &Policy, request: &[u8]) -> Answer {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (bytes, served) = runtime.block_on(async {
        let repository = BareRepository::open(repository, &Caller::default()).unwrap();
        let (output, receiver) = Output::channel();
        let version = ProtocolVersion::V0;
        let mode = Mode::Stateless;
        let serving = receive_pack(&repository, policy, version, mode, request, output);
        tokio::join!(read_all(receiver), serving)
    });
    let (mut report, mut messages) = (Vec::new(), Vec::new());
    for packet in packets(&bytes) {
        match packet.split_first() {
            Some((1, data)) => report.extend_from_slice(data),
            Some((2 | 3, text)) => messages.extend_from_slice(text),
            _ => messages.extend_from_slice(&packet),
        }
    }
    let line = |packet: Vec<u8>| String::from_utf8(packet).unwrap().trim_end().to_owned();
    Answer {
        report: packets(&report).into_iter().map(line).collect(),
        messages: String::from_utf8(messages).unwrap(),
        error: served.err(),
    }
}

/// Sends bytes to upload-pack as one stateless request, under the repository's
/// own policy.
pub(crate) fn raw_upload(
    repository: &Path,
    version: ProtocolVersion,
    request: &[u8],
) -> (Vec<u8>, Option<ServeError>) {
    let repository = BareRepository::open(repository, &Caller::default()).unwrap();
    let policy = repository.policy(version);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (bytes, served) = runtime.block_on(async {
        let (output, receiver) = Output::channel();
        let mode = Mode::Stateless;
        let serving = upload_pack(&repository, &policy, version, mode, request, output);
        tokio::join!(read_all(receiver), serving)
    });
    (bytes, served.err())
}

async fn read_all(mut receiver: Receiver<Bytes>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(piece) = receiver.recv().await {
        bytes.extend_from_slice(&piece);
    }
    bytes
}

/// The data packets of an answer.
pub(crate) fn packets(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::new();
    decoder.feed(bytes);
    let mut packets = Vec::new();
    while let Some(packet) = decoder.next_packet().unwrap() {
        if let Packet::Data(data) = packet {
            packets.push(data.to_vec());
        }
    }
    packets
}
