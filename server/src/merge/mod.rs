//! The deterministic merge: from a file's lines and a typed suggestion to the edited file, without any model.
//!
//! It returns every plausible merge, the best first, with a reason and a confidence. It must never invent text: each
//! line of a merge comes from the file or from the suggestion.

mod align;
mod confidence;
mod costs;
mod evidence;
mod hunks;
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

use thiserror::Error;

use crate::suggestion::{Body, Element, Suggestion};
pub use confidence::SURE;
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
    /// Nothing of the snippet is in the file.
    #[error("nothing in the suggestion matches this file: it is probably meant for another one")]
    NoPlace,
    /// The table would not fit.
    #[error("file and suggestion are too large to be merged at once: split the suggestion")]
    TooLarge,
}

/// Merges `suggestion` into `original` in every plausible way, the best first; never an empty list.
pub fn merge(original: &[&str], suggestion: &Suggestion) -> Result<Vec<Merge>, MergeError> {
    merge_priced(original, suggestion, &Costs::default(), &Costs::views())
}

/// [`merge`] at given prices and views.
fn merge_priced(
    original: &[&str],
    suggestion: &Suggestion,
    costs: &Costs,
    views: &[Costs],
) -> Result<Vec<Merge>, MergeError> {
    let file = snippet::File::new(original);
    match &suggestion.body {
        Body::Hunks(found) => hunks::merge(&file, found),
        Body::Snippets(blocks) => merge_snippets(&file, blocks, suggestion.chatty, costs, views),
    }
}

fn merge_snippets(
    file: &snippet::File<'_>,
    blocks: &[Vec<Element>],
    sloppy: bool,
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
    let (steps, cost) = solve(usual);
    let anchored = |step: &align::Step| match step {
        align::Step::Same { row, .. } => pieces[*row].line.weight > 0.5,
        align::Step::Change { .. } => true,
        _ => false,
    };
    if !file.text.is_empty() && !steps.iter().any(anchored) {
        return Err(MergeError::NoPlace);
    }
    let build = |steps: &[align::Step], cost: f64| {
        let lines = snippet::assemble(file, &pieces, steps, sloppy);
        let mut evidence = evidence::count(file, &pieces, steps, &lines);
        evidence.cost = cost;
        evidence.sloppy = sloppy;
        Merge { lines, reason: String::new(), confidence: 0.0, evidence }
    };
    let mut merges = vec![(build(&steps, cost), 1_usize)];
    let views = &views[..views.len().min(affordable(pieces.len() * file.lines.len()))];
    let mut dissent = 0_u32;
    for (number, costs) in views.iter().enumerate() {
        let (steps, cost) = solve(costs);
        let merge = build(&steps, cost);
        let known = merges.iter().position(|(known, _)| known.lines == merge.lines);
        dissent |= u32::from(known != Some(0)) << number;
        match known {
            Some(index) => merges[index].1 += 1,
            None => merges.push((merge, 1)),
        }
    }
    let readings = merges.len();
    // The usual prices' merge stays first: it is right more often than the majority.
    merges[1..].sort_by_key(|(_, votes)| std::cmp::Reverse(*votes));
    Ok(merges
        .into_iter()
        .map(|(mut merge, votes)| {
            merge.evidence.agreement = votes as f64 / (views.len() + 1) as f64;
            merge.evidence.readings = readings;
            merge.evidence.dissent = dissent;
            merge.reason = describe(&merge.evidence);
            merge.confidence = confidence::of(&merge.evidence);
            merge
        })
        .collect())
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
