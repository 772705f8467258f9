//! Tests of git's suite that the bare-directory mode is not meant to pass, each
//! with its reason.

/// Script, a part of the test's name, and why it is excepted.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "t5541",
    "hook",
    "server-side hooks are not run: the forge has events instead",
)];

/// Why a failed test is excepted, if it is.
pub(super) fn reason(script: &str, name: &str) -> Option<&'static str> {
    EXCEPTIONS
        .iter()
        .find(|(of, part, _)| *of == script && name.contains(part))
        .map(|(_, _, why)| *why)
}
