use std::fmt;

/// What git's strict checks find wrong with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FsckProblem {
    /// `nulInHeader`
    NulInHeader,
    /// `unterminatedHeader`
    UnterminatedHeader,
    /// `badHeaderContinuation`
    BadHeaderContinuation,
    /// `badDate`
    BadDate,
    /// `badDateOverflow`
    BadDateOverflow,
    /// `badEmail`
    BadEmail,
    /// `badGpgsig`
    BadGpgsig,
    /// `badName`
    BadName,
    /// `badObjectSha1`
    BadObjectSha1,
    /// `badParentSha1`
    BadParentSha1,
    /// `badTimezone`
    BadTimezone,
    /// `badTree`
    BadTree,
    /// `badTreeSha1`
    BadTreeSha1,
    /// `badType`
    BadType,
    /// `duplicateEntries`
    DuplicateEntries,
    /// `gitattributesBlob`
    GitattributesBlob,
    /// `gitattributesLarge`
    GitattributesLarge,
    /// `gitattributesLineLength`
    GitattributesLineLength,
    /// `gitattributesMissing`
    GitattributesMissing,
    /// `gitmodulesBlob`
    GitmodulesBlob,
    /// `gitmodulesLarge`
    GitmodulesLarge,
    /// `gitmodulesMissing`
    GitmodulesMissing,
    /// `gitmodulesName`
    GitmodulesName,
    /// `gitmodulesPath`
    GitmodulesPath,
    /// `gitmodulesSymlink`
    GitmodulesSymlink,
    /// `gitmodulesUpdate`
    GitmodulesUpdate,
    /// `gitmodulesUrl`
    GitmodulesUrl,
    /// `missingAuthor`
    MissingAuthor,
    /// `missingCommitter`
    MissingCommitter,
    /// `missingEmail`
    MissingEmail,
    /// `missingNameBeforeEmail`
    MissingNameBeforeEmail,
    /// `missingObject`
    MissingObject,
    /// `missingSpaceBeforeDate`
    MissingSpaceBeforeDate,
    /// `missingSpaceBeforeEmail`
    MissingSpaceBeforeEmail,
    /// `missingTag`
    MissingTag,
    /// `missingTagEntry`
    MissingTagEntry,
    /// `missingTree`
    MissingTree,
    /// `missingType`
    MissingType,
    /// `missingTypeEntry`
    MissingTypeEntry,
    /// `multipleAuthors`
    MultipleAuthors,
    /// `treeNotSorted`
    TreeNotSorted,
    /// `zeroPaddedDate`
    ZeroPaddedDate,
    /// `fullPathname`
    FullPathname,
    /// `hasDot`
    HasDot,
    /// `hasDotdot`
    HasDotdot,
    /// `hasDotgit`
    HasDotgit,
    /// `largePathname`
    LargePathname,
    /// `nullSha1`
    NullSha1,
    /// `nulInCommit`
    NulInCommit,
    /// `zeroPaddedFilemode`
    ZeroPaddedFilemode,
}

impl FsckProblem {
    /// The message id of git-fsck(1), such as `treeNotSorted`.
    pub const fn id(self) -> &'static str {
        self.texts().0
    }

    /// The finding in words.
    pub const fn description(self) -> &'static str {
        self.texts().1
    }

    #[expect(clippy::too_many_lines, reason = "a table")]
    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::NulInHeader => ("nulInHeader", "a NUL byte in the header"),
            Self::UnterminatedHeader => {
                ("unterminatedHeader", "the header does not end in a newline")
            }
            Self::BadHeaderContinuation => (
                "badHeaderContinuation",
                "a continued header line does not end",
            ),
            Self::BadDate => (
                "badDate",
                "an author, committer or tagger line has a bad date",
            ),
            Self::BadDateOverflow => ("badDateOverflow", "a date is too large"),
            Self::BadEmail => (
                "badEmail",
                "an author, committer or tagger line has a bad email",
            ),
            Self::BadGpgsig => ("badGpgsig", "a signature header does not end"),
            Self::BadName => (
                "badName",
                "an author, committer or tagger line has a bad name",
            ),
            Self::BadObjectSha1 => ("badObjectSha1", "the 'object' line names no object"),
            Self::BadParentSha1 => ("badParentSha1", "a 'parent' line names no object"),
            Self::BadTimezone => (
                "badTimezone",
                "an author, committer or tagger line has a bad time zone",
            ),
            Self::BadTree => ("badTree", "it cannot be parsed as a tree"),
            Self::BadTreeSha1 => ("badTreeSha1", "the 'tree' line names no object"),
            Self::BadType => ("badType", "the 'type' line names no kind of object"),
            Self::DuplicateEntries => ("duplicateEntries", "it contains duplicate file entries"),
            Self::GitattributesBlob => ("gitattributesBlob", "a .gitattributes is not a blob"),
            Self::GitattributesLarge => {
                ("gitattributesLarge", ".gitattributes is too large to parse")
            }
            Self::GitattributesLineLength => (
                "gitattributesLineLength",
                ".gitattributes has too long lines to parse",
            ),
            Self::GitattributesMissing => {
                ("gitattributesMissing", "the .gitattributes blob is missing")
            }
            Self::GitmodulesBlob => ("gitmodulesBlob", "a .gitmodules is not a blob"),
            Self::GitmodulesLarge => ("gitmodulesLarge", ".gitmodules is too large to parse"),
            Self::GitmodulesMissing => ("gitmodulesMissing", "the .gitmodules blob is missing"),
            Self::GitmodulesName => ("gitmodulesName", "a disallowed submodule name"),
            Self::GitmodulesPath => ("gitmodulesPath", "a disallowed submodule path"),
            Self::GitmodulesSymlink => ("gitmodulesSymlink", ".gitmodules is a symbolic link"),
            Self::GitmodulesUpdate => ("gitmodulesUpdate", "a disallowed submodule update setting"),
            Self::GitmodulesUrl => ("gitmodulesUrl", "a disallowed submodule url"),
            Self::MissingAuthor => ("missingAuthor", "the 'author' line is missing"),
            Self::MissingCommitter => ("missingCommitter", "the 'committer' line is missing"),
            Self::MissingEmail => (
                "missingEmail",
                "an author, committer or tagger line has no email",
            ),
            Self::MissingNameBeforeEmail => (
                "missingNameBeforeEmail",
                "an author, committer or tagger line has no name before the email",
            ),
            Self::MissingObject => ("missingObject", "the 'object' line is missing"),
            Self::MissingSpaceBeforeDate => (
                "missingSpaceBeforeDate",
                "an author, committer or tagger line has no space before the date",
            ),
            Self::MissingSpaceBeforeEmail => (
                "missingSpaceBeforeEmail",
                "an author, committer or tagger line has no space before the email",
            ),
            Self::MissingTag => ("missingTag", "the 'tag' line does not end"),
            Self::MissingTagEntry => ("missingTagEntry", "the 'tag' line is missing"),
            Self::MissingTree => ("missingTree", "the 'tree' line is missing"),
            Self::MissingType => ("missingType", "the 'type' line does not end"),
            Self::MissingTypeEntry => ("missingTypeEntry", "the 'type' line is missing"),
            Self::MultipleAuthors => ("multipleAuthors", "there are several 'author' lines"),
            Self::TreeNotSorted => ("treeNotSorted", "it is not properly sorted"),
            Self::ZeroPaddedDate => ("zeroPaddedDate", "a date is padded with zeroes"),
            Self::FullPathname => ("fullPathname", "it contains full pathnames"),
            Self::HasDot => ("hasDot", "it contains '.'"),
            Self::HasDotdot => ("hasDotdot", "it contains '..'"),
            Self::HasDotgit => ("hasDotgit", "it contains '.git'"),
            Self::LargePathname => ("largePathname", "it contains an excessively large pathname"),
            Self::NullSha1 => ("nullSha1", "it contains entries pointing to the null id"),
            Self::NulInCommit => ("nulInCommit", "a NUL byte in the message"),
            Self::ZeroPaddedFilemode => {
                ("zeroPaddedFilemode", "it contains zero-padded file modes")
            }
        }
    }
}

impl fmt::Display for FsckProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id(), self.description())
    }
}
