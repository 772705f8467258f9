//! What `.gitattributes` files of a tree say of its paths (gitattributes(5)).
//!
//! Only the files of the tree count: a server has no attributes of its own.

mod glob;
mod rules;

use git_id::ObjectId;
use git_pack::{Objects, ReadError, TreeEntry};

use crate::limits::ATTRIBUTES_BYTES;
use crate::mode::Mode;
use rules::{Assignment, Rules};

/// What an attribute is for a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Attribute {
    #[default]
    Unspecified,
    Set,
    Unset,
    Value(Vec<u8>),
}

/// The attributes that hold where a walk over a tree is: the files of the directories from the root
/// down to it.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    levels: Vec<Rules>,
}

/// The attributes of one path.
#[derive(Debug, Default)]
pub(crate) struct PathAttributes {
    known: Vec<Assignment>,
}

impl Attributes {
    /// Goes into a directory, whose path ends with a slash unless it is the root.
    pub(crate) fn enter(
        &mut self,
        objects: &Objects,
        path: &[u8],
        entries: &[TreeEntry],
    ) -> Result<(), ReadError> {
        let is_file = |entry: &&TreeEntry| {
            entry.name == b".gitattributes"
                && matches!(Mode::of(entry.mode), Mode::File | Mode::Executable)
        };
        let text = match entries.iter().find(is_file) {
            Some(entry) => read_short(objects, &entry.id)?,
            None => None,
        };
        let may_define = self.levels.is_empty();
        let rules = text.map(|text| Rules::parse(path, &text, may_define));
        self.levels.push(rules.unwrap_or_default());
        Ok(())
    }

    /// Goes back out of the directory that was entered last.
    pub(crate) fn leave(&mut self) {
        self.levels.pop();
    }

    /// The attributes of a path in the directories that were entered.
    pub(crate) fn of(&self, path: &[u8], is_directory: bool) -> PathAttributes {
        let mut found = PathAttributes::default();
        for rules in self.levels.iter().rev() {
            for line in rules.matching(path, is_directory) {
                self.take(line, &mut found);
            }
        }
        found
    }

    /// Takes what is not known yet: what counts more comes first. A macro that is set brings what it
    /// stands for.
    fn take(&self, line: &[Assignment], found: &mut PathAttributes) {
        for assignment in line.iter().rev() {
            if found
                .known
                .iter()
                .any(|known| known.name == assignment.name)
            {
                continue;
            }
            found.known.push(assignment.clone());
            if assignment.value == Attribute::Set
                && let Some(expansion) = self.expansion(&assignment.name)
            {
                self.take(expansion, found);
            }
        }
    }

    fn expansion(&self, name: &[u8]) -> Option<&[Assignment]> {
        let defined = self.levels.first()?.macros.iter().rev();
        let own = defined.clone().find(|(defined, _)| defined == name);
        match own {
            Some((_, expansion)) => Some(expansion),
            None if name == b"binary" => Some(rules::binary()),
            None => None,
        }
    }
}

impl PathAttributes {
    /// What the attribute is.
    pub(crate) fn get(&self, name: &str) -> Attribute {
        let known = self.known.iter();
        let known = known.clone().find(|known| known.name == name.as_bytes());
        known.map_or(Attribute::Unspecified, |known| known.value.clone())
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.get(name) == Attribute::Set
    }
}

fn read_short(objects: &Objects, id: &ObjectId) -> Result<Option<Vec<u8>>, ReadError> {
    match objects.header(id)? {
        Some(header) if header.size <= ATTRIBUTES_BYTES => {
            Ok(objects.read(id)?.map(|object| object.data))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{Attribute, Attributes, Rules};

    #[test]
    fn later_lines_and_deeper_files_count_more_and_macros_expand() {
        let root =
            b"[attr]gone export-ignore -text\n# comment\n*.bin binary\n*.txt text eol=crlf\n\
            docs/ gone\n\"a b\" text=auto\n*.txt !eol\n";
        let inner = b"*.txt -text\n/deep/*.c eol=lf";
        let attributes = Attributes {
            levels: vec![
                Rules::parse(b"", root, true),
                Rules::parse(b"sub/", inner, false),
            ],
        };
        let get = |path: &str, directory, name| attributes.of(path.as_bytes(), directory).get(name);
        assert_eq!(get("x.bin", false, "text"), Attribute::Unset);
        assert_eq!(get("x.txt", false, "text"), Attribute::Set);
        assert_eq!(get("x.txt", false, "eol"), Attribute::Unspecified);
        assert_eq!(get("sub/x.txt", false, "text"), Attribute::Unset);
        assert_eq!(get("docs", true, "export-ignore"), Attribute::Set);
        assert_eq!(get("docs", false, "export-ignore"), Attribute::Unspecified);
        assert_eq!(
            get("a b", false, "text"),
            Attribute::Value(b"auto".to_vec())
        );
        assert_eq!(
            get("sub/deep/x.c", false, "eol"),
            Attribute::Value(b"lf".to_vec())
        );
    }
}
