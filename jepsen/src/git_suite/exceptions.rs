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
const REFTABLE: &str = "repositories with ref storage reftable are not read";
const SYMREF: &str =
    "a symbolic ref is not pushed through, not even beside the ref that it points to";
const WORKING_TREE: &str = "working trees are not updated, and those elsewhere not looked at";
const TEST_OPTION: &str = "an option that C git's receive-pack has for this test alone";
const CLEARED: &str =
    "a name that is in the way must be deleted in a push before, not in the same one";
const WORDS: &str = "compares C git's words for a refusal that is told in other words";
const LOOSE: &str = "asks for a loose object, but pushes are kept as packs whatever their size";
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
    ("t5510", "existing reference lock in repo", REFTABLE),
    (
        "t5510",
        "D/F conflict on case sensitive filesystem with lock",
        REFTABLE,
    ),
    ("t5516", "push does not update local refs on failure", HOOKS),
    (
        "t5516",
        "pushing valid refs triggers post-receive and post-update hooks",
        HOOKS,
    ),
    (
        "t5516",
        "deleting dangling ref triggers hooks with correct args",
        HOOKS,
    ),
    (
        "t5516",
        "deletion of a non-existent ref is not fed to post-receive and post-update hooks",
        HOOKS,
    ),
    (
        "t5516",
        "deletion of a non-existent ref alone does trigger post-receive and post-update hooks",
        HOOKS,
    ),
    (
        "t5516",
        "mixed ref updates, deletes, invalid deletes trigger hooks with correct input",
        HOOKS,
    ),
    ("t5516", "push into aliased refs (consistent)", SYMREF),
    ("t5516", "push into aliased refs (inconsistent)", SYMREF),
    (
        "t5516",
        "push --no-thin must produce non-thin pack",
        TEST_OPTION,
    ),
    (
        "t5516",
        "receive.denyCurrentBranch = updateInstead",
        WORKING_TREE,
    ),
    (
        "t5516",
        "updateInstead with push-to-checkout hook",
        WORKING_TREE,
    ),
    ("t5516", "denyCurrentBranch and core.worktree", WORKING_TREE),
    ("t5516", "denyCurrentBranch and worktrees", WORKING_TREE),
    (
        "t5516",
        "denyCurrentBranch and bare repository worktrees",
        WORKING_TREE,
    ),
    (
        "t5516",
        "updateInstead with bare repository worktree and unborn bare HEAD",
        WORKING_TREE,
    ),
    (
        "t5516",
        "push with F/D conflict with deletion and creation",
        CLEARED,
    ),
    (
        "t5516",
        "pushing non-commit objects should report error",
        WORDS,
    ),
    ("t5561", "static file is ok", LOOSE),
    ("t5561", "no export by default", LOOSE),
    ("t5561", "export if git-daemon-export-ok", LOOSE),
    ("t5561", "static file if http.getanyfile true is ok", LOOSE),
    ("t5561", "static file if http.getanyfile false fails", LOOSE),
    ("t5561", "server request log matches test results", LOOSE),
    ("t5701", "test capability advertisement", AGENT),
    (
        "t5701",
        "test capability advertisement with uploadpack.advertiseBundleURIs",
        AGENT,
    ),
    ("t5701", "basics of bundle-uri: dies if not enabled", SILENT),
    ("t5705", "session IDs advertised (fetch v0)", TRACE),
    ("t5705", "session IDs advertised (push v0)", TRACE),
    (
        "t5705",
        "client & server log negotiated version (v0)",
        TRACE,
    ),
    ("t5705", "session IDs advertised (fetch v1)", TRACE),
    ("t5705", "session IDs advertised (push v1)", TRACE),
    (
        "t5705",
        "client & server log negotiated version (v1)",
        TRACE,
    ),
    ("t5705", "session IDs advertised (fetch v2)", TRACE),
    ("t5705", "session IDs advertised (push v2)", TRACE),
    (
        "t5705",
        "client & server log negotiated version (v2)",
        TRACE,
    ),
];

/// Why a test is excepted, if it is.
pub(super) fn reason(script: &str, name: &str) -> Option<&'static str> {
    EXCEPTIONS
        .iter()
        .find(|(of, excepted, _)| *of == script && *excepted == name)
        .map(|(_, _, why)| *why)
}
