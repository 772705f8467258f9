use std::fmt::{self, Write};

use bytes::BytesMut;

use super::{HEADER_BYTES, MAX_DATA_BYTES};

/// Appends a data packet. Data above [`MAX_DATA_BYTES`] is cut off there.
pub fn put_data(out: &mut BytesMut, data: &[u8]) {
    let data = &data[..data.len().min(MAX_DATA_BYTES)];
    out.extend_from_slice(&header(data.len() + HEADER_BYTES));
    out.extend_from_slice(data);
}

/// Appends a data packet of formatted text. Nothing is added to the text: lines
/// bring their own line feed. Text above [`MAX_DATA_BYTES`] is cut off there.
pub fn put_line(out: &mut BytesMut, text: fmt::Arguments<'_>) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    out.write_fmt(text)
        .expect("writing to memory does not fail");
    out.truncate(start + HEADER_BYTES + MAX_DATA_BYTES);
    let length = out.len() - start;
    out[start..start + HEADER_BYTES].copy_from_slice(&header(length));
}

/// Appends `0000`.
pub fn put_flush(out: &mut BytesMut) {
    out.extend_from_slice(b"0000");
}

/// Appends `0001`.
pub fn put_delimiter(out: &mut BytesMut) {
    out.extend_from_slice(b"0001");
}

/// Appends `0002`.
pub fn put_response_end(out: &mut BytesMut) {
    out.extend_from_slice(b"0002");
}

/// The four digits for a packet of `length` bytes, which is at most 65520.
pub(crate) fn header(length: usize) -> [u8; HEADER_BYTES] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [12, 8, 4, 0].map(|shift| DIGITS[length >> shift & 0xf])
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{put_data, put_flush, put_line};
    use crate::pkt::{MAX_DATA_BYTES, MAX_PACKET_BYTES};

    #[test]
    fn packets_have_the_bytes_of_the_protocol_document() {
        let mut out = BytesMut::new();
        put_data(&mut out, b"a\n");
        put_data(&mut out, b"foobar\n");
        put_line(&mut out, format_args!("{}", 1));
        put_data(&mut out, b"");
        put_flush(&mut out);
        assert_eq!(&out[..], b"0006a\n000bfoobar\n0005100040000");
    }

    #[test]
    fn what_does_not_fit_is_cut_off() {
        let mut out = BytesMut::new();
        let long = "x".repeat(MAX_DATA_BYTES + 1);
        put_line(&mut out, format_args!("{long}"));
        assert_eq!((out.len(), &out[..4]), (MAX_PACKET_BYTES, &b"fff0"[..]));
        out.clear();
        put_data(&mut out, long.as_bytes());
        assert_eq!(out.len(), MAX_PACKET_BYTES);
    }
}
