//! From evidence to a probability.

use super::Evidence;

/// How likely a merge is what the suggestion means.
pub(super) fn of(evidence: &Evidence) -> f64 {
    evidence.agreement * 0.9
}
