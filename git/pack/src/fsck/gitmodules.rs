use super::FsckProblem;
use super::config::Variables;
use super::url::is_allowed_url;

/// Checks the settings of a `.gitmodules` file that made clients run or fetch what
/// they should not. A file with a syntax error is checked up to there.
pub(super) fn check_gitmodules(text: &[u8]) -> Result<(), FsckProblem> {
    for variable in Variables::new(text) {
        let Some(name) = variable
            .subsection
            .filter(|_| variable.section == b"submodule")
        else {
            continue;
        };
        if !is_allowed_name(until_nul(&name)) {
            return Err(FsckProblem::GitmodulesName);
        }
        let Some(value) = variable.value else {
            continue;
        };
        let value = until_nul(&value);
        match variable.key.as_slice() {
            b"url" if !is_allowed_url(value) => return Err(FsckProblem::GitmodulesUrl),
            b"path" if value.starts_with(b"-") => return Err(FsckProblem::GitmodulesPath),
            b"update" if value.starts_with(b"!") => return Err(FsckProblem::GitmodulesUpdate),
            _ => {}
        }
    }
    Ok(())
}

/// A submodule's name becomes a directory: `..` must be no part of it.
fn is_allowed_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .split(|byte| matches!(byte, b'/' | b'\\'))
            .all(|part| part != b"..")
}

fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::check_gitmodules;
    use crate::FsckProblem;

    #[test]
    fn dangerous_settings_are_found() {
        for (settings, expected) in [
            (
                "[submodule \"a\"]\n path = a\n url = https://example.com/a\n",
                Ok(()),
            ),
            (
                "[submodule \"../a\"]\n path = a\n",
                Err(FsckProblem::GitmodulesName),
            ),
            (
                "[submodule \"a\\\\..\\\\b\"]\n path = a\n",
                Err(FsckProblem::GitmodulesName),
            ),
            (
                "[submodule \"\"]\n path = a\n",
                Err(FsckProblem::GitmodulesName),
            ),
            ("[submodule \"..a\"]\n path = a\n", Ok(())),
            (
                "[submodule \"a\"]\n path = -a\n",
                Err(FsckProblem::GitmodulesPath),
            ),
            (
                "[submodule \"a\"]\n url = -u./payload\n",
                Err(FsckProblem::GitmodulesUrl),
            ),
            (
                "[submodule \"a\"]\n update = !rm\n",
                Err(FsckProblem::GitmodulesUpdate),
            ),
            ("[submodule \"a\"]\n update = rebase\n", Ok(())),
            ("[other \"..\"]\n path = -a\n", Ok(())),
            ("[submodule \"a\"]\n update = \"!rm\n", Ok(())),
        ] {
            assert_eq!(
                check_gitmodules(settings.as_bytes()),
                expected,
                "{settings:?}"
            );
        }
    }
}
