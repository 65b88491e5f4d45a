//! From evidence to a probability.
//!
//! A logistic model over a few counts, fitted on 6,500 training edits (snippets of every style and language) against
//! "the merge equals the commit's file but for trailing blanks". Its weights are written out here so that each can be
//! read as a reason. On training edits that were not used for the fit, of the merges above [`SURE`] 98.6 % are right,
//! and 99 % together with the formats that carry exact positions.

use super::Evidence;

/// Merges at least this likely are applied without asking. Found on training edits held out from the fit: the lowest
/// value at which 99 % of what is applied without asking is right.
pub const SURE: f64 = 0.96;

/// What each further view costs that leads to another merge, in the order of `Costs::views`.
const DISSENT: [f64; 7] = [-0.50, 0.02, -0.34, -1.15, -1.34, -1.59, -0.50];

/// How likely a merge is what the suggestion means.
pub(super) fn of(evidence: &Evidence) -> f64 {
    if evidence.inserted + evidence.deleted + evidence.drifted + evidence.unmarked == 0 && !evidence.markers {
        // The suggestion is the file.
        return 0.99;
    }
    let log = |count: usize| (count as f64).ln_1p();
    let capped = |count: usize, most: usize| count.min(most) as f64;
    let mut score = 3.36;
    for (view, weight) in DISSENT.iter().enumerate() {
        if evidence.dissent >> view & 1 == 1 {
            score += weight;
        }
    }
    score += 0.08 * evidence.readings.saturating_sub(2) as f64;
    score -= 1.39 * capped(evidence.edge_edits, 2);
    score -= 1.33 * capped(evidence.one_sided, 2);
    score -= if evidence.unbalanced { 2.87 } else { 0.0 };
    score -= 2.33 * capped(evidence.hanging, 1);
    score -= if evidence.sloppy { 0.70 } else { 0.0 };
    score -= 0.33 * log(evidence.longest_cut);
    score -= 0.71 * log(evidence.copied);
    score += 0.35 * log(evidence.inserted + evidence.deleted);
    score += if evidence.markers { 0.82 * capped(evidence.unmarked, 2) } else { -0.19 };
    1.0 / (1.0 + (-score).exp())
}
