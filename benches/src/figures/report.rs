use std::time::Duration;

/// Whether less or more of a figure is better.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// At most this.
    Most(f64),
    /// At least this.
    Least(f64),
    /// It is only shown.
    None,
}

/// The table of one figure.
#[derive(Debug)]
pub(crate) struct Report {
    title: &'static str,
    sides: [&'static str; 2],
    rows: Vec<String>,
    notes: Vec<String>,
}

impl Report {
    /// An empty table with the names of both sides.
    pub(crate) fn new(title: &'static str, ours: &'static str, theirs: &'static str) -> Self {
        Self {
            title,
            sides: [ours, theirs],
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Pairs of figures, one of each round: the medians, the median of the
    /// ratios and the least and greatest of them.
    pub(crate) fn pairs(&mut self, what: &str, unit: &str, pairs: &[(f64, f64)], goal: Goal) {
        let ratios: Vec<f64> = pairs.iter().map(|(ours, theirs)| ours / theirs).collect();
        let ours: Vec<f64> = pairs.iter().map(|pair| pair.0).collect();
        let theirs: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
        let (least, most) = ends(&ratios);
        let ratio = median(&ratios);
        self.rows.push(format!(
            "| {what} | {} {unit} | {} {unit} | **{ratio:.2}** ({least:.2} to {most:.2}) | {} |",
            short(median(&ours)),
            short(median(&theirs)),
            verdict(ratio, goal)
        ));
    }

    /// One figure with no other side.
    pub(crate) fn alone(&mut self, what: &str, unit: &str, figure: f64, goal: Goal) {
        let (figure_text, verdict) = (short(figure), verdict(figure, goal));
        self.rows
            .push(format!("| {what} | {figure_text} {unit} | | | {verdict} |"));
    }

    /// A remark below the table.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Prints it in Markdown.
    pub(crate) fn print(&self) {
        let [ours, theirs] = self.sides;
        println!("\n### {}\n", self.title);
        println!("| | {ours} | {theirs} | ratio | goal |\n|---|---|---|---|---|");
        for row in &self.rows {
            println!("{row}");
        }
        for note in &self.notes {
            println!("\n{note}");
        }
    }
}

/// The middle one; the greater of the two in the middle.
pub(crate) fn median(figures: &[f64]) -> f64 {
    at(figures, 50)
}

/// The figure below which so many of a hundred are.
pub(crate) fn at(figures: &[f64], percent: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// In milliseconds.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn ends(figures: &[f64]) -> (f64, f64) {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let most = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (least, most)
}

fn short(figure: f64) -> String {
    match figure {
        figure if figure.abs() >= 100.0 => format!("{figure:.0}"),
        figure if figure.abs() >= 10.0 => format!("{figure:.1}"),
        figure => format!("{figure:.3}"),
    }
}

fn verdict(figure: f64, goal: Goal) -> String {
    let (met, text) = match goal {
        Goal::Most(most) => (figure <= most, format!("at most {most}")),
        Goal::Least(least) => (figure >= least, format!("at least {least}")),
        Goal::None => return String::new(),
    };
    format!("{text}: {}", if met { "met" } else { "MISSED" })
}

#[cfg(test)]
mod tests {
    use super::{Goal, at, median, verdict};

    #[test]
    fn percentiles_are_of_the_sorted_figures() {
        let figures = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert!((median(&figures) - 3.0).abs() < 1e-9);
        assert!((at(&figures, 99) - 5.0).abs() < 1e-9);
        assert!((at(&figures, 0) - 1.0).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_goal_that_nothing_was_measured_for_is_missed() {
        assert!(verdict(f64::NAN, Goal::Most(1.0)).ends_with("MISSED"));
        assert!(verdict(1.0, Goal::Most(1.0)).ends_with(": met"));
        assert!(verdict(0.9, Goal::Least(1.0)).ends_with("MISSED"));
    }
}
