use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

use crate::defect::Defect;

/// How much is reserved at once for inflated bytes, however much a header claims.
const FIRST_RESERVATION: usize = 1 << 20;

/// A zlib decoder that is used over and over, so that its window is allocated once.
pub(crate) struct Inflater {
    state: Decompress,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self {
            state: Decompress::new(true),
        }
    }

    /// Inflates the stream at the beginning of `input`, which must hold exactly
    /// `size` bytes, into `out`, replacing what it held. Returns how many bytes of
    /// `input` the stream takes.
    pub(crate) fn exactly(
        &mut self,
        input: &[u8],
        size: u64,
        out: &mut Vec<u8>,
    ) -> Result<usize, Defect> {
        let size = usize::try_from(size).map_err(|_| Defect::BadHeader)?;
        self.state.reset(true);
        out.clear();
        out.reserve(size.min(FIRST_RESERVATION));
        loop {
            let (read, written) = (self.state.total_in() as usize, out.len());
            let status = if written == size {
                self.state
                    .decompress(&input[read..], &mut [0; 1], FlushDecompress::Finish)
            } else {
                if out.capacity() == written {
                    out.reserve((size - written).min(written.max(FIRST_RESERVATION)));
                }
                self.state
                    .decompress_vec(&input[read..], out, FlushDecompress::Finish)
            };
            let produced = self.state.total_out() as usize;
            if produced > size {
                return Err(Defect::SizeMismatch);
            }
            match status.map_err(|_| Defect::BadZlib)? {
                Status::StreamEnd if produced == size => return Ok(self.state.total_in() as usize),
                Status::StreamEnd => return Err(Defect::SizeMismatch),
                Status::Ok | Status::BufError => {
                    if self.state.total_in() as usize == read && produced == written {
                        return Err(Defect::Truncated);
                    }
                }
            }
        }
    }

    /// Inflates at most the first `limit` bytes of the stream at the beginning of `input`.
    pub(crate) fn prefix(
        &mut self,
        input: &[u8],
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Defect> {
        self.state.reset(true);
        out.clear();
        out.resize(limit, 0);
        while (self.state.total_out() as usize) < limit {
            let (read, written) = (
                self.state.total_in() as usize,
                self.state.total_out() as usize,
            );
            let status =
                self.state
                    .decompress(&input[read..], &mut out[written..], FlushDecompress::None);
            let stuck = self.state.total_in() as usize == read
                && self.state.total_out() as usize == written;
            match status.map_err(|_| Defect::BadZlib)? {
                Status::StreamEnd => break,
                _ if stuck => return Err(Defect::Truncated),
                _ => {}
            }
        }
        out.truncate(self.state.total_out() as usize);
        Ok(())
    }

    /// Begins a stream that arrives in pieces.
    pub(crate) fn begin(&mut self) {
        self.state.reset(true);
    }

    /// Goes on with a stream: how many bytes were taken from `input`, how many
    /// were put into `out`, and whether the stream has ended.
    pub(crate) fn step(
        &mut self,
        input: &[u8],
        out: &mut [u8],
    ) -> Result<(usize, usize, bool), Defect> {
        let (read, written) = (self.state.total_in(), self.state.total_out());
        let status = self
            .state
            .decompress(input, out, FlushDecompress::None)
            .map_err(|_| Defect::BadZlib)?;
        let taken = (self.state.total_in() - read) as usize;
        let put = (self.state.total_out() - written) as usize;
        Ok((taken, put, status == Status::StreamEnd))
    }
}

/// Appends `data` as a zlib stream at git's default level.
pub(crate) fn deflate(data: &[u8], out: &mut Vec<u8>) {
    let mut encoder = ZlibEncoder::new(out, Compression::new(6));
    encoder
        .write_all(data)
        .and_then(|()| encoder.finish().map(drop))
        .expect("writing to a vector does not fail");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;

    use super::{Inflater, deflate};
    use crate::defect::Defect;

    proptest! {
        #[test]
        fn a_stream_is_read_to_its_end_and_no_further(data: Vec<u8>, tail: Vec<u8>) {
            let mut stream = Vec::new();
            deflate(&data, &mut stream);
            let length = stream.len();
            stream.extend_from_slice(&tail);
            let (mut inflater, mut out) = (Inflater::new(), vec![1, 2, 3]);
            assert_eq!(inflater.exactly(&stream, data.len() as u64, &mut out), Ok(length));
            assert_eq!(out, data);
            assert_eq!(inflater.exactly(&stream, data.len() as u64 + 1, &mut out), Err(Defect::SizeMismatch));
            assert!(data.is_empty() || inflater.exactly(&stream, data.len() as u64 - 1, &mut out).is_err());
            assert!(inflater.exactly(&stream[..length - 1], data.len() as u64, &mut out).is_err());
            inflater.prefix(&stream, 5, &mut out).unwrap();
            assert_eq!(out, &data[..data.len().min(5)]);
        }
    }

    #[test]
    fn a_header_that_claims_too_much_allocates_little() {
        let mut stream = Vec::new();
        deflate(b"small", &mut stream);
        let mut out = Vec::new();
        assert_eq!(
            Inflater::new().exactly(&stream, 1 << 40, &mut out),
            Err(Defect::SizeMismatch)
        );
        assert!(out.capacity() <= 4 << 20);
    }
}
