//! How much of a tree is in which language.
//!
//! Languages are told by the names of files and, where `.gitattributes` has them, by `linguist-language`,
//! `linguist-vendored`, `linguist-generated` and `linguist-documentation`. Content is not looked at.

mod table;

use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use git_id::ObjectId;
use git_pack::{Objects, ReadError, TreeEntry};

use crate::attributes::{Attribute, Attributes, PathAttributes};
use crate::cancel;
use crate::limits::{LANGUAGE_FILES, TREE_DEPTH};
use crate::mode::Mode;
use crate::tree::expect_tree;
use table::{DOCUMENTATION, GENERATED, LANGUAGES, VENDORED};

/// How many bytes of a tree's files are in a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanguageSize {
    /// Its usual name.
    pub language: String,
    /// Bytes.
    pub bytes: u64,
}

/// Counts the bytes of each language, the most first. What others wrote, what programs wrote and
/// documentation are left out; so is what comes after [`LANGUAGE_FILES`] files.
///
/// # Errors
///
/// An object is missing or damaged, or nobody waits any more.
pub fn languages(
    objects: &Objects,
    tree: &ObjectId,
    cancel: &AtomicBool,
) -> Result<Vec<LanguageSize>, ReadError> {
    let mut walk = Walk {
        objects,
        attributes: Attributes::default(),
        open: Vec::new(),
        sizes: HashMap::new(),
    };
    walk.enter(tree, Vec::new())?;
    let mut files = 0;
    while let Some((directory, entries)) = walk.open.last_mut() {
        cancel::check(cancel)?;
        let Some(entry) = entries.next() else {
            walk.open.pop();
            walk.attributes.leave();
            continue;
        };
        let path = [directory, entry.name.as_slice()].concat();
        files += 1;
        if files > LANGUAGE_FILES {
            break;
        }
        walk.entry(&entry, path)?;
    }
    let sizes = walk.sizes.into_iter();
    let mut sizes: Vec<_> = sizes
        .map(|(language, bytes)| LanguageSize { language, bytes })
        .collect();
    sizes.sort_by(|one, other| {
        let by_size = other.bytes.cmp(&one.bytes);
        by_size.then_with(|| one.language.cmp(&other.language))
    });
    Ok(sizes)
}

struct Walk<'a> {
    objects: &'a Objects,
    attributes: Attributes,
    open: Vec<(Vec<u8>, std::vec::IntoIter<TreeEntry>)>,
    sizes: HashMap<String, u64>,
}

impl Walk<'_> {
    fn enter(&mut self, tree: &ObjectId, path: Vec<u8>) -> Result<(), ReadError> {
        let entries = expect_tree(self.objects, tree)?;
        self.attributes.enter(self.objects, &path, &entries)?;
        self.open.push((path, entries.into_iter()));
        Ok(())
    }

    fn entry(&mut self, entry: &TreeEntry, mut path: Vec<u8>) -> Result<(), ReadError> {
        let mode = Mode::of(entry.mode);
        let is_directory = mode == Mode::Directory;
        if !is_directory && !mode.is_file() {
            return Ok(());
        }
        let attributes = self.attributes.of(&path, is_directory);
        let name = String::from_utf8_lossy(&entry.name);
        if is_left_out(&name, is_directory, &attributes) {
            return Ok(());
        }
        if is_directory {
            if self.open.len() < TREE_DEPTH {
                path.push(b'/');
                self.enter(&entry.id, path)?;
            }
            return Ok(());
        }
        let language = match attributes.get("linguist-language") {
            Attribute::Value(language) => Some(String::from_utf8_lossy(&language).into_owned()),
            _ => language_of(&name).map(str::to_owned),
        };
        if let Some(language) = language {
            let header = self.objects.header(&entry.id)?;
            let size = header.map_or(0, |header| header.size);
            *self.sizes.entry(language).or_default() += size;
        }
        Ok(())
    }
}

fn is_left_out(name: &str, is_directory: bool, attributes: &PathAttributes) -> bool {
    let says = |attribute: &str, guess: bool| match attributes.get(attribute) {
        Attribute::Unspecified => guess,
        Attribute::Unset => false,
        Attribute::Value(value) => value != b"false",
        Attribute::Set => true,
    };
    let is_generated = GENERATED.iter().any(|end| name.ends_with(end));
    says(
        "linguist-vendored",
        is_directory && VENDORED.contains(&name),
    ) || says(
        "linguist-documentation",
        is_directory && DOCUMENTATION.contains(&name),
    ) || says("linguist-generated", !is_directory && is_generated)
}

/// The language of a file of that name: its whole name counts most, then its longest ending.
fn language_of(name: &str) -> Option<&'static str> {
    static BY_NAME: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
        let each = LANGUAGES.iter();
        each.flat_map(|(language, names)| names.split(' ').map(move |name| (name, *language)))
            .collect()
    });
    if let Some(language) = BY_NAME.get(name) {
        return Some(language);
    }
    let lower = name.to_ascii_lowercase();
    lower
        .match_indices('.')
        .find_map(|(at, _)| BY_NAME.get(&lower[at..]).copied())
}

#[cfg(test)]
mod tests {
    use super::language_of;

    #[test]
    fn languages_are_told_by_names() {
        for (name, language) in [
            ("main.rs", Some("Rust")),
            ("MAIN.C", Some("C")),
            ("page.blade.php", Some("Blade")),
            ("Makefile", Some("Makefile")),
            ("x.test.ts", Some("TypeScript")),
            ("data.json", None),
            ("README.md", None),
            ("noend", None),
        ] {
            assert_eq!(language_of(name), language, "{name}");
        }
    }
}
