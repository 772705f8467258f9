use crate::attributes::{Attribute, PathAttributes};

/// What becomes of the ends of a file's lines (gitattributes(5), "eol").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endings {
    /// They stay.
    Keep,
    /// Each becomes a carriage return and a line feed.
    CrLf,
    /// The same, if the content looks like text and has no carriage returns yet.
    CrLfIfText,
}

impl Endings {
    pub(super) fn of(attributes: &PathAttributes) -> Self {
        let text = match attributes.get("text") {
            Attribute::Unspecified => attributes.get("crlf"),
            text => text,
        };
        let is_crlf = attributes.get("eol") == Attribute::Value(b"crlf".to_vec());
        match text {
            _ if !is_crlf => Self::Keep,
            Attribute::Unset => Self::Keep,
            Attribute::Value(value) if value == b"auto" => Self::CrLfIfText,
            Attribute::Value(value) if value == b"input" => Self::Keep,
            _ => Self::CrLf,
        }
    }

    pub(super) fn convert(self, data: Vec<u8>) -> Vec<u8> {
        if self == Self::Keep || !data.contains(&b'\n') {
            return data;
        }
        if self == Self::CrLfIfText && (data.contains(&b'\r') || is_binary(&data)) {
            return data;
        }
        let mut converted = Vec::with_capacity(data.len() + data.len() / 16);
        let mut before = 0;
        for byte in data {
            if byte == b'\n' && before != b'\r' {
                converted.push(b'\r');
            }
            converted.push(byte);
            before = byte;
        }
        converted
    }
}

/// Content that git would take for no text: with a NUL, or with more than one byte in 128 that is not
/// printed.
fn is_binary(data: &[u8]) -> bool {
    let (mut printed, mut others) = (0usize, 0usize);
    for byte in data {
        match byte {
            0 => return true,
            b'\n' | b'\r' => {}
            8 | b'\t' | 12 | 27 => printed += 1,
            ..32 | 127 => others += 1,
            _ => printed += 1,
        }
    }
    // An end-of-file mark of old is no fault.
    if data.last() == Some(&26) {
        others -= 1;
    }
    printed >> 7 < others
}

#[cfg(test)]
mod tests {
    use super::Endings;

    #[test]
    fn only_lone_line_feeds_change_and_only_in_text() {
        let convert = |endings: Endings, text: &[u8]| endings.convert(text.to_vec());
        assert_eq!(convert(Endings::CrLf, b"a\nb\r\nc"), b"a\r\nb\r\nc");
        assert_eq!(convert(Endings::CrLfIfText, b"a\nb\n"), b"a\r\nb\r\n");
        assert_eq!(convert(Endings::CrLfIfText, b"a\nb\r\n"), b"a\nb\r\n");
        assert_eq!(convert(Endings::CrLfIfText, b"a\n\0"), b"a\n\0");
        assert_eq!(convert(Endings::CrLfIfText, b"a\n\x1a"), b"a\r\n\x1a");
        assert_eq!(convert(Endings::Keep, b"a\n"), b"a\n");
    }
}
