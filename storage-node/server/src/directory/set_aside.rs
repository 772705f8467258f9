use std::fs;
use std::io;
use std::path::Path;

use runtime::Files;

/// A store that is damaged and whose content the other nodes have: the next start sets it aside
/// and begins with an empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetAside {
    /// The replicated state and the chunk index.
    State,
    /// The facts.
    Metadata,
}

impl SetAside {
    const ALL: [Self; 2] = [Self::State, Self::Metadata];

    /// The store's directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Metadata => "metadata",
        }
    }

    fn marker(self) -> &'static str {
        match self {
            Self::State => "rebuild-state",
            Self::Metadata => "rebuild-metadata",
        }
    }

    /// Has the next start set the store aside. When this returns, it survives a crash.
    pub fn order(self, files: &dyn Files) -> io::Result<()> {
        match files.create(self.marker()) {
            Ok(file) => file.sync_data()?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        files.sync_dir("")
    }

    /// Sets aside, below `root`, what was ordered to be: `state` becomes `state.damaged`, in the
    /// place of what an earlier order left there. A crash in between leaves an order that is
    /// carried out by the next start. Returns what was set aside.
    pub(crate) fn carry_out(root: &Path, files: &dyn Files) -> io::Result<Vec<Self>> {
        let mut done = Vec::new();
        for store in Self::ALL {
            match files.open(store.marker()) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            let (from, to) = (
                root.join(store.name()),
                root.join(format!("{}.damaged", store.name())),
            );
            if from.exists() {
                if to.exists() {
                    fs::remove_dir_all(&to)?;
                }
                fs::rename(&from, &to)?;
                files.sync_dir("")?;
            }
            files.remove(store.marker())?;
            files.sync_dir("")?;
            done.push(store);
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use runtime::RealFiles;

    use super::SetAside;

    #[test]
    fn what_is_ordered_is_set_aside_once_and_the_newest_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        let files = RealFiles::open(root).unwrap();
        assert_eq!(SetAside::carry_out(root, &files).unwrap(), []);
        for content in ["first", "second"] {
            fs::create_dir(root.join("state")).unwrap();
            fs::write(root.join("state/file"), content).unwrap();
            SetAside::State.order(&files).unwrap();
            SetAside::State.order(&files).unwrap();
            let done = SetAside::carry_out(root, &files).unwrap();
            assert_eq!(done, [SetAside::State]);
            assert!(!root.join("state").exists());
            let kept = fs::read_to_string(root.join("state.damaged/file")).unwrap();
            assert_eq!(kept, content);
            assert_eq!(SetAside::carry_out(root, &files).unwrap(), []);
        }
        // After a crash between the two steps there is an order and no store.
        SetAside::State.order(&files).unwrap();
        let done = SetAside::carry_out(root, &files).unwrap();
        assert_eq!(done, [SetAside::State]);
    }
}
