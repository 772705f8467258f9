//! Frames: a version byte, then pieces, each a number (8 bytes), a gRPC code (1 byte, zero for
//! calls and for answers that are not failures), a length (4 bytes) and that many bytes; integers
//! are little-endian.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tonic::{Code, Status};

const VERSION: u8 = 1;
const HEAD: usize = 8 + 1 + 4;

/// What a frame of one piece has beside the piece's bytes.
pub(crate) const OVERHEAD: usize = 1 + HEAD;

/// A frame that is being filled.
#[derive(Debug)]
pub(crate) struct Filling(BytesMut);

/// One call, or the answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) number: u64,
    pub(crate) code: u8,
    pub(crate) bytes: Bytes,
}

impl Filling {
    pub(crate) fn new() -> Self {
        let mut bytes = BytesMut::with_capacity(1024);
        bytes.put_u8(VERSION);
        Self(bytes)
    }

    fn push(&mut self, number: u64, code: Code, bytes: &[u8]) {
        // No message of gRPC is longer.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.0.reserve(HEAD + bytes.len());
        self.0.put_u64_le(number);
        self.0.put_u8(code as u8);
        self.0.put_u32_le(length);
        self.0.put_slice(bytes);
    }

    pub(crate) fn call(&mut self, number: u64, call: &[u8]) {
        self.push(number, Code::Ok, call);
    }

    pub(crate) fn answer(&mut self, number: u64, answer: &Result<Bytes, Status>) {
        match answer {
            Ok(answer) => self.push(number, Code::Ok, answer),
            Err(status) => self.push(number, status.code(), status.message().as_bytes()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.len() == 1
    }

    pub(crate) fn finish(self) -> Bytes {
        self.0.freeze()
    }
}

impl Piece {
    /// What an answer says.
    pub(crate) fn into_answer(self) -> Result<Bytes, Status> {
        match Code::from_i32(i32::from(self.code)) {
            Code::Ok => Ok(self.bytes),
            code => Err(Status::new(code, String::from_utf8_lossy(&self.bytes))),
        }
    }
}

/// The pieces of a frame. They share its memory.
pub(crate) fn read(mut frame: Bytes) -> Result<Vec<Piece>, Status> {
    let malformed = || Status::invalid_argument("a frame cannot be read");
    match frame.try_get_u8() {
        Ok(VERSION) => {}
        Ok(version) => {
            let reason = format!("the frame has version {version}, this release knows {VERSION}");
            return Err(Status::unimplemented(reason));
        }
        Err(_) => return Err(malformed()),
    }
    let mut pieces = Vec::new();
    while frame.has_remaining() {
        let number = frame.try_get_u64_le().map_err(|_| malformed())?;
        let code = frame.try_get_u8().map_err(|_| malformed())?;
        let length = frame.try_get_u32_le().map_err(|_| malformed())? as usize;
        if length > frame.remaining() {
            return Err(malformed());
        }
        pieces.push(Piece {
            number,
            code,
            bytes: frame.split_to(length),
        });
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Releases that run side by side exchange these bytes: they are never edited.
    #[test]
    fn the_bytes_of_version_1_are_fixed() {
        let mut frame = Filling::new();
        frame.call(1, b"ab");
        frame.answer(258, &Err(Status::not_found("no")));
        frame.answer(2, &Ok(Bytes::new()));
        let bytes = frame.finish();
        let expect: [&[u8]; 7] = [
            &[1],
            &[1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0],
            b"ab",
            &[2, 1, 0, 0, 0, 0, 0, 0, 5, 2, 0, 0, 0],
            b"no",
            &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[],
        ];
        assert_eq!(bytes, expect.concat());
        let pieces = read(bytes).unwrap();
        let numbers: Vec<u64> = pieces.iter().map(|piece| piece.number).collect();
        assert_eq!(numbers, [1, 258, 2]);
        let mut answers = pieces.into_iter().map(Piece::into_answer);
        assert_eq!(answers.next().unwrap().unwrap(), "ab");
        let failed = answers.next().unwrap().unwrap_err();
        assert_eq!((failed.code(), failed.message()), (Code::NotFound, "no"));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let mut frame = Filling::new();
        assert!(frame.is_empty());
        frame.call(7, b"call");
        let bytes = frame.finish();
        for length in 2..bytes.len() {
            assert!(read(bytes.slice(..length)).is_err(), "{length} bytes");
        }
        assert!(read(bytes.slice(..1)).unwrap().is_empty());
        assert!(read(Bytes::new()).is_err());
        let newer = read(Bytes::from_static(&[2])).unwrap_err();
        assert_eq!(newer.code(), Code::Unimplemented);
    }
}
