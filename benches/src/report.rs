use std::path::Path;
use std::time::Duration;

use jepsen::harness::Git;

/// The table of one repository.
#[derive(Debug)]
pub(crate) struct Report {
    title: String,
    rows: Vec<String>,
    notes: Vec<String>,
}

impl Report {
    /// A table titled by the repository and its size.
    pub(crate) fn new(repository: &Path) -> anyhow::Result<Self> {
        let counts = Git::at(repository).run(&["count-objects", "-v"])?;
        let of = |key: &str| -> u64 {
            let line = counts.lines().find_map(|line| line.strip_prefix(key));
            line.and_then(|line| line.trim().parse().ok()).unwrap_or(0)
        };
        let name = repository.file_name().unwrap_or_default().to_string_lossy();
        let title = format!(
            "{name}: {} objects, {} MiB packed",
            of("in-pack:"),
            of("size-pack:") / 1024
        );
        Ok(Self {
            title,
            rows: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// Two times and the goal for their ratio.
    pub(crate) fn time(&mut self, what: &str, goal: f64, ours: Duration, theirs: Duration) {
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64().max(0.000_001);
        let verdict = if ratio <= goal { "met" } else { "MISSED" };
        self.rows.push(format!(
            "| {what} | {:.3} s | {:.3} s | {ratio:.2} | {goal:.1} {verdict} |",
            ours.as_secs_f64(),
            theirs.as_secs_f64()
        ));
    }

    /// One figure with an absolute goal.
    pub(crate) fn plain(&mut self, what: &str, goal: u64, ours: u64, unit: &str) {
        let verdict = if ours < goal { "met" } else { "MISSED" };
        self.rows.push(format!(
            "| {what} | {ours} {unit} | | | under {goal} {unit} {verdict} |"
        ));
    }

    /// A remark below the table.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Prints it in Markdown.
    pub(crate) fn print(&self) {
        println!("\n### {}\n", self.title);
        println!("| | devflow | git http-backend | ratio | goal |\n|---|---|---|---|---|");
        for row in &self.rows {
            println!("{row}");
        }
        for note in &self.notes {
            println!("\n{note}");
        }
    }
}
