//! From evidence to a choice and a probability.
//!
//! Two linear models over a few counts, so that each weight can be read as a reason. The first says which of several
//! readings is meant (conditional logistic regression over the readings of a suggestion); the second how likely the
//! chosen one is the commit's file but for trailing blanks (logistic regression). Both were fitted on 12,453 training edits
//! in snippets of every style and language.

use super::{Evidence, Merge};

/// Merges at least this likely are applied without asking. On 4,000 training edits that the fit had not seen, what landed
/// (the guard's doubts counted in, exact formats too) and how much of it was right:
///
/// | from | landed % | right % |
/// |---|---|---|
/// | 0.93 | 91.2 | 98.8 |
/// | 0.955 | 88.1 | 99.2 |
/// | 0.97 | 85.0 | 99.5 |
/// | 0.98 | 80.6 | 99.6 |
/// | 0.985 | 76.9 | 99.6 |
pub const SURE: f64 = 0.97;

/// No reading comes near: what the margin of a suggestion with one reading counts as, and the most that any counts.
const CLEAR: f64 = 6.0;

/// What each further view costs that leads to another merge, in the order of `Costs::views`.
const DISSENT: [f64; 11] = [-0.03, -0.65, -0.05, -1.01, -0.42, -0.68, 0.30, -0.18, -0.15, 1.21, -0.82];

/// How likely a merge of a suggestion that is the file already is right.
const UNCHANGED: f64 = 0.99;

fn log(count: usize) -> f64 {
    (count as f64).ln_1p()
}

fn capped(count: usize, most: usize) -> f64 {
    count.min(most) as f64
}

fn whether(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// How well a reading compares with others of the same suggestion; the numbers mean something only against each other.
fn standing(e: &Evidence) -> f64 {
    // The votes of the views, and against them what a wrong reading leaves behind.
    let mut score = 4.53 * e.agreement;
    score -= 1.63 * whether(e.usual);
    score += 0.36 * capped(e.doubled, 2);
    score -= 3.06 * capped(e.broken, 2);
    score -= 1.57 * whether(e.unbalanced);
    score -= 1.27 * capped(e.hanging, 1);
    // Where there are no markers, most edits touch a gap.
    let (one_sided, edge) = if e.markers { (-1.60, -1.87) } else { (-1.98, -0.16) };
    score += one_sided * capped(e.one_sided, 2) + edge * capped(e.edge_edits, 2);
    score -= 0.42 * capped(e.weak_edits, 2);
    score -= 0.50 * capped(e.floating, 2);
    score -= 0.40 * log(e.copied);
    score -= 1.39 * log(e.copied_once);
    score += 1.22 * log(e.inserted);
    score -= 0.55 * log(e.deleted);
    score += 0.45 * log(e.changed);
    score -= 0.94 * capped(e.gone_unshown, 2);
    score -= 0.08 * capped(e.renamed, 2);
    score -= 0.77 * capped(e.bared, 2);
    // An import goes with its last use and not before.
    score -= 2.21 * capped(e.orphaned, 3) + 2.38 * capped(e.missing, 3);
    score
}

/// How likely the chosen reading is what the suggestion means; `margin` is how far it stands above the next one.
fn of(e: &Evidence, margin: f64) -> f64 {
    if e.inserted + e.deleted + e.drifted + e.unmarked == 0 && !e.markers {
        return UNCHANGED;
    }
    let thin = 1.0 - (e.anchors as f64 / e.rows.max(1) as f64).min(1.0);
    let mut score = 3.08 + 2.65 * margin.clamp(-CLEAR, CLEAR) / CLEAR;
    for (view, weight) in DISSENT.iter().enumerate() {
        score += weight * whether(e.dissent >> view & 1 == 1);
    }
    score += 0.17 * capped(e.readings.saturating_sub(1), 5);
    score -= 0.35 * e.cost.max(0.0).ln_1p();
    score -= 1.89 * capped(e.broken, 2);
    score -= 1.83 * whether(e.unbalanced);
    score -= 0.85 * capped(e.hanging, 1);
    let (one_sided, edge) = if e.markers { (-0.72, -1.25) } else { (-0.46, -0.67) };
    score += one_sided * capped(e.one_sided, 2) + edge * capped(e.edge_edits, 2);
    score -= 0.17 * capped(e.weak_edits, 2);
    score += 0.33 * capped(e.floating, 2);
    score -= 0.34 * log(e.copied);
    score -= 0.13 * log(e.copied_once);
    score += 0.25 * capped(e.bared, 2);
    score += 0.22 * log(e.inserted);
    score -= 0.19 * log(e.deleted);
    score -= 0.37 * whether(e.deleted == 0);
    score += 0.22 * log(e.changed);
    score += 0.23 * capped(e.renamed, 2);
    score -= 0.76 * capped(e.gone_unshown, 2);
    score -= 0.80 * thin;
    score += 0.53 * whether(e.markers);
    score -= 0.52 * whether(e.sloppy);
    score -= 0.21 * capped(e.blocks.saturating_sub(1), 3);
    // Blank lines that the suggestion shows otherwise may be its edit.
    score -= if e.sloppy { 0.94 } else { 1.30 } * log(e.respaced);
    // Whitespace that differs is drift in a careless suggestion and may be the edit in another.
    score -= if e.sloppy { 0.0 } else { 0.86 } * log(e.drifted);
    score -= 1.01 * capped(e.missing, 2);
    1.0 / (1.0 + (-score).exp())
}

/// Puts the likeliest merge first and says how likely each is.
pub(super) fn rank(merges: &mut [Merge]) {
    for merge in merges.iter_mut() {
        merge.standing = standing(&merge.evidence);
    }
    merges.sort_by(|a, b| b.standing.total_cmp(&a.standing));
    let standings: Vec<f64> = merges.iter().map(|merge| merge.standing).collect();
    for (place, merge) in merges.iter_mut().enumerate() {
        let rival = standings.get(usize::from(place == 0));
        let margin = rival.filter(|_| standings.len() > 1).map_or(CLEAR, |rival| merge.standing - rival);
        merge.confidence = of(&merge.evidence, margin);
    }
}

/// How much a model's vote weighs against the standing, as the logarithm of how much likelier it finds a merge. Fitted,
/// with the weights in [`elect`], on the untuned 0.5B model's votes on 125 training edits that were not sure and that
/// neither fit above had seen. It chooses hardly better than the standing: right in 101 of them instead of 100; the model
/// alone in 83, or 88 by the mean over tokens.
const VOTE: f64 = 0.1;

/// A vote alone makes no merge [`SURE`]: of 21 edits that the untuned 0.5B's would have landed (17 of those above, each left
/// out of the fit in turn, and 4 of other repositories) one was wrong, and one in a hundred may be.
const AT_MOST: f64 = SURE - 0.01;

/// No vote counts for more than this, as such a logarithm.
const LANDSLIDE: f64 = 8.0;

/// Takes a model's vote into account: `log_probs` are the logarithms of how likely it finds the first of `merges`, in
/// their order. The elected merge comes first, and is likelier than before as far as the model agrees.
pub fn elect(merges: &mut [Merge], log_probs: &[f64]) {
    let voted = log_probs.len().min(merges.len());
    let merges = &mut merges[..voted];
    let score = |(merge, log_prob): (&Merge, &f64)| merge.standing + VOTE * log_prob;
    let scores: Vec<f64> = merges.iter().zip(log_probs).map(score).collect();
    let Some(first) = (0..voted).max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a))) else {
        return;
    };
    let others = || (0..voted).filter(|other| *other != first).map(|other| log_probs[other]);
    let Some(rival) = others().max_by(f64::total_cmp) else { return };
    let margin = (log_probs[first] - rival).clamp(-LANDSLIDE, LANDSLIDE) / LANDSLIDE;
    let before = merges[first].confidence.clamp(0.001, 0.999);
    let score = -0.27 + 0.92 * (before / (1.0 - before)).ln() + 1.05 * margin;
    merges[first].confidence = (1.0 / (1.0 + (-score).exp())).min(AT_MOST);
    merges[..=first].rotate_right(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merges(standings: &[f64]) -> Vec<Merge> {
        let merge = |standing: &f64| Merge {
            lines: Vec::new(),
            reason: format!("{standing}"),
            confidence: 0.9,
            standing: *standing,
            evidence: Evidence::default(),
        };
        standings.iter().map(merge).collect()
    }

    fn elected(standings: &[f64], log_probs: &[f64]) -> (Vec<f64>, f64) {
        let mut merges = merges(standings);
        elect(&mut merges, log_probs);
        (merges.iter().map(|merge| merge.standing).collect(), merges[0].confidence)
    }

    #[test]
    fn a_vote_turns_a_narrow_choice_and_leaves_a_clear_one() {
        assert_eq!(elected(&[1.0, 0.5, 0.0], &[-40.0, -50.0, -10.0]).0, [0.0, 1.0, 0.5]);
        assert_eq!(elected(&[9.0, 0.5, 0.0], &[-40.0, -50.0, -30.0]).0, [9.0, 0.5, 0.0]);
        // Those that were not put to the vote stay behind.
        assert_eq!(elected(&[1.0, 0.5, 0.0], &[-40.0, -10.0]).0, [0.5, 1.0, 0.0]);
    }

    #[test]
    fn a_merge_that_the_model_prefers_too_becomes_likelier_and_one_that_it_does_not_less_likely() {
        let (agreed, opposed) =
            (elected(&[3.0, 0.0], &[-10.0, -30.0]).1, elected(&[3.0, 0.0], &[-20.0, -10.0]).1);
        assert!(agreed > 0.9 && opposed < agreed, "{agreed} {opposed}");
        assert!(elected(&[9.0, 0.0], &[-10.0, -99.0]).1 < SURE, "it still asks");
        assert_eq!(elected(&[3.0], &[-10.0]).1.to_bits(), 0.9_f64.to_bits());
        assert_eq!(elected(&[3.0, 2.0], &[]).1.to_bits(), 0.9_f64.to_bits());
    }
}
