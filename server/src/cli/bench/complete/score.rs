//! How a completion compares with what stood in the hole.

use serde::Serialize;
use similar::{Algorithm, TextDiff};

use crate::complete::Completion;

/// How right a completion is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Score {
    /// As many lines as the hole had are equal to it, blanks aside.
    pub(super) exact: bool,
    /// The first line is right.
    pub(super) first_line: bool,
    /// How alike the texts are, 0 to 1, by the characters that both have in order.
    pub(super) similarity: f64,
}

/// Compares what came with what stood there. What is inserted may go on to the end of the suffix's first line.
pub(super) fn score(completion: Option<&Completion>, middle: &str, suffix: &str) -> Score {
    let Some(completion) = completion else {
        return Score { exact: false, first_line: false, similarity: 0.0 };
    };
    // As the lines look once the completion is in the file.
    let rest = &suffix[completion.replaces..];
    let rest = &rest[..rest.find('\n').unwrap_or(rest.len())];
    let expected_rest = &suffix[..suffix.find('\n').unwrap_or(suffix.len())];
    let wanted = lines(&format!("{middle}{expected_rest}"));
    let came = lines(&format!("{}{rest}", completion.text));
    let same = came.iter().zip(&wanted).take_while(|(a, b)| a == b).count();
    let cut = came[..came.len().min(wanted.len())].join("\n");
    let ratio =
        TextDiff::configure().algorithm(Algorithm::Patience).diff_chars(&cut, &wanted.join("\n")).ratio();
    Score { exact: same == wanted.len(), first_line: same > 0, similarity: f64::from(ratio) }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, replaces: usize, middle: &str, suffix: &str, exact: bool, first_line: bool) {
        let completion = Completion { text: text.to_owned(), replaces, confidence: 1.0 };
        let score = score(Some(&completion), middle, suffix);
        assert_eq!((score.exact, score.first_line), (exact, first_line), "{text:?} for {middle:?}");
        assert!(!exact || score.similarity == 1.0);
    }

    #[test]
    fn lines_are_compared_as_they_stand_in_the_file() {
        check("a + b;", 0, "a + b;", "\n}\n", true, true);
        check("a + b);", 2, "a + b", ");\n}\n", true, true);
        check("a + b;\n    c();", 0, "a + b;", "\n}\n", true, true);
        check("a + b;", 0, "a + b;\n    c();", "\n}\n", false, true);
        check("\n    a;\n    b;", 0, "\n        a;\n        c;", "\n}\n", false, true);
        check("a + c;", 0, "a + b;", "\n}\n", false, false);
    }
}
