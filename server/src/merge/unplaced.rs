//! Suggestions of which no line stands in the file: a changed line without its neighbours, a new function alone. Where
//! there is one sensible place they are merged there; it is a guess and must always ask first.

use super::align::Step;
use super::costs::Costs;
use super::distances;
use super::outline::is_head;
use super::snippet::{File, Piece};
use super::{Evidence, Merge, OutputLine};

/// How likely such a guess is what was meant: never enough to land by itself.
pub(super) const GUESS: f64 = 0.5;

/// Prices at which a line rather stands for a line like it than for a new one.
pub(super) fn bold(usual: &Costs) -> Costs {
    Costs { insert: usual.insert * 8.0, change_least: 0.75, ..*usual }
}

/// Whether at least half of what a snippet says, brackets and blank lines aside, stands for lines of the file.
pub(super) fn replaces(pieces: &[Piece], steps: &[Step]) -> bool {
    let says = |piece: &Piece| !piece.marker && piece.line.weight > 0.5;
    let said = pieces.iter().filter(|piece| says(piece)).count();
    let stands = |step: &&Step| match step {
        Step::Change { row, .. } | Step::Same { row, .. } => says(&pieces[*row]),
        _ => false,
    };
    let placed = steps.iter().filter(stands).count();
    placed > 0 && placed * 2 >= said
}

/// Puts new items at the end of the file, before what runs or tests it; nothing if the snippet is not made of items that
/// the file does not have.
pub(super) fn append(file: &File<'_>, pieces: &[Piece]) -> Option<Merge> {
    let said = |piece: &Piece| !piece.marker && !piece.line.blank;
    let (first, last) = (pieces.iter().position(said)?, pieces.iter().rposition(said)?);
    let known = |piece: &Piece| {
        piece.line.header.is_some() && file.lines.iter().any(|line| line.header == piece.line.header)
    };
    let heads = |piece: &&Piece| said(piece) && piece.line.indent == 0 && !is_head(&piece.text);
    let starts = pieces.iter().find(heads)?;
    let shown = &pieces[first..=last];
    let whole = pieces[first].line.indent == 0 && starts.line.header.is_some();
    if !whole || shown.iter().any(|piece| piece.marker || known(piece)) {
        return None;
    }
    let size = file.lines.len();
    let top = |at: &usize| !file.lines[*at].blank && file.lines[*at].indent == 0;
    let closing =
        (0..size).rev().filter(top).find(|at| file.lines[*at].weight > 0.5 || is_head(file.text[*at]));
    let runs =
        |at: &usize| ["if __name__", "#[cfg(test)]"].iter().any(|start| file.text[*at].starts_with(start));
    let tail = closing.and_then(|at| (at.saturating_sub(1)..=at).find(runs)).unwrap_or(size);
    let end = (0..tail).rev().find(|at| !file.lines[*at].blank).map_or(0, |at| at + 1);
    let distance = distances::usual_distances(file).get(&0).copied().unwrap_or(1).max(1);
    let blanks = |row: usize| (0..distance).map(move |_| OutputLine::added(row, ""));
    let kept = |at: usize| OutputLine::kept(at, file.text[at]);
    let mut lines: Vec<OutputLine> = (0..end).map(kept).collect();
    if end > 0 {
        lines.extend(blanks(first));
    }
    lines.extend((first..=last).map(|row| OutputLine::added(row, pieces[row].text.trim_end())));
    if tail < size {
        lines.extend(blanks(last));
    }
    lines.extend((if tail < size { tail } else { end }..size).map(kept));
    Some(Merge {
        lines,
        reason: "nothing in the suggestion stands in this file; what it defines goes to the end".into(),
        confidence: GUESS,
        standing: 0.0,
        evidence: Evidence { readings: 1, inserted: last + 1 - first, ..Evidence::default() },
    })
}

#[cfg(test)]
mod tests {
    use crate::merge::SURE;
    use crate::merge::tests::merged;

    /// Asserts what a suggestion is taken for, and that it asks first.
    fn check(language: &str, before: &str, suggestion: &str, after: &str) {
        let (output, confidence) = merged(before, suggestion, language).expect("a merge");
        assert_eq!(output, after);
        assert!(confidence < SURE, "{confidence}");
    }

    const CLIENT: &str = "\
TIMEOUT = 30


class Client:
    def __init__(self, host):
        self.host = host

    def close(self):
        self.host.settimeout(TIMEOUT)


def main():
    Client(0).close()


if __name__ == \"__main__\":
    main()
";

    const TESTED: &str = "\
/// One more.
fn more(x: u32) -> u32 {
    x + 1
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_more() {
        assert_eq!(super::more(1), 2);
    }
}
";

    #[test]
    fn a_changed_line_alone_stands_for_the_line_like_it() {
        let after = CLIENT.replace("(TIMEOUT)", "(TIMEOUT * 2)");
        check("python", CLIENT, "        self.host.settimeout(TIMEOUT * 2)\n", &after);
    }

    #[test]
    fn brackets_and_blank_lines_in_common_place_nothing() {
        let foreign = "    if ready {\n        launch(rocket)\n    }\n\n    while waiting {\n        sleep()\n    }\n}\n";
        let error = merged(TESTED, foreign, "rust").expect_err("no place");
        assert!(error.contains("another one"), "{error}");
    }

    #[test]
    fn new_items_alone_go_to_the_end_before_what_runs_or_tests_the_file() {
        let new = "def helper(x):\n    return x\n";
        let after = CLIENT.replace("if __name__", &format!("{new}\n\nif __name__"));
        check("python", CLIENT, new, &after);
        let new = "/// Two more.\nfn two_more(x: u32) -> u32 {\n    x + 2\n}\n";
        let after = TESTED.replace("#[cfg(test)]", &format!("{new}\n#[cfg(test)]"));
        check("rust", TESTED, &format!("// ... existing code ...\n\n{new}"), &after);
        check("rust", "fn only() {}\n", new, &format!("fn only() {{}}\n\n{new}"));
    }
}
