//! The deterministic merge: from a file's lines and a typed suggestion to the edited file, without any model.
//!
//! It returns every plausible merge, the best first, with a reason and a confidence. It must never invent text: each
//! line of a merge comes from the file or from the suggestion.

mod align;
mod confidence;
mod costs;
mod distances;
#[cfg(test)]
mod distances_tests;
mod evidence;
mod gaps;
mod hunks;
mod imports;
#[cfg(test)]
mod items_tests;
mod lines;
mod names;
mod outline;
mod prepare;
mod prices;
mod segments;
mod snippet;
#[cfg(test)]
mod tests;
mod unplaced;

use redraft_grammars::{Language, error_ranges};
use thiserror::Error;

use crate::suggestion::{Body, Element, Suggestion};
pub use confidence::{SURE, elect};
use costs::Costs;
pub use evidence::Evidence;
pub(crate) use names::item_name;

/// One line of an edited file, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputLine {
    /// The text without its ending.
    pub text: String,
    /// The file's line that it is, if it was kept.
    pub original: Option<usize>,
    /// The suggestion's row that it is, if it is new.
    pub row: Option<usize>,
}

impl OutputLine {
    /// A line of the file.
    pub fn kept(index: usize, text: &str) -> Self {
        OutputLine { text: text.to_string(), original: Some(index), row: None }
    }

    /// A line of the suggestion.
    pub fn added(row: usize, text: &str) -> Self {
        OutputLine { text: text.to_string(), original: None, row: Some(row) }
    }
}

/// One way to merge.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The edited file.
    pub lines: Vec<OutputLine>,
    /// How this merge reads the suggestion, in one sentence.
    pub reason: String,
    /// How likely it is what the suggestion means, from 0 to 1.
    pub confidence: f64,
    /// How well it compares with the suggestion's other merges; means nothing but against theirs.
    pub standing: f64,
    /// What the confidence rests on.
    pub evidence: Evidence,
}

/// Why there is no merge.
#[derive(Debug, Error, PartialEq)]
pub enum MergeError {
    /// A block's text is not in the file.
    #[error("the text to be replaced in block {block} of the suggestion is not in the file: {first_line:?}")]
    NotFound {
        /// 1-based.
        block: usize,
        /// The first line looked for.
        first_line: String,
    },
    /// Nothing of the snippet is in the file, and it is not made of new items that could go to its end.
    #[error("nothing in the suggestion matches this file: it is probably meant for another one")]
    NoPlace,
    /// The table would not fit.
    #[error("file and suggestion are too large to be merged at once: split the suggestion")]
    TooLarge,
}

/// Merges `suggestion` into `original` in every plausible way, the best first; never an empty list. Where `language` has a
/// grammar, a reading that breaks the syntax is less likely.
pub fn merge(
    original: &[&str],
    suggestion: &Suggestion,
    language: Option<Language>,
) -> Result<Vec<Merge>, MergeError> {
    merge_priced(original, suggestion, language, &Costs::default(), &Costs::views())
}

/// [`merge`] at given prices and views.
fn merge_priced(
    original: &[&str],
    suggestion: &Suggestion,
    language: Option<Language>,
    costs: &Costs,
    views: &[Costs],
) -> Result<Vec<Merge>, MergeError> {
    let file = snippet::File::new(original);
    match &suggestion.body {
        Body::Hunks(found) => hunks::merge(&file, found),
        Body::Snippets(blocks) => merge_snippets(&file, blocks, suggestion.chatty, language, costs, views),
    }
}

fn merge_snippets(
    file: &snippet::File<'_>,
    blocks: &[Vec<Element>],
    sloppy: bool,
    language: Option<Language>,
    usual: &Costs,
    views: &[Costs],
) -> Result<Vec<Merge>, MergeError> {
    let pieces = prepare::prepare(file, snippet::pieces(blocks));
    let segments = segments::cut(file.text, file, &pieces)?;
    let solve = |costs: &Costs| {
        let (steps, cost) = segments::solve(&segments, sloppy, costs);
        let mut steps = snippet::keep_blank_lines(file, &pieces, steps, sloppy);
        snippet::replace_item_heads(file, &pieces, &mut steps);
        (steps, cost)
    };
    let anchored = |step: &align::Step| match step {
        align::Step::Same { row, .. } => pieces[*row].line.weight > 0.5,
        align::Step::Change { .. } => true,
        _ => false,
    };
    let grammar = Syntax::new(file.text, language);
    let imports = imports::Imports::new(file.text, language);
    let placed = |steps: &[align::Step]| file.text.is_empty() || steps.iter().any(anchored);
    let (mut steps, mut cost) = solve(usual);
    let guessed = !placed(&steps);
    if guessed {
        if let Some(merge) = unplaced::append(file, &pieces).filter(|merge| grammar.broken(&merge.lines) == 0)
        {
            return Ok(vec![merge]);
        }
        (steps, cost) = solve(&unplaced::bold(usual));
        if !unplaced::replaces(&pieces, &steps) {
            return Err(MergeError::NoPlace);
        }
    }
    let build = |steps: &[align::Step], cost: f64| {
        let lines = snippet::assemble(file, &pieces, steps, sloppy);
        let mut evidence = evidence::count(file, &pieces, steps, &lines);
        evidence.broken = grammar.broken(&lines);
        (evidence.orphaned, evidence.missing) = imports.compare(&lines);
        evidence.cost = cost;
        evidence.sloppy = sloppy;
        Merge { lines, reason: String::new(), confidence: 0.0, standing: 0.0, evidence }
    };
    let mut merges = vec![build(&steps, cost)];
    let views = &views[..views.len().min(affordable(pieces.len() * file.lines.len()))];
    // Which views, the usual prices' own among them, lead to each merge.
    let mut votes = vec![1_u32];
    for (number, costs) in views.iter().enumerate() {
        let (steps, cost) = solve(costs);
        if !placed(&steps) {
            continue;
        }
        let lines = snippet::assemble(file, &pieces, &steps, sloppy);
        let known = merges.iter().position(|known| same_text(&known.lines, &lines));
        let index = known.unwrap_or_else(|| {
            merges.push(build(&steps, cost));
            votes.push(0);
            merges.len() - 1
        });
        votes[index] |= 2 << number;
    }
    let readings = merges.len();
    for (merge, votes) in merges.iter_mut().zip(&votes) {
        merge.evidence.agreement = f64::from(votes.count_ones()) / (views.len() + 1) as f64;
        merge.evidence.readings = readings;
        merge.evidence.usual = votes & 1 == 1;
        merge.evidence.dissent = !votes >> 1 & ((1 << views.len()) - 1);
        merge.reason = describe(&merge.evidence);
    }
    confidence::rank(&mut merges);
    if guessed {
        merges.iter_mut().for_each(|merge| merge.confidence = merge.confidence.min(unplaced::GUESS));
    }
    Ok(merges)
}

/// Whether two merges read the same, wherever their lines come from.
fn same_text(a: &[OutputLine], b: &[OutputLine]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.text == b.text)
}

/// The syntax tree of the file, and how much of it an edit breaks.
struct Syntax {
    language: Option<Language>,
    errors: usize,
}

impl Syntax {
    fn new(text: &[&str], language: Option<Language>) -> Self {
        let language = language.filter(|language| language.grammar().is_some());
        Syntax { language, errors: language.map_or(0, |language| errors(language, &text.join("\n"))) }
    }

    /// How many errors a merge has more than the file.
    fn broken(&self, lines: &[OutputLine]) -> usize {
        self.language.map_or(0, |language| {
            let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
            errors(language, &text.join("\n")).saturating_sub(self.errors)
        })
    }
}

fn errors(language: Language, text: &str) -> usize {
    if language.is_preprocessed() {
        return 0;
    }
    language.parse(text, None).map_or(0, |tree| error_ranges(&tree).len())
}

/// How many views a problem of `cells` cells can afford.
fn affordable(cells: usize) -> usize {
    match cells {
        0..150_000 => usize::MAX,
        150_000..600_000 => 3,
        _ => 1,
    }
}

fn describe(evidence: &Evidence) -> String {
    let what = if evidence.markers {
        "the snippet's marked gaps were filled from the file"
    } else {
        "the snippet was aligned with the file"
    };
    match evidence.readings {
        1 => format!("{what}; every reading of it gives the same result"),
        readings => format!("{what}; the likeliest of {readings} readings"),
    }
}
