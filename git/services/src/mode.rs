/// What an entry of a tree is, as git canonicalises its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A directory.
    Directory,
    /// A file.
    File,
    /// A file that may be run.
    Executable,
    /// A symbolic link, whose blob is its target.
    Link,
    /// A commit of another repository.
    Submodule,
}

impl Mode {
    /// The meaning of a mode as a tree stores it.
    pub const fn of(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o040_000 => Self::Directory,
            0o120_000 => Self::Link,
            0o100_000 if mode & 0o100 != 0 => Self::Executable,
            0o100_000 => Self::File,
            _ => Self::Submodule,
        }
    }

    /// The mode that git writes.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Directory => 0o040_000,
            Self::File => 0o100_644,
            Self::Executable => 0o100_755,
            Self::Link => 0o120_000,
            Self::Submodule => 0o160_000,
        }
    }

    /// Whether it is a blob with a file's content.
    pub const fn is_file(self) -> bool {
        matches!(self, Self::File | Self::Executable)
    }
}
