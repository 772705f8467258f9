use git_services::ArchiveOptions;

use super::format;
use crate::limits::ARCHIVE_LEVEL;

/// What a command line asks for.
#[derive(Debug)]
pub(super) enum Wanted {
    /// The names of the formats.
    Formats,
    /// An archive.
    Archive(Arguments),
}

/// An archive as a command line asks for it (git-archive(1)).
#[derive(Debug)]
pub(super) struct Arguments {
    /// The name of a ref.
    pub(super) revision: String,
    /// The directory in it that is archived as if it were all.
    pub(super) directory: Option<String>,
    pub(super) options: ArchiveOptions,
}

/// Reads a command line without the command. An error is words for whoever wrote it.
pub(super) fn parse(words: &[String]) -> Result<Wanted, String> {
    let mut options = ArchiveOptions::new(git_services::Format::Tar);
    options.level = ARCHIVE_LEVEL;
    let mut words = words.iter().map(String::as_str);
    let mut rest: Vec<&str> = Vec::new();
    let mut only_rest = false;
    while let Some(word) = words.next() {
        if only_rest || !word.starts_with('-') {
            rest.push(word);
            continue;
        }
        let (name, given) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let mut value = || {
            let value = given.or_else(|| words.next());
            value.ok_or_else(|| format!("option '{name}' takes a value"))
        };
        match name {
            "--" => only_rest = true,
            "-l" | "--list" => return Ok(Wanted::Formats),
            "-v" | "--verbose" => {}
            "--format" => {
                let name = value()?;
                let known = format(name).ok_or_else(|| format!("unknown archive format '{name}'"));
                options.format = known?;
            }
            "--prefix" => options.prefix = value()?.as_bytes().to_vec(),
            _ => match word.as_bytes() {
                [b'-', digit @ b'0'..=b'9'] => options.level = u32::from(digit - b'0'),
                _ => return Err(format!("option '{word}' is not served for remote archives")),
            },
        }
    }
    let (revision, paths) = rest
        .split_first()
        .ok_or("name a branch or a tag to archive")?;
    options.paths = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
    let (revision, directory) = match revision.split_once(':') {
        Some((revision, directory)) => (revision, Some(directory.to_owned())),
        None => (*revision, None),
    };
    Ok(Wanted::Archive(Arguments {
        revision: revision.to_owned(),
        directory,
        options,
    }))
}

#[cfg(test)]
mod tests {
    use git_services::Format;

    use super::{Arguments, Wanted, parse};

    fn archive(line: &str) -> Result<Arguments, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match parse(&words)? {
            Wanted::Archive(arguments) => Ok(arguments),
            Wanted::Formats => Err("formats".to_owned()),
        }
    }

    #[test]
    fn the_words_of_git_archive_are_read() {
        let asked = archive("--format=zip --prefix=a/ -9 main:docs x y").unwrap();
        assert_eq!(asked.revision, "main");
        assert_eq!(asked.directory.as_deref(), Some("docs"));
        assert_eq!(asked.options.format, Format::Zip);
        assert_eq!(
            (asked.options.prefix, asked.options.level),
            (b"a/".to_vec(), 9)
        );
        assert_eq!(asked.options.paths, [b"x".to_vec(), b"y".to_vec()]);
        let asked = archive("--format tar.gz --prefix b -- -odd").unwrap();
        assert_eq!(
            (asked.revision.as_str(), asked.options.format),
            ("-odd", Format::TarGz)
        );
        assert!(matches!(parse(&["--list".to_owned()]), Ok(Wanted::Formats)));
        for (line, said) in [
            ("", "name a branch"),
            ("--format=rar main", "unknown archive format 'rar'"),
            ("--add-file=x main", "not served"),
            ("--prefix", "takes a value"),
        ] {
            let refused = archive(line).unwrap_err();
            assert!(refused.contains(said), "{line}: {refused}");
        }
    }
}
