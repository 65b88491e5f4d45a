//! Which snippets are shown, kept steady from one keystroke to the next.
//!
//! What the model has read stays read only as far as the text before the cursor begins alike. So what was chosen stays
//! where it is for as long as it is of some use, new snippets go behind it, and only when those no longer fit is
//! everything chosen anew: the least valuable first, since the most valuable ones change soonest.

use super::related::Snippet;

/// A snippet stays while it is worth this share of the least that would be chosen now.
const STAYS: f32 = 0.4;

/// The snippets that are shown; see the module's description.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    shown: Vec<Snippet>,
}

impl Chosen {
    /// The snippets in the order in which they are shown.
    pub fn snippets(&self) -> &[Snippet] {
        &self.shown
    }

    /// Fills `budget` with what is most valuable now. `related` has the most valuable first, `cost` says what showing
    /// one costs, in the budget's unit.
    pub fn update(
        &mut self,
        related: &[Snippet],
        budget: usize,
        cost: impl Fn(&Snippet) -> usize,
    ) -> &[Snippet] {
        let mut left = budget;
        let mut wanted: Vec<&Snippet> = Vec::new();
        for snippet in related {
            // A smaller one further down may still fit.
            if let Some(rest) = left.checked_sub(cost(snippet)) {
                left = rest;
                wanted.push(snippet);
            }
        }
        let least = wanted.iter().map(|snippet| snippet.value).fold(f32::INFINITY, f32::min);
        let same =
            |a: &Snippet, b: &Snippet| a.path == b.path && a.lines.start == b.lines.start && a.text == b.text;
        let mut kept = std::mem::take(&mut self.shown);
        let mut ended = false;
        kept.retain_mut(|shown| {
            let now = related.iter().find(|snippet| same(snippet, shown));
            let stays = now.is_some_and(|now| now.value >= least * STAYS) && !ended;
            if let Some(now) = now {
                *shown = now.clone();
            }
            // Behind one that goes, nothing is as it was read.
            ended |= !stays;
            stays
        });
        let mut new: Vec<&Snippet> =
            wanted.iter().copied().filter(|snippet| !kept.iter().any(|shown| same(shown, snippet))).collect();
        new.sort_by(|a, b| {
            a.value.total_cmp(&b.value).then_with(|| (&b.path, b.lines.start).cmp(&(&a.path, a.lines.start)))
        });
        let total: usize =
            kept.iter().map(&cost).sum::<usize>() + new.iter().map(|snippet| cost(snippet)).sum::<usize>();
        if total > budget {
            kept.clear();
            new = wanted;
            new.reverse();
        }
        kept.extend(new.into_iter().cloned());
        self.shown = kept;
        &self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Reason;

    fn snippets(spec: &str) -> Vec<Snippet> {
        let mut found: Vec<Snippet> = spec
            .split_whitespace()
            .map(|word| {
                let (name, value) = word.split_once('=').unwrap();
                let value = value.parse().unwrap();
                Snippet {
                    path: name.into(),
                    lines: 0..1,
                    text: name.to_owned(),
                    value,
                    reason: Reason::Mentioned,
                }
            })
            .collect();
        found.sort_by(|a, b| b.value.total_cmp(&a.value));
        found
    }

    /// Each step: what is related, and what is then shown; every snippet costs 1.
    fn check(budget: usize, steps: &[(&str, &str)]) {
        let mut chosen = Chosen::default();
        for (related, shown) in steps {
            chosen.update(&snippets(related), budget, |_| 1);
            let names: Vec<&str> = chosen.snippets().iter().map(|snippet| snippet.text.as_str()).collect();
            assert_eq!(names.join(" "), *shown, "after {related}");
        }
    }

    #[test]
    fn what_is_shown_stays_where_it_is() {
        check(4, &[("a=1 b=0.5", "b a"), ("a=0.4 b=0.6", "b a"), ("a=0.4 b=0.6 c=1", "b a c")]);
    }

    #[test]
    fn what_has_lost_its_worth_goes_with_what_stands_behind_it() {
        check(3, &[("a=1 b=0.5 c=0.4", "c b a"), ("a=1 c=0.4 d=0.3", "c d a")]);
        check(3, &[("a=1 b=0.5 c=0.4", "c b a"), ("a=1 b=0.5", "b a")]);
        check(2, &[("a=1 b=0.5", "b a"), ("", "")]);
    }

    #[test]
    fn what_no_longer_fits_is_chosen_anew() {
        check(2, &[("a=1 b=0.9", "b a"), ("a=0.8 b=0.9 c=1", "b c")]);
        check(2, &[("a=1 b=0.9", "b a"), ("a=0.1 b=0.1 c=1 d=0.9", "d c")]);
    }

    #[test]
    fn a_small_one_fills_what_a_large_one_leaves() {
        let related = snippets("big=1 huge=0.9 small=0.1");
        let mut chosen = Chosen::default();
        chosen.update(&related, 9, |snippet| snippet.text.len() * if snippet.text == "huge" { 9 } else { 1 });
        let names: Vec<&str> = chosen.snippets().iter().map(|snippet| snippet.text.as_str()).collect();
        assert_eq!(names, ["small", "big"]);
    }
}
