//! Runs as one page that needs nothing else: SVG, no scripts, no fonts.

use std::time::Duration;

use crate::record::{Bucket, Figures, Measured};
use crate::text::{bytes, duration};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 260.0;
/// What the axes' words take.
const LEFT: f64 = 70.0;
const BELOW: f64 = 30.0;
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}\
h2{margin-top:2.5rem}table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:right}th:first-child,td:first-child{text-align:left}\
svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:#57606a}.grid{stroke:#d8dee4}\
.p50{stroke:#0969da}.p95{stroke:#bf8700}.p99{stroke:#cf222e}polyline{fill:none;stroke-width:2}.failed{fill:#cf222e;opacity:.25}\
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}.grid{stroke:#30363d}svg text{fill:#9198a1}}";

/// A page of runs, each under its name.
pub fn page(title: &str, runs: &[(String, Measured)]) -> String {
    let title = escaped(title);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>\n{}",
        table(runs)
    );
    for (name, measured) in runs {
        html.push_str(&format!(
            "<h2>{}</h2>\n<p>{}</p>\n{}\n{}",
            escaped(name),
            said(measured),
            chart(measured),
            errors(measured)
        ));
    }
    html.push_str("</body></html>\n");
    html
}

fn table(runs: &[(String, Measured)]) -> String {
    let mut html = String::from(
        "<table><tr><th>run</th><th>operations/s</th><th>bytes/s</th><th>p50</th><th>p95</th><th>p99</th><th>max</th><th>errors</th></tr>\n",
    );
    for (name, measured) in runs {
        let Figures {
            p50, p95, p99, max, ..
        } = measured.latencies;
        let times = [p50, p95, p99, max].map(|time| format!("<td>{}</td>", duration(time)));
        html.push_str(&format!(
            "<tr><td>{}</td><td>{:.1}</td><td>{}</td>{}<td>{}</td></tr>\n",
            escaped(name),
            measured.per_second(),
            bytes(measured.bytes_per_second()),
            times.concat(),
            measured.failed
        ));
    }
    html + "</table>\n"
}

fn said(measured: &Measured) -> &'static str {
    if measured.timetable {
        "By a timetable: latencies count from when an operation was due."
    } else {
        "A closed loop: while a worker waits it asks nothing, so a stall counts once per worker."
    }
}

fn errors(measured: &Measured) -> String {
    let lines: Vec<String> = measured
        .errors
        .iter()
        .map(|(kind, count)| format!("<li>{count} × {}</li>", escaped(kind)))
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    format!("<ul>{}</ul>\n", lines.concat())
}

/// Latency over time on a logarithmic scale; stretches with errors are shaded.
fn chart(measured: &Measured) -> String {
    let filled: Vec<&Bucket> = measured
        .buckets
        .iter()
        .filter(|b| b.operations > 0)
        .collect();
    let times = || {
        filled
            .iter()
            .flat_map(|b| [b.latencies.p50, b.latencies.p99])
    };
    let (Some(least), Some(most)) = (times().min(), times().max()) else {
        return "<p>No operation succeeded.</p>".to_owned();
    };
    let scale = Scale::new(least, most, measured.elapsed);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"latency over time\">\n"
    );
    for decade in scale.low..=scale.high {
        let seconds = 10f64.powi(decade);
        let y = scale.y(seconds);
        svg.push_str(&format!(
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
            LEFT - 6.0,
            y + 4.0,
            duration(Duration::from_secs_f64(seconds))
        ));
    }
    let width = scale.x(measured.elapsed / 60) - scale.x(Duration::ZERO);
    for bucket in measured.buckets.iter().filter(|bucket| bucket.failed > 0) {
        let x = scale.x(bucket.from);
        let height = HEIGHT - BELOW;
        svg.push_str(&format!(
            "<rect class=\"failed\" x=\"{x:.1}\" y=\"0\" width=\"{width:.1}\" height=\"{height}\"><title>{} failed</title></rect>\n",
            bucket.failed
        ));
    }
    let lines: [(&str, Quantile); 3] = [("p50", |f| f.p50), ("p95", |f| f.p95), ("p99", |f| f.p99)];
    for (number, (class, of)) in lines.into_iter().enumerate() {
        let points: Vec<String> = filled
            .iter()
            .map(|b| {
                format!(
                    "{:.1},{:.1}",
                    scale.x(b.from),
                    scale.y(of(&b.latencies).as_secs_f64())
                )
            })
            .collect();
        let x = LEFT + 10.0 + 60.0 * number as f64;
        svg.push_str(&format!(
            "<polyline class=\"{class}\" points=\"{}\"/><line class=\"{class}\" stroke-width=\"3\" x1=\"{x}\" x2=\"{:.0}\" y1=\"12\" y2=\"12\"/><text x=\"{:.0}\" y=\"16\">{class}</text>\n",
            points.join(" "),
            x + 18.0,
            x + 22.0
        ));
    }
    svg.push_str(&format!(
        "<text x=\"{LEFT}\" y=\"{0}\">0</text><text x=\"{WIDTH}\" y=\"{0}\" text-anchor=\"end\">{1}</text></svg>",
        HEIGHT - 8.0,
        duration(measured.elapsed)
    ));
    svg
}

/// Which of the latencies a line shows.
type Quantile = fn(&Figures) -> Duration;

/// From times to places.
struct Scale {
    low: i32,
    high: i32,
    elapsed: f64,
}

impl Scale {
    fn new(least: Duration, most: Duration, elapsed: Duration) -> Self {
        let decade = |time: Duration| time.as_secs_f64().max(1e-6).log10();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a decade of seconds is a small number"
        )]
        let (low, high) = (decade(least).floor() as i32, decade(most).ceil() as i32);
        Self {
            low,
            high: high.max(low + 1),
            elapsed: elapsed.as_secs_f64().max(1e-9),
        }
    }

    fn x(&self, time: Duration) -> f64 {
        LEFT + (WIDTH - LEFT) * (time.as_secs_f64() / self.elapsed).min(1.0)
    }

    fn y(&self, seconds: f64) -> f64 {
        let decades = f64::from(self.high - self.low);
        let above = (seconds.max(1e-6).log10() - f64::from(self.low)) / decades;
        (HEIGHT - BELOW) * (1.0 - above.clamp(0.0, 1.0))
    }
}

/// Text that no browser takes for markup.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut html, char| {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            other => html.push(other),
        }
        html
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::page;
    use crate::record::Record;

    #[test]
    fn a_page_holds_all_runs_and_reaches_for_nothing() {
        let mut record = Record::new(Duration::from_secs(6));
        for at in 0..6 {
            let at = Duration::from_secs(at);
            record.ended(Some(at), Duration::from_millis(7), Ok(1));
            record.ended(Some(at), Duration::ZERO, Err("<script>".to_owned()));
        }
        let measured = record.finish(Duration::from_secs(6), false);
        let empty = Record::new(Duration::from_secs(1)).finish(Duration::from_secs(1), true);
        let runs = [
            ("one & only".to_owned(), measured),
            ("none".to_owned(), empty),
        ];
        let html = page("bench", &runs);
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains("http"), "it would load something");
        assert!(html.contains("one &amp; only") && html.contains("No operation succeeded"));
        assert_eq!(html.matches("<polyline").count(), 3);
        assert_eq!(html.matches("class=\"failed\"").count(), 6);
        assert!(!html.contains("NaN"), "{html}");
    }
}
