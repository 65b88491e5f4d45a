//! What the results say, counted.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Judged, Row};

/// One result in one line.
pub(super) fn summary(row: &Row) -> String {
    let verdict = match (&row.judged.score, &row.nothing) {
        (_, Some(_)) => "nothing",
        (Some(score), None) if score.exact => "exact",
        (Some(score), None) if score.first_line => "first line",
        (Some(_), None) => "other",
        (None, None) => "shown",
    };
    format!("{} {verdict}, {:.0} %, {:.0} ms", row.id, 100.0 * row.confidence, 1000.0 * row.cold_seconds)
}

/// The whole report: how right, by kind and language, and how fast.
pub(super) fn report(rows: &[Row]) -> String {
    let mut groups: BTreeMap<(u8, &str), Vec<&Judged>> = BTreeMap::new();
    for row in rows {
        groups.entry((0, "all")).or_default().push(&row.judged);
        groups.entry((1, &row.kind)).or_default().push(&row.judged);
        groups.entry((2, &row.language)).or_default().push(&row.judged);
        if let Some(other) = &row.infill {
            groups.entry((3, "all, /infill")).or_default().push(&other.judged);
        }
    }
    let tested = rows.iter().any(|row| row.judged.passed.is_some());
    let mut text = "                    tasks  exact  first line  alike  shown  right of shown".to_owned();
    text += if tested { "  passed\n" } else { "\n" };
    for ((_, name), of) in &groups {
        text += &line(name, of, tested);
    }
    text += "\nmilliseconds                 median     p95\n";
    let mut times = |name: &str, of: &dyn Fn(&Row) -> Option<f64>| {
        let mut values: Vec<f64> = rows.iter().filter_map(of).map(|seconds| 1000.0 * seconds).collect();
        values.sort_by(f64::total_cmp);
        if let Some(last) = values.len().checked_sub(1) {
            let at = |share: f64| values[(last as f64 * share).round() as usize];
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<26} {:>8.0} {:>7.0}", at(0.5), at(0.95));
        }
    };
    times("cold, first line", &|row| Some(row.cold_first_line));
    times("  /infill", &|row| Some(row.infill.as_ref()?.cold_first_line));
    times("cold, all", &|row| Some(row.cold_seconds));
    times("next key, first line", &|row| row.warm_first_line);
    times("  /infill", &|row| row.infill.as_ref()?.warm_first_line);
    times("next key, all", &|row| row.warm_seconds);
    let mean = |of: &dyn Fn(&Row) -> f64| rows.iter().map(of).sum::<f64>() / rows.len().max(1) as f64;
    let reused: Vec<f64> = rows.iter().filter_map(|row| row.warm_reused).collect();
    let _ = writeln!(
        text,
        "\ntokens of a prompt {:.0}, of a completion {:.1} in {:.1} forwards; drafted {:.1}, of these right {:.1}; \
         reused for the next key {:.1} %",
        mean(&|row| row.prompt_tokens as f64),
        mean(&|row| row.tokens as f64),
        mean(&|row| row.forwards as f64),
        mean(&|row| row.drafted as f64),
        mean(&|row| row.accepted as f64),
        100.0 * reused.iter().sum::<f64>() / reused.len().max(1) as f64,
    );
    text
}

fn line(name: &str, of: &[&Judged], tested: bool) -> String {
    let count = |is: &dyn Fn(&Judged) -> bool| of.iter().filter(|judged| is(judged)).count();
    let percent = |count: usize, of: usize| 100.0 * count as f64 / of.max(1) as f64;
    let exact = count(&|judged| judged.score.is_some_and(|score| score.exact));
    let first = count(&|judged| judged.score.is_some_and(|score| score.first_line));
    let shown = count(&|judged| judged.shown.is_some());
    let alike: f64 = of.iter().filter_map(|judged| judged.score).map(|score| score.similarity).sum();
    let mut text = format!(
        "{name:<18} {:>6} {:>6.1} {:>11.1} {:>6.3} {:>6.1} {:>15.1}",
        of.len(),
        percent(exact, of.len()),
        percent(first, of.len()),
        alike / of.len().max(1) as f64,
        percent(shown, of.len()),
        percent(exact, shown),
    );
    if tested {
        text += &format!(" {:>7.1}", percent(count(&|judged| judged.passed == Some(true)), of.len()));
    }
    text.push('\n');
    text
}
