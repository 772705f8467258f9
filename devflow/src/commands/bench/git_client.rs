use anyhow::{Context, bail, ensure};
use bytes::{Bytes, BytesMut};
use git_wire::pkt::{Decoder, Packet, put_delimiter, put_flush, put_line};
use http::{Method, StatusCode};
use http_body_util::BodyExt;

use super::http::{Body, Connection};
use super::pack::{Id, push_request};

/// The most refs that a clone asks for.
const MAX_WANTS: usize = 100_000;

/// Pushes one ref, and makes sure that it was taken. Returns the bytes sent.
pub(super) async fn push(
    connection: &mut Connection,
    repository: &str,
    name: &str,
    (old, new): (Id, Id),
    pack: &[u8],
) -> anyhow::Result<u64> {
    let bytes = push_request(name, old, new, pack);
    let sent = bytes.len() as u64;
    let body = Body {
        bytes,
        content_type: "application/x-git-receive-pack-request",
        git_protocol: None,
    };
    let path = format!("{repository}/git-receive-pack");
    let (status, answer) = connection.call(Method::POST, &path, body).await?;
    refused(status, &answer)?;
    let mut packets = Decoder::new();
    packets.feed(&answer);
    let mut taken = false;
    while let Some(Packet::Data(line)) = packets.next_packet()? {
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if let Some(why) = line.strip_prefix("unpack ").filter(|&word| word != "ok") {
            bail!("the pack was refused: {why}");
        }
        if let Some(rest) = line.strip_prefix("ng ") {
            bail!(
                "the push was refused: {}",
                rest.split_once(' ').map_or(rest, |(_, why)| why)
            );
        }
        taken |= line.strip_prefix("ok ") == Some(name);
    }
    ensure!(taken, "the push was not answered for");
    Ok(sent)
}

/// All objects that branches and tags name, as `git ls-remote` shows them.
pub(super) async fn ls_refs(
    connection: &mut Connection,
    repository: &str,
) -> anyhow::Result<Vec<String>> {
    let mut request = BytesMut::new();
    put_line(&mut request, format_args!("command=ls-refs\n"));
    put_line(&mut request, format_args!("agent=devflow-bench/1\n"));
    put_delimiter(&mut request);
    put_line(&mut request, format_args!("ref-prefix refs/heads/\n"));
    put_line(&mut request, format_args!("ref-prefix refs/tags/\n"));
    put_flush(&mut request);
    let path = format!("{repository}/git-upload-pack");
    let body = upload_pack(request.freeze());
    let (status, answer) = connection.call(Method::POST, &path, body).await?;
    refused(status, &answer)?;
    let mut packets = Decoder::new();
    packets.feed(&answer);
    let mut ids = Vec::new();
    while let Some(Packet::Data(line)) = packets.next_packet()? {
        let line = String::from_utf8_lossy(&line);
        let id = line.split(' ').next().unwrap_or_default();
        ids.push(id.trim_end().to_owned());
    }
    ids.sort_unstable();
    ids.dedup();
    ids.truncate(MAX_WANTS);
    Ok(ids)
}

/// Fetches everything that these objects reach, and throws it away as it
/// comes. Returns the bytes of the pack.
pub(super) async fn fetch(
    connection: &mut Connection,
    repository: &str,
    wants: &[String],
) -> anyhow::Result<u64> {
    let mut request = BytesMut::new();
    put_line(&mut request, format_args!("command=fetch\n"));
    put_line(&mut request, format_args!("agent=devflow-bench/1\n"));
    put_delimiter(&mut request);
    for line in ["thin-pack\n", "ofs-delta\n", "no-progress\n"] {
        put_line(&mut request, format_args!("{line}"));
    }
    for want in wants {
        put_line(&mut request, format_args!("want {want}\n"));
    }
    put_line(&mut request, format_args!("done\n"));
    put_flush(&mut request);
    let path = format!("{repository}/git-upload-pack");
    let body = upload_pack(request.freeze());
    let answer = connection.send(Method::POST, &path, body).await?;
    let (parts, mut body) = answer.into_parts();
    if parts.status != StatusCode::OK {
        connection.close();
        refused(parts.status, &Bytes::new())?;
    }
    let mut reading = Reading::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.context("the answer broke off")?;
        if let Ok(data) = frame.into_data() {
            reading.feed(&data)?;
        }
    }
    ensure!(reading.ended, "the answer broke off");
    Ok(reading.bytes)
}

fn upload_pack(bytes: Bytes) -> Body {
    Body {
        bytes,
        content_type: "application/x-git-upload-pack-request",
        git_protocol: Some("version=2"),
    }
}

fn refused(status: StatusCode, answer: &Bytes) -> anyhow::Result<()> {
    if status == StatusCode::OK {
        return Ok(());
    }
    let text = String::from_utf8_lossy(answer);
    bail!(
        "{status} {}",
        text.lines().next().unwrap_or_default().trim()
    )
}

/// A pack on its way in.
#[derive(Default)]
struct Reading {
    packets: Decoder,
    bytes: u64,
    ended: bool,
}

impl Reading {
    fn feed(&mut self, data: &[u8]) -> anyhow::Result<()> {
        self.packets.feed(data);
        while let Some(packet) = self.packets.next_packet()? {
            let Packet::Data(packet) = packet else {
                self.ended |= self.bytes > 0;
                continue;
            };
            match packet.first() {
                Some(1) => {
                    let begins = self.bytes > 0 || packet[1..].starts_with(b"PACK");
                    ensure!(begins || packet.len() == 1, "what came is no pack");
                    self.bytes += packet.len() as u64 - 1;
                }
                Some(3) => bail!("the server says: {}", String::from_utf8_lossy(&packet[1..])),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use git_wire::pkt::{put_data, put_flush};

    use super::Reading;

    #[test]
    fn only_a_pack_that_has_ended_counts() {
        let mut answer = BytesMut::new();
        put_data(&mut answer, b"packfile\n");
        put_data(&mut answer, b"\x02counting");
        put_data(&mut answer, b"\x01");
        put_data(&mut answer, b"\x01PACK....");
        let mut reading = Reading::default();
        reading.feed(&answer).unwrap();
        assert!(!reading.ended);
        let mut end = BytesMut::new();
        put_flush(&mut end);
        reading.feed(&end).unwrap();
        assert_eq!((reading.ended, reading.bytes), (true, 8));
        for wrong in [&b"\x03no such object"[..], b"\x01<html>"] {
            let mut answer = BytesMut::new();
            put_data(&mut answer, wrong);
            assert!(Reading::default().feed(&answer).is_err());
        }
    }
}
