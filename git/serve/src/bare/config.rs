use std::io;
use std::path::Path;

/// The largest configuration file that is read.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Why a configuration cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read the file")]
    Io(#[from] io::Error),
    /// The file is larger than a configuration is.
    #[error("a configuration has at most {MAX_CONFIG_BYTES} bytes")]
    TooLarge,
    /// A line that git would not accept either.
    #[error("bad config line {line}")]
    Syntax {
        /// Counted from 1.
        line: usize,
    },
    /// A value of the wrong kind.
    #[error("bad value '{value}' for '{key}'")]
    Value {
        /// The variable.
        key: String,
        /// Its value.
        value: String,
    },
}

/// The variables of one configuration file (git-config(1), "CONFIGURATION
/// FILE"). Includes are not followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Keys as `section.subsection.name`, section and name in lower case; a
    /// variable without `=` has no value and means true.
    entries: Vec<(String, Option<String>)>,
}

impl Config {
    /// Reads a file; one that is not there is empty.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        match path.metadata() {
            Ok(data) if data.len() > MAX_CONFIG_BYTES => return Err(ConfigError::TooLarge),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        }
        Self::parse(&String::from_utf8_lossy(&std::fs::read(path)?))
    }

    /// Reads a file's text.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut entries = Vec::new();
        let mut section = String::new();
        let mut lines = text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let syntax = || ConfigError::Syntax { line: at + 1 };
            let mut rest = line.trim();
            if rest.starts_with('[') {
                let (name, after) = parse_section(rest).ok_or_else(syntax)?;
                section = name;
                rest = after.trim_start();
            }
            if rest.is_empty() || rest.starts_with(['#', ';']) {
                continue;
            }
            let (name, value) = match rest.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(value)),
                None => (
                    rest.split(['#', ';']).next().unwrap_or_default().trim_end(),
                    None,
                ),
            };
            let valid = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if section.is_empty() || name.is_empty() || !valid {
                return Err(syntax());
            }
            let value = match value {
                Some(value) => {
                    let mut next = || lines.next().map(|(_, line)| line);
                    Some(parse_value(value, &mut next).ok_or_else(syntax)?)
                }
                None => None,
            };
            entries.push((format!("{section}.{}", name.to_ascii_lowercase()), value));
        }
        Ok(Self { entries })
    }

    /// All values of a variable, in the order of the file. `key` is in lower
    /// case but for a subsection.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let entries = self
            .entries
            .iter()
            .filter(move |(candidate, _)| candidate == key);
        entries.map(|(_, value)| value.as_deref().unwrap_or("true"))
    }

    /// All variables of a section, with their whole keys, in the order of the file.
    pub fn section<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let inside = move |key: &str| {
            let rest = key.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let entries = self.entries.iter().filter(move |(key, _)| inside(key));
        entries.map(|(key, value)| (key.as_str(), value.as_deref().unwrap_or("true")))
    }

    /// The last value of a variable.
    pub fn get<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        self.all(key).last()
    }

    /// A variable that is true or false.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        match value.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(Some(true)),
            "false" | "no" | "off" | "" => Ok(Some(false)),
            _ => self
                .number(key)
                .map(|number| number.map(|number| number != 0)),
        }
    }

    /// A variable that is a number, perhaps with one of the suffixes k, m, g.
    pub fn number(&self, key: &str) -> Result<Option<u64>, ConfigError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let (digits, shift) = match value.char_indices().last() {
            Some((at, 'k' | 'K')) => (&value[..at], 10),
            Some((at, 'm' | 'M')) => (&value[..at], 20),
            Some((at, 'g' | 'G')) => (&value[..at], 30),
            _ => (value, 0),
        };
        let number = digits
            .trim()
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(1 << shift));
        let bad = || ConfigError::Value {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        number.map(Some).ok_or_else(bad)
    }
}

/// `[section]`, `[section "subsection"]` or `[section.subsection]`, and what
/// follows on the line.
fn parse_section(line: &str) -> Option<(String, &str)> {
    let inner = line.strip_prefix('[')?;
    let end = inner.find([']', '"'])?;
    let name = inner[..end].trim_end().to_ascii_lowercase();
    if inner[end..].starts_with(']') {
        return Some((name, &inner[end + 1..]));
    }
    let mut subsection = String::new();
    let mut characters = inner[end + 1..].char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let after = inner[end + 1 + at + 1..].trim_start().strip_prefix(']')?;
                return Some((format!("{name}.{subsection}"), after));
            }
            '\\' => subsection.push(characters.next()?.1),
            _ => subsection.push(character),
        }
    }
    None
}

/// A value up to its comment, with quotes and escapes; a backslash at the end of
/// the line continues it on the next.
fn parse_value<'a>(first: &'a str, next: &mut dyn FnMut() -> Option<&'a str>) -> Option<String> {
    let (mut value, mut quoted) = (String::new(), false);
    // What precedes this position is kept even if it is white space.
    let mut kept = 0;
    let mut line = first.trim();
    'lines: loop {
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => quoted = !quoted,
                '#' | ';' if !quoted => break 'lines,
                '\\' => match characters.next() {
                    Some('n') => value.push('\n'),
                    Some('t') => value.push('\t'),
                    Some('b') => drop(value.pop()),
                    Some(escaped @ ('\\' | '"')) => value.push(escaped),
                    Some(_) => return None,
                    None => {
                        line = next()?;
                        continue 'lines;
                    }
                },
                _ => value.push(character),
            }
            if quoted || !character.is_whitespace() {
                kept = value.len();
            }
        }
        break;
    }
    value.truncate(kept);
    (!quoted).then_some(value)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::proptest;

    use super::{Config, ConfigError};

    const TEXT: &str = "# comment\n[core]\n\tbare = true\n\trepositoryformatversion = 0 ; no\n\
        [transfer] hideRefs = refs/a\n\thiderefs = !refs/a/b\n\
        [Remote \"a.B \\\"c\"]\n URL=\"x # y\" # z\n flag\n\
        [receive]\n\tmaxInputSize = 2m\n\tfsckObjects\n\tlong = one \\\n two\n empty =\n off = off\n";

    #[test]
    fn variables_are_read_as_git_reads_them() {
        let config = Config::parse(TEXT).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config");
        std::fs::write(&path, TEXT).unwrap();
        for key in [
            "core.bare",
            "core.repositoryformatversion",
            "transfer.hiderefs",
            "remote.a.B \"c.url",
            "receive.maxinputsize",
            "receive.long",
            "receive.empty",
        ] {
            let output = Command::new("git")
                .arg("config")
                .arg("-f")
                .arg(&path)
                .args(["--get-all", key])
                .output();
            let expected = String::from_utf8(output.unwrap().stdout).unwrap();
            let ours: String = config.all(key).map(|value| format!("{value}\n")).collect();
            assert_eq!(ours, expected, "{key}");
        }
        assert_eq!(config.get("remote.a.B \"c.flag"), Some("true"));
        assert_eq!(
            config.number("receive.maxinputsize").unwrap(),
            Some(2 << 20)
        );
        assert_eq!(config.boolean("receive.fsckobjects").unwrap(), Some(true));
        assert_eq!(config.boolean("receive.off").unwrap(), Some(false));
        assert_eq!(config.boolean("receive.none").unwrap(), None);
        assert!(matches!(
            config.boolean("receive.long"),
            Err(ConfigError::Value { .. })
        ));
    }

    #[test]
    fn lines_that_git_refuses_are_refused() {
        for text in [
            "a = b",
            "[core\na=b",
            "[core]\n= b",
            "[core]\na b = c",
            "[core]\na = \"b",
            "[s \"x\n",
        ] {
            assert!(
                matches!(Config::parse(text), Err(ConfigError::Syntax { .. })),
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "[\\[\\]a-c.=\\\\\"#; \nä]{0,40}") {
            if let Ok(config) = Config::parse(&text) {
                for (key, _) in &config.entries {
                    let _ = (config.boolean(key), config.number(key));
                }
            }
        }
    }
}
