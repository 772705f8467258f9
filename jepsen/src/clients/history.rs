use std::path::Path;

use crate::harness::Git;

/// Makes a repository with `commits` commits on `main`, merged side branches,
/// renames, a deleted file, light and annotated tags.
pub fn made_history(directory: &Path, commits: usize) -> anyhow::Result<Git> {
    let git = Git::init(directory, false)?;
    git.commit("README.md", "# A made history\n\nFor tests.\n")?;
    for number in 1..=commits {
        let file = format!("src/part{}/file{}.txt", number % 7, number % 23);
        let lines: Vec<String> = (0..40)
            .map(|line| format!("{line} {}", (number * 31 + line * 17) % 97))
            .collect();
        git.commit(&file, &lines.join("\n"))?;
        if number % 50 == 10 {
            git.run(&["switch", "--quiet", "--create", &format!("side{number}")])?;
            git.commit(&format!("side{number}.txt"), "beside\n")?;
            git.run(&["switch", "--quiet", "main"])?;
            git.run(&[
                "merge",
                "--quiet",
                "--no-ff",
                "--no-edit",
                &format!("side{number}"),
            ])?;
        }
        if number % 40 == 5 {
            git.run(&["tag", &format!("light{number}")])?;
            git.run(&[
                "tag",
                "--annotate",
                "--message",
                "kept",
                &format!("v{number}"),
            ])?;
        }
    }
    git.run(&["mv", "README.md", "READ.md"])?;
    git.run(&["commit", "--quiet", "--message", "rename"])?;
    git.run(&["rm", "--quiet", "READ.md"])?;
    git.commit(
        "README.md",
        "# A made history\n\nFor tests of everything.\n",
    )?;
    Ok(git)
}
