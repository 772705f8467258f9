//! Tests of git's suite that the bare-directory mode is not meant to pass yet,
//! each with its reason. Names are whole, so that no other test is excepted.

const HOOKS: &str = "hooks of the served directory are not run: the forge has events instead";
const SIGNED: &str =
    "signed pushes are not offered: the certificate's only use is a hook, and hooks are not run";
const PACK_HOOK: &str =
    "uploadpack.packObjectsHook is not heeded: packs are made in process, no program is run";
const PACKFILE_URIS: &str = "packfile-uris are not built yet";
const PACKFILE_URIS_UNTESTED: &str =
    "packfile-uris are not built yet: without them this test may pass, but shows nothing";
const TRACE: &str = "looks at the trace that C git's server writes into the client's trace file";
const AGENT: &str = "compares the server's name with C git's";
const SILENT: &str =
    "an error is told to the client too, where C git says it on standard error alone";

/// Script, the test's name, and why it is excepted.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("t5500", "single given branch clone", TRACE),
    ("t5500", "clone shallow depth 1", TRACE),
    ("t5500", "deepening pull in shallow repo", TRACE),
    ("t5500", "turn shallow to complete repository", TRACE),
    ("t5500", "fetch shallow since ...", TRACE),
    ("t5500", "filtering by size", TRACE),
    ("t5541", "rejected update prints status", HOOKS),
    (
        "t5541",
        "push with post-receive to inspect certificate",
        SIGNED,
    ),
    (
        "t5702",
        "upload-pack respects config using protocol v2",
        PACK_HOOK,
    ),
    (
        "t5702",
        "reject client packfile-uris if not advertised",
        PACKFILE_URIS,
    ),
    (
        "t5702",
        "part of packfile response provided as URI",
        PACKFILE_URIS,
    ),
    (
        "t5702",
        "packfile URIs with fetch instead of clone",
        PACKFILE_URIS_UNTESTED,
    ),
    (
        "t5702",
        "fetching with valid packfile URI but invalid hash fails",
        PACKFILE_URIS,
    ),
    (
        "t5702",
        "packfile-uri with transfer.fsckobjects",
        PACKFILE_URIS,
    ),
    (
        "t5702",
        "packfile-uri with transfer.fsckobjects fails on bad object",
        PACKFILE_URIS,
    ),
    (
        "t5702",
        "packfile-uri with transfer.fsckobjects succeeds when .gitmodules is separate from tree",
        PACKFILE_URIS,
    ),
    (
        "t5702",
        "packfile-uri with transfer.fsckobjects fails when .gitmodules separate from tree is invalid",
        PACKFILE_URIS_UNTESTED,
    ),
    (
        "t5702",
        "packfile-uri path redacted in trace",
        PACKFILE_URIS,
    ),
    (
        "t5702",
        "packfile-uri path not redacted in trace when GIT_TRACE_REDACT=0",
        PACKFILE_URIS,
    ),
];

/// Why a test is excepted, if it is.
pub(super) fn reason(script: &str, name: &str) -> Option<&'static str> {
    EXCEPTIONS
        .iter()
        .find(|(of, excepted, _)| *of == script && *excepted == name)
        .map(|(_, _, why)| *why)
}
