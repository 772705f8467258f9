//! A client that asks for everything by protocol v2 and throws it away: what is
//! measured is the server, not `git index-pack`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// How one fetch went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fetched {
    /// From the request until the first byte of the pack.
    pub(crate) first_byte: Duration,
    /// Until the last.
    pub(crate) whole: Duration,
    /// Bytes of pack data.
    pub(crate) pack_bytes: u64,
}

/// Clones `path` from `address`: ls-refs, then a fetch of all refs.
pub(crate) fn clone(address: &str, path: &str) -> anyhow::Result<Fetched> {
    let began = Instant::now();
    let request = format!(
        "{}{}{}{}{}0000",
        line("command=ls-refs\n"),
        line("agent=bench/1\n"),
        "0001",
        line("ref-prefix refs/heads/\n"),
        line("ref-prefix refs/tags/\n"),
    );
    let mut listing = Vec::new();
    post(address, path, &request)?.read_to_end(&mut listing)?;
    let mut wants: Vec<String> = Vec::new();
    let mut rest = listing.as_slice();
    while let Some(packet) = next_packet(&mut rest)? {
        let text = String::from_utf8_lossy(&packet);
        wants.extend(
            text.split(' ')
                .next()
                .map(|id| line(&format!("want {id}\n"))),
        );
    }
    wants.sort_unstable();
    wants.dedup();
    let request = format!(
        "{}{}{}{}{}0000",
        line("command=fetch\n"),
        line("agent=bench/1\n"),
        "0001",
        line("thin-pack\n") + &line("ofs-delta\n") + &line("no-progress\n") + &wants.concat(),
        line("done\n"),
    );
    let mut answer = post(address, path, &request)?;
    let mut first_byte = None;
    let mut pack_bytes = 0;
    while let Some(packet) = next_packet(&mut answer)? {
        match packet.first() {
            Some(1) => {
                first_byte.get_or_insert_with(|| began.elapsed());
                pack_bytes += packet.len() as u64 - 1;
            }
            Some(3) => bail!("the server says: {}", String::from_utf8_lossy(&packet[1..])),
            _ => {}
        }
    }
    let first_byte = first_byte.context("no pack came")?;
    Ok(Fetched {
        first_byte,
        whole: began.elapsed(),
        pack_bytes,
    })
}

fn line(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// The next packet; `None` at a flush or at the end.
fn next_packet(input: &mut impl Read) -> anyhow::Result<Option<Vec<u8>>> {
    loop {
        let mut length = [0; 4];
        match input.read(&mut length[..1])? {
            0 => return Ok(None),
            _ => input.read_exact(&mut length[1..])?,
        }
        let length = usize::from_str_radix(std::str::from_utf8(&length)?, 16)?;
        match length {
            0 => return Ok(None),
            1..=3 => {}
            _ => {
                let mut packet = vec![0; length - 4];
                input.read_exact(&mut packet)?;
                return Ok(Some(packet));
            }
        }
    }
}

fn post(address: &str, path: &str, body: &str) -> anyhow::Result<Box<dyn Read>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    write!(
        stream,
        "POST {path}/git-upload-pack HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Git-Protocol: version=2\r\nContent-Type: application/x-git-upload-pack-request\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut reader = BufReader::with_capacity(1 << 18, stream);
    let mut status = String::new();
    reader.read_line(&mut status)?;
    ensure!(status.contains(" 200 "), "{path}: {status}");
    let mut chunked = false;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if header.trim().is_empty() {
            break;
        }
        chunked |= header.to_ascii_lowercase().trim() == "transfer-encoding: chunked";
    }
    Ok(if chunked {
        Box::new(BufReader::with_capacity(
            1 << 17,
            Chunked {
                reader,
                left: 0,
                ended: false,
            },
        ))
    } else {
        Box::new(reader)
    })
}

/// The body of an HTTP/1.1 chunked answer.
struct Chunked<R> {
    reader: R,
    left: usize,
    ended: bool,
}

impl<R: BufRead> Read for Chunked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        if self.left == 0 {
            let mut size = String::new();
            self.reader.read_line(&mut size)?;
            if size.trim().is_empty() {
                size.clear();
                self.reader.read_line(&mut size)?;
            }
            let invalid = |_| std::io::Error::from(std::io::ErrorKind::InvalidData);
            self.left = usize::from_str_radix(size.trim(), 16).map_err(invalid)?;
            if self.left == 0 {
                self.ended = true;
                return Ok(0);
            }
        }
        let wanted = buffer.len().min(self.left);
        let read = self.reader.read(&mut buffer[..wanted])?;
        self.left -= read;
        Ok(read)
    }
}
