//! The results as a picture: one bar for each style of suggestion, as wide as its share of exact, asked and wrong edits.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use super::rows::{Row, Task};
use super::table::{Verdict, verdict};

/// What becomes of an edit, the best first: its name, and its colour on light and on dark ground.
const OUTCOMES: [(&str, &str, &str); 4] = [
    ("exact", "#2e8b57", "#4fb27a"),
    ("exact, asked first", "#9fcfb2", "#2f5d43"),
    ("not as expected, asked first or refused", "#e3b04b", "#b8862d"),
    ("not as expected, unasked", "#c0392b", "#e05a4b"),
];

const WIDTH: usize = 720;
/// Where the bars begin.
const LEFT: usize = 150;
/// How wide a full bar is.
const FULL: usize = 500;
const ROW: usize = 26;

/// The picture of all results, as the text of an SVG file.
pub(super) fn svg(tasks: &[Task], rows: &[Row]) -> String {
    let groups = groups(tasks, rows);
    let height = 58 + groups.len() * ROW + OUTCOMES.len() * 20;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-label=\"Edits by style and outcome\">\n<style>\n\
         text {{ font: 13px system-ui, sans-serif; fill: #333 }}\n.head {{ font-weight: 600 }}\n.end {{ text-anchor: end }}\n"
    );
    for (number, (_, light, _)) in OUTCOMES.iter().enumerate() {
        let _ = writeln!(text, ".o{number} {{ fill: {light} }}");
    }
    text += "@media (prefers-color-scheme: dark) {\n  text { fill: #ddd }\n";
    for (number, (_, _, dark)) in OUTCOMES.iter().enumerate() {
        let _ = writeln!(text, "  .o{number} {{ fill: {dark} }}");
    }
    text += "}\n</style>\n<text class=\"head\" x=\"10\" y=\"24\">Edits by style of the suggestion</text>\n";
    for (row, (name, counts)) in groups.iter().enumerate() {
        let top = 40 + row * ROW;
        let middle = top + 14;
        let all: usize = counts.iter().sum();
        let _ = writeln!(
            text,
            "<text class=\"end\" x=\"{}\" y=\"{middle}\">{} ({all})</text>",
            LEFT - 10,
            escaped(name)
        );
        let mut done = 0;
        for (number, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (from, to) = (done * FULL / all, (done + count) * FULL / all);
            let share = 100.0 * *count as f64 / all as f64;
            let _ = writeln!(
                text,
                "<rect class=\"o{number}\" x=\"{}\" y=\"{top}\" width=\"{}\" height=\"18\"><title>{}: {count} of {all}, {share:.1} %</title></rect>",
                LEFT + from,
                (to - from).max(1),
                OUTCOMES[number].0
            );
            done += count;
        }
        let exact = 100.0 * (counts[0] + counts[1]) as f64 / all as f64;
        let _ = writeln!(text, "<text x=\"{}\" y=\"{middle}\">{exact:.1} %</text>", LEFT + FULL + 8);
    }
    for (number, (name, _, _)) in OUTCOMES.iter().enumerate() {
        let top = 50 + groups.len() * ROW + number * 20;
        let _ = writeln!(
            text,
            "<rect class=\"o{number}\" x=\"{LEFT}\" y=\"{top}\" width=\"12\" height=\"12\"/>\n<text x=\"{}\" y=\"{}\">{name}</text>",
            LEFT + 20,
            top + 11
        );
    }
    text += "</svg>\n";
    text
}

/// The outcomes' counts for all results and for each style; several decoders stand one below the other.
fn groups(tasks: &[Task], rows: &[Row]) -> Vec<(String, [usize; 4])> {
    let by_id: HashMap<&str, &Task> = tasks.iter().map(|task| (task.id.as_str(), task)).collect();
    let mut counts: BTreeMap<(&str, &str), [usize; 4]> = BTreeMap::new();
    for row in rows {
        let Some(task) = by_id.get(row.id.as_str()) else { continue };
        let outcome = match (verdict(task, row), row.asks || row.error.is_some()) {
            (Verdict::Unknown, _) => continue,
            (Verdict::Exact, false) => 0,
            (Verdict::Exact, true) => 1,
            (Verdict::Wrong, true) => 2,
            (Verdict::Wrong, false) => 3,
        };
        // The empty name stands before all others.
        for style in ["", task.style()] {
            counts.entry((&row.decoder, style)).or_default()[outcome] += 1;
        }
    }
    let one = counts.keys().all(|(decoder, _)| counts.keys().next().is_some_and(|first| first.0 == *decoder));
    let named = |((decoder, style), counts): ((&str, &str), [usize; 4])| {
        let style = if style.is_empty() { "all" } else { style };
        (if one { style.to_owned() } else { format!("{decoder}, {style}") }, counts)
    };
    counts.into_iter().map(named).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::svg;
    use crate::cli::bench::apply::rows::{Row, Task};

    #[test]
    fn bars_are_as_wide_as_their_shares() {
        let task = |id: &str, style: &str| -> Task {
            let json = serde_json::json!({
                "id": id, "style": style, "original": "a\n", "suggestion": "b", "expected": "b\n",
            });
            serde_json::from_value(json).unwrap()
        };
        let row = |id: &str, output: &str, asks| Row {
            id: id.into(),
            decoder: "d".into(),
            output: Some(output.into()),
            asks,
            ..Row::default()
        };
        let tasks = [task("1", "lazy"), task("2", "lazy"), task("3", "a<b"), task("4", "a<b")];
        let rows = [row("1", "b", false), row("2", "b", true), row("3", "x", true), row("4", "x", false)];
        let text = svg(&tasks, &rows);
        assert!(text.starts_with("<svg") && text.ends_with("</svg>\n"), "{text}");
        for class in ["o0", "o1", "o2", "o3"] {
            let quarter = format!("<rect class=\"{class}\" x=");
            assert!(
                text.lines().any(|line| line.starts_with(&quarter) && line.contains("width=\"125\"")),
                "{text}"
            );
        }
        assert!(
            text.contains("a&lt;b (2)")
                && text.contains("all (4)")
                && text.contains("prefers-color-scheme: dark")
        );
    }
}
