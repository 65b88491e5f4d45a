//! The results as a picture: one bar for each style of suggestion, as wide as its share of exact, asked and wrong edits.

use std::collections::{BTreeMap, HashMap};

use super::rows::{Row, Task};
use super::table::{Verdict, verdict};
use crate::cli::bench::svg::{Colour, Picture};

/// What becomes of an edit, the best first.
const OUTCOMES: [(&str, Colour); 4] = [
    ("exact", ("#2e8b57", "#4fb27a")),
    ("exact, asked first", ("#9fcfb2", "#2f5d43")),
    ("not as expected, asked first or refused", ("#e3b04b", "#b8862d")),
    ("not as expected, unasked", ("#c0392b", "#e05a4b")),
];

const WIDTH: usize = 740;
/// Where the bars begin.
const LEFT: usize = 150;
/// How wide a full bar is.
const FULL: usize = 500;
const ROW: usize = 26;

/// The picture of all results, as the text of an SVG file.
pub(super) fn svg(tasks: &[Task], rows: &[Row]) -> String {
    let groups = groups(tasks, rows);
    let bottom = 40 + groups.len() * ROW;
    let colours = OUTCOMES.map(|(_, colour)| colour);
    let height = bottom + 22 + OUTCOMES.len() * 20;
    let mut picture = Picture::new(WIDTH, height, "Edits by style and outcome", &colours);
    picture.text("head", 10, 24, "Edits by style of the suggestion");
    picture.text("small end", WIDTH - 10, 24, "exact, asked or not");
    for (row, (name, counts)) in groups.iter().enumerate() {
        let top = 40 + row * ROW;
        let middle = top + 14;
        let all: usize = counts.iter().sum();
        picture.text("end", LEFT - 10, middle, &format!("{name} ({all})"));
        let mut done = 0;
        for (number, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (from, to) = (done * FULL / all, (done + count) * FULL / all);
            let share = 100.0 * *count as f64 / all as f64;
            let title = format!("{}: {count} of {all}, {share:.1} %", OUTCOMES[number].0);
            picture.bar(&format!("c{number}"), (LEFT + from, top), ((to - from).max(1), 18), &title);
            done += count;
        }
        let exact = 100.0 * (counts[0] + counts[1]) as f64 / all as f64;
        picture.text("end", WIDTH - 10, middle, &format!("{exact:.1} %"));
    }
    for (number, (name, _)) in OUTCOMES.iter().enumerate() {
        let top = bottom + 12 + number * 20;
        picture.bar(&format!("c{number}"), (LEFT, top), (12, 12), name);
        picture.text("", LEFT + 20, top + 11, name);
    }
    picture.finish()
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
        for class in ["c0", "c1", "c2", "c3"] {
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
