/// Percent-encodes all of a path but its slashes and plain characters.
pub(crate) fn encode(path: &str) -> String {
    use std::fmt::Write as _;
    path.bytes()
        .fold(String::with_capacity(path.len()), |mut text, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                text.push(char::from(byte));
            } else {
                write!(text, "%{byte:02X}").expect("writing to a string cannot fail");
            }
            text
        })
}
