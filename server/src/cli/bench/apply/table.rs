//! What the results say, counted.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use super::rows::{Row, Task};

/// How a result compares with what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing to compare with.
    Unknown,
    /// Equal but for blanks at line ends and the final newline.
    Exact,
    /// Something else.
    Wrong,
}

/// What is counted over a group of results.
#[derive(Default)]
struct Counts {
    all: usize,
    exact: usize,
    exact_asked: usize,
    wrong_unasked: usize,
    asked: usize,
    failed: usize,
    lost: usize,
    foreign: usize,
}

impl Counts {
    fn add(&mut self, task: &Task, row: &Row) {
        let verdict = verdict(task, row);
        self.all += 1;
        self.exact += usize::from(verdict == Verdict::Exact);
        self.exact_asked += usize::from(verdict == Verdict::Exact && row.asks);
        self.wrong_unasked += usize::from(verdict == Verdict::Wrong && !row.asks);
        self.asked += usize::from(row.asks && row.error.is_none());
        self.failed += usize::from(row.error.is_some());
        if let (Verdict::Wrong, false, Some(expected), Some(output)) =
            (verdict, row.asks, &task.expected, &row.output)
        {
            self.lost += missing(expected, output);
            self.foreign += missing(output, expected);
        }
    }

    fn line(&self, name: &str) -> String {
        let share = 100.0 * self.exact as f64 / self.all as f64;
        format!(
            "{name:<18} {:>6} {:>6} {share:>6.1} {:>8} {:>7} {:>7} {:>6} {:>8}\n",
            self.all, self.exact, self.wrong_unasked, self.asked, self.failed, self.lost, self.foreign
        )
    }
}

const HEAD: &str = "                    tasks  exact      %  wrong *  asked  failed  lost *  foreign *\n";
const NOTE: &str = "\
exact: equal to the expected file but for blanks at line ends and the final newline. asked: held back for
confirmation (some of them exact). failed: refused with an error. * landed without asking, yet not as expected:
so many tasks, so many expected lines that are not there, so many lines that should not be there.
";

/// The whole report: correctness by decoder, style, language and size, speed, and whether the decoders agree.
pub(super) fn report(tasks: &[Task], rows: &[Row]) -> String {
    let by_id: HashMap<&str, &Task> = tasks.iter().map(|task| (task.id.as_str(), task)).collect();
    let mut decoders: Vec<&str> = Vec::new();
    for row in rows {
        if !decoders.contains(&row.decoder.as_str()) {
            decoders.push(&row.decoder);
        }
    }
    let mut text = String::new();
    for decoder in decoders {
        let of_decoder: Vec<&Row> = rows.iter().filter(|row| row.decoder == decoder).collect();
        let mut all = Counts::default();
        let mut groups: BTreeMap<(u8, &str), Counts> = BTreeMap::new();
        for row in &of_decoder {
            let Some(task) = by_id.get(row.id.as_str()) else { continue };
            all.add(task, row);
            groups.entry((0, task.style())).or_default().add(task, row);
            groups.entry((1, task.language())).or_default().add(task, row);
            groups.entry((2, size(task))).or_default().add(task, row);
        }
        // Writing to a string cannot fail.
        let _ = writeln!(text, "decoder {decoder}");
        text += HEAD;
        text += &all.line("all");
        let mut kind = None;
        for ((group, name), counts) in &groups {
            if kind.replace(group) != Some(group) {
                text += ["by style\n", "by language\n", "by lines of the file\n"][usize::from(*group)];
            }
            text += &counts.line(&format!("  {name}"));
        }
        if all.exact_asked > 0 {
            let _ = writeln!(text, "of the exact ones {} were held back", all.exact_asked);
        }
        text += &speed(&of_decoder);
        let right =
            |row: &&Row| by_id.get(row.id.as_str()).is_some_and(|task| verdict(task, row) == Verdict::Exact);
        let right: Vec<&Row> = of_decoder.iter().copied().filter(right).collect();
        let (forwards, accepted) =
            right.iter().fold((0, 0), |sum, row| (sum.0 + row.forwards, sum.1 + row.accepted));
        if accepted > 0 {
            let each = accepted as f64 / forwards as f64;
            let _ = writeln!(text, "draft tokens accepted per forward on the exact ones: {each:.1}");
        }
        text.push('\n');
    }
    text += NOTE;
    text
}

/// The class of a file's size; the names stand in their order.
fn size(task: &Task) -> &'static str {
    match task.original.lines().count() {
        0..=50 => "   1-50",
        51..=100 => "  51-100",
        101..=200 => " 101-200",
        201..=400 => " 201-400",
        401..=1000 => " 401-1000",
        _ => "1001-",
    }
}

fn speed(rows: &[&Row]) -> String {
    let mut text = String::new();
    let mut routes: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *routes.entry(row.route.as_deref().unwrap_or("none")).or_default() += 1;
    }
    let routes: Vec<String> = routes.iter().map(|(route, count)| format!("{count} {route}")).collect();
    let seconds = median(rows.iter().map(|row| row.seconds));
    let total: f64 = rows.iter().map(|row| row.seconds).sum();
    let _ = writeln!(text, "routes: {}", routes.join(", "));
    let _ = writeln!(text, "seconds a task: median {seconds:.2}, all {total:.1}");
    let generated: Vec<&&Row> = rows.iter().filter(|row| row.tokens > 0 && row.forwards > 0).collect();
    if generated.is_empty() {
        return text;
    }
    let sum = |value: fn(&Row) -> usize| generated.iter().map(|row| value(row)).sum::<usize>();
    let (tokens, forwards) = (sum(|row| row.tokens), sum(|row| row.forwards));
    let (drafted, accepted) = (sum(|row| row.drafted), sum(|row| row.accepted));
    let rate = median(generated.iter().map(|row| row.tokens as f64 / row.decode_seconds.max(1e-9)));
    let read = median(
        generated
            .iter()
            .map(|row| (row.prompt_tokens - row.cached_tokens) as f64 / row.prefill_seconds.max(1e-9)),
    );
    let _ = writeln!(text, "generated tokens/s: median {rate:.1}; prompt tokens/s: median {read:.1}");
    let per_forward = tokens as f64 / forwards as f64;
    let _ = write!(text, "tokens per forward: {per_forward:.2}");
    if drafted > 0 {
        let _ =
            write!(text, "; drafted {drafted}, accepted {:.1} %", 100.0 * accepted as f64 / drafted as f64);
    }
    let cached = sum(|row| row.cached_tokens);
    if cached > 0 {
        let _ = write!(text, "; {cached} prompt tokens were found in the cache, which flatters the seconds");
    }
    text.push('\n');
    text
}

/// The tasks on which two decoders gave different outputs; `None` if there were not two decoders.
pub(super) fn disagreements(rows: &[Row]) -> Option<(usize, Vec<&str>)> {
    let mut outputs: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        outputs.entry(&row.id).or_default().push(row);
    }
    outputs.retain(|_, rows| rows.len() > 1);
    let differ = |rows: &&Vec<&Row>| rows.iter().any(|row| written(row) != written(rows[0]));
    let different = outputs.iter().filter(|(_, rows)| differ(rows)).map(|(id, _)| *id).collect();
    (!outputs.is_empty()).then_some((outputs.len(), different))
}

/// What the decoder wrote, to its end or not.
fn written(row: &Row) -> (Option<&str>, Option<&str>) {
    (row.output.as_deref(), row.unfinished.as_deref())
}

/// The line that is printed after each task.
pub(super) fn summary(task: &Task, row: &Row) -> String {
    format!(
        "{} {} {}: {} in {:.2} s, {:.1} tokens a forward, {:.0} tokens/s",
        task.id,
        row.decoder,
        row.route.as_deref().unwrap_or("-"),
        word(task, row),
        row.seconds,
        row.tokens as f64 / row.forwards.max(1) as f64,
        row.tokens as f64 / row.decode_seconds.max(1e-9),
    )
}

fn word(task: &Task, row: &Row) -> &'static str {
    match (verdict(task, row), row.asks, row.error.is_some()) {
        (_, _, true) => "failed",
        (Verdict::Exact, false, _) => "exact",
        (Verdict::Exact, true, _) => "exact, asked",
        (Verdict::Wrong, false, _) => "WRONG",
        (Verdict::Wrong, true, _) => "wrong, asked",
        (Verdict::Unknown, false, _) => "done",
        (Verdict::Unknown, true, _) => "asked",
    }
}

/// Compares a result with what was expected.
pub(super) fn verdict(task: &Task, row: &Row) -> Verdict {
    match (&task.expected, &row.output) {
        (None, _) => Verdict::Unknown,
        (Some(expected), Some(output)) if normal(expected).eq(normal(output)) => Verdict::Exact,
        _ => Verdict::Wrong,
    }
}

/// The lines without blanks at their ends; a missing final newline makes no difference, nor do blank lines there.
fn normal(text: &str) -> impl Iterator<Item = &str> {
    text.trim_end().lines().map(str::trim_end)
}

/// How many lines of `wanted` are not in `found`, each counted as often as it stands there.
fn missing(wanted: &str, found: &str) -> usize {
    let mut here: HashMap<String, usize> = HashMap::new();
    for line in normal(found) {
        *here.entry(line.to_owned()).or_default() += 1;
    }
    let absent = |line: &str| match here.get_mut(line) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    normal(wanted).map(absent).filter(|absent| *absent).count()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::{disagreements, missing, report, word};
    use crate::cli::bench::apply::rows::{Row, Task};

    fn task(id: &str, expected: &str) -> Task {
        let json = serde_json::json!({
            "id": id, "language": "rust", "style": "lazy", "original": "a\n", "suggestion": "b", "expected": expected,
        });
        serde_json::from_value(json).unwrap()
    }

    fn row(id: &str, decoder: &str, output: Option<&str>, asks: bool) -> Row {
        let error = output.is_none().then(|| "no place".to_owned());
        Row {
            id: id.to_owned(),
            decoder: decoder.to_owned(),
            output: output.map(str::to_owned),
            asks,
            error,
            seconds: 2.0,
            decode_seconds: 1.0,
            prompt_tokens: 100,
            prefill_seconds: 1.0,
            tokens: 30,
            forwards: 10,
            drafted: 40,
            accepted: 20,
            route: Some("model".to_owned()),
            ..Row::default()
        }
    }

    #[test]
    fn every_result_is_counted_once() {
        let tasks = [task("1", "a\nb\n"), task("2", "a\nb\n"), task("3", "a\nb\n"), task("4", "a\nb\n")];
        let rows = [
            row("1", "d", Some("a  \nb"), false),
            row("2", "d", Some("a\nc\nd\n"), false),
            row("3", "d", Some("x"), true),
            row("4", "d", None, true),
        ];
        let text = report(&tasks, &rows);
        let all: Vec<&str> = text.lines().nth(2).unwrap().split_whitespace().collect();
        assert_eq!(all, ["all", "4", "1", "25.0", "1", "1", "1", "1", "2"]);
        assert!(text.contains("\n  lazy ") && text.contains("\n  rust ") && text.contains("1-50 "), "{text}");
        assert!(text.contains("tokens per forward: 3.00; drafted 160, accepted 50.0 %"), "{text}");
        assert!(text.contains("generated tokens/s: median 30.0; prompt tokens/s: median 100.0"), "{text}");
        let words: Vec<&str> = tasks.iter().zip(&rows).map(|(task, row)| word(task, row)).collect();
        assert_eq!(words, ["exact", "WRONG", "wrong, asked", "failed"]);
    }

    #[test]
    fn decoders_that_disagree_are_found() {
        let rows = [
            row("1", "d", Some("a"), false),
            row("1", "e", Some("a"), false),
            row("2", "d", Some("a"), false),
            row("2", "e", Some("a\n"), false),
            Row { unfinished: Some("x".to_owned()), ..row("3", "d", None, true) },
            Row { unfinished: Some("y".to_owned()), ..row("3", "e", None, true) },
        ];
        assert_eq!(disagreements(&rows), Some((3, vec!["2", "3"])));
        assert_eq!(disagreements(&rows[..2]), Some((1, vec![])));
        assert_eq!(disagreements(&rows[..1]), None);
    }

    #[test]
    fn repeated_lines_count_each_time() {
        assert_eq!(missing("}\n}\nx\n", "}\n"), 2);
        assert_eq!(missing("}\n", "}\n}\n"), 0);
    }
}
