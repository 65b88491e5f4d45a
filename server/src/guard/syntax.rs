//! Syntax that an edit broke: by the syntax tree where the language has a grammar and no macros that it would trip over,
//! by counting brackets otherwise.

use redraft_grammars::{Language, error_ranges};

/// A sentence about an error that `output` has and `original` had not.
pub(super) fn new_error(original: &str, output: &str, language: Option<Language>) -> Option<String> {
    if let Some(language) = language.filter(|language| !language.is_preprocessed())
        && let Some(after) = language.parse(output, None)
    {
        let errors = error_ranges(&after);
        let first = errors.first()?;
        let before = language.parse(original, None).map_or(0, |tree| error_ranges(&tree).len());
        let line =
            output.as_bytes()[..first.start.min(output.len())].iter().filter(|byte| **byte == b'\n').count()
                + 1;
        return (errors.len() > before).then(|| {
            format!("The edited file has a syntax error near line {line} that it did not have before.")
        });
    }
    let kinds = [('{', '}'), ('(', ')'), ('[', ']')];
    kinds.into_iter().find_map(|(open, close)| {
        let balance = |text: &str| text.matches(open).count() as i64 - text.matches(close).count() as i64;
        (balance(original) == 0 && balance(output) != 0).then(|| {
            format!("The brackets {open} {close} are balanced in the file and would not be afterwards.")
        })
    })
}
