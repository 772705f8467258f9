//! Lower-case hexadecimal, as ids are shown and typed.
//!
//! Parsing accepts either case, so that an id copied from another tool works;
//! writing is always lower case, so that equal ids are equal strings.

use std::fmt;

/// Why a text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// The text has the wrong number of characters.
    #[error("parse id: {found} characters instead of 64")]
    Length {
        /// Characters (bytes of UTF-8) that were given.
        found: usize,
    },
    /// A character is not a hexadecimal digit.
    #[error("parse id: byte {position} is not a hexadecimal digit")]
    Digit {
        /// Offset of the offending byte.
        position: usize,
    },
}

/// Writes `bytes` as lower-case hexadecimal.
pub(crate) fn write(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Reads exactly 64 hexadecimal digits.
pub(crate) fn parse(text: &str) -> Result<[u8; 32], ParseIdError> {
    let text = text.as_bytes();
    if text.len() != 64 {
        return Err(ParseIdError::Length { found: text.len() });
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = digit(text, 2 * index)? << 4 | digit(text, 2 * index + 1)?;
    }
    Ok(bytes)
}

fn digit(text: &[u8], position: usize) -> Result<u8, ParseIdError> {
    match text[position] {
        digit @ b'0'..=b'9' => Ok(digit - b'0'),
        digit @ b'a'..=b'f' => Ok(digit - b'a' + 10),
        digit @ b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(ParseIdError::Digit { position }),
    }
}
