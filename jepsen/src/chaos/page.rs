//! A run as one page that needs nothing else: the verdict, what clients met, and
//! the latency of every call with the faults behind it.

use super::Report;
use crate::history::{Action, Event, Outcome};

/// Of the chart, in pixels.
const WIDTH: f64 = 1100.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 30.0;
/// The scale of latency is logarithmic, from 1 ms to so many decades above.
const DECADES: f64 = 5.0;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2rem auto;\
padding:0 1rem;color:#1d2433}table{border-collapse:collapse;margin:1rem 0}\
td,th{text-align:left;padding:.3rem .9rem .3rem 0;border-bottom:1px solid #dde;vertical-align:top}\
.kept{color:#116329}.BROKEN,.unknown{color:#b00020;font-weight:600}\
svg{max-width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:#556}";

/// The page in HTML.
pub(super) fn render(report: &Report) -> String {
    let word = if report.is_kept() { "kept" } else { "BROKEN" };
    let rows: String = report.verdicts.iter().map(row_of_verdict).collect();
    let phases: String = report
        .phases
        .iter()
        .map(|phase| row_of_phase(report, phase))
        .collect();
    let faults: String = faults(report).map(row_of_fault).collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <title>Chaos: {word}, seed {seed}</title><style>{STYLE}</style>\
         <h1>Promises <span class=\"{word}\">{word}</span></h1><p>Seed {seed}.</p>\
         <table><tr><th>Checker<th>Verdict<th>What was looked at{rows}</table>\
         <h2>What clients met</h2>\
         <table><tr><th>Faults<th>Calls<th>Answered<th>p50<th>p99{phases}</table>\
         <p>Longest time without an acknowledged write: {gap} ms.</p>\
         <h2>Latency</h2>{chart}\
         <p>Each dot is a call: <b style=\"color:#2563a8\">acknowledged</b>, \
         <b style=\"color:#b8860b\">refused</b>, <b style=\"color:#c02020\">unknown or not \
         reached</b>. Shaded: a fault.</p>\
         <h2>Faults</h2><table><tr><th>From<th>To<th>Fault<th>What{faults}</table></html>\n",
        seed = report.seed,
        gap = report.longest_gap_us() / 1000,
        chart = chart(report),
    )
}

fn row_of_verdict(verdict: &crate::checkers::Verdict) -> String {
    let word = verdict.word();
    let said = escape(&verdict.said);
    format!(
        "<tr><td>{}<td class=\"{word}\">{word}<td>{said}",
        verdict.checker
    )
}

fn row_of_phase(report: &Report, phase: &super::Phase) -> String {
    let served = report.served(phase);
    format!(
        "<tr><td>{}<td>{}<td>{:.1} %<td>{:.0} ms<td>{:.0} ms",
        phase.name, served.calls, served.answered, served.p50, served.p99
    )
}

fn row_of_fault(event: &Event) -> String {
    let (from, to) = (seconds(event.invoked_us), seconds(event.completed_us));
    let (key, said) = (escape(&event.key), escape(&event.said));
    format!("<tr><td>{from:.1} s<td>{to:.1} s<td>{key}<td>{said}")
}

fn faults(report: &Report) -> impl Iterator<Item = &Event> {
    report
        .events
        .iter()
        .filter(|event| event.action == Action::Fault)
}

fn chart(report: &Report) -> String {
    let end = report.phases.last().map_or(1, |phase| phase.to_us).max(1);
    let x = |us: u64| LEFT + seconds(us) / seconds(end) * (WIDTH - LEFT - 10.0);
    let bottom = HEIGHT - 30.0;
    let y = |ms: f64| bottom - ms.max(1.0).log10() / DECADES * (bottom - TOP);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
    for (number, fault) in faults(report).enumerate() {
        let (from, to) = (x(fault.invoked_us), x(fault.completed_us.min(end)));
        let width = (to - from).max(1.0);
        let label = TOP - 4.0 - f64::from(u8::from(number % 2 == 1)) * 12.0;
        let key = escape(&fault.key);
        let title = format!("{key}: {}", escape(&fault.said));
        put(
            &mut svg,
            &format!(
                "<rect x=\"{from:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{:.1}\" \
             fill=\"#f3d6d6\"><title>{title}</title></rect>\
             <text x=\"{from:.1}\" y=\"{label:.1}\">{key}</text>",
                bottom - TOP
            ),
        );
    }
    draw_scale(&mut svg, y);
    let calls = report.events.iter();
    for call in calls.filter(|e| e.action != Action::Fault && e.invoked_us < end) {
        let colour = match (call.outcome, call.answered) {
            (Outcome::Ok, _) => "#2563a8",
            (_, true) => "#b8860b",
            _ => "#c02020",
        };
        let at = (
            x(call.invoked_us),
            y(seconds(call.completed_us - call.invoked_us) * 1000.0),
        );
        put(
            &mut svg,
            &format!(
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"1.8\" fill=\"{colour}\" fill-opacity=\".65\"/>",
                at.0, at.1
            ),
        );
    }
    let step = (end / 10).max(1);
    for tick in 0..=10 {
        let us = tick * step;
        put(
            &mut svg,
            &format!(
                "<text x=\"{:.1}\" y=\"{:.1}\">{:.0} s</text>",
                x(us),
                HEIGHT - 10.0,
                seconds(us)
            ),
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Lines for each decade of latency.
fn draw_scale(svg: &mut String, y: impl Fn(f64) -> f64) {
    for decade in 0..=5_i32 {
        let ms = 10_f64.powi(decade);
        let label = if ms < 1000.0 {
            format!("{ms} ms")
        } else {
            format!("{} s", ms / 1000.0)
        };
        let at = y(ms);
        put(
            svg,
            &format!(
                "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#dde\"/>\
             <text x=\"4\" y=\"{:.1}\">{label}</text>",
                at + 4.0
            ),
        );
    }
}

fn put(svg: &mut String, text: &str) {
    svg.push_str(text);
}

#[expect(clippy::cast_precision_loss, reason = "a chart")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
