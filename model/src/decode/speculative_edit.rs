//! Drafts from the texts that an edited file is made of: a merge of the edit, the original, the suggestion, and what
//! was generated so far.
//!
//! The draft follows one text until the model disagrees; then it is re-aligned at the place whose preceding tokens
//! agree longest with the output. (Cursor's "speculative edits"; prompt lookup decoding.) Its length is the one that
//! gives the most tokens a second, by what forwards cost here and by how long texts were followed so far.

use super::Drafter;
use crate::tuning::Costs;
use std::collections::HashMap;

/// Tokens compared when two places compete.
const LOOK_BACK: usize = 32;
/// Places looked at for one pair of tokens: enough for real files, bounded for a file of one repeated line.
const PLACES: usize = 64;

/// A place in a text: the token there is the next guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    text: usize,
    at: usize,
}

/// The drafter of rewrites.
pub struct SpeculativeEdit {
    /// The texts, most likely first; the last one is the output itself.
    texts: Vec<Vec<u32>>,
    /// Where each pair of neighbouring tokens occurs.
    pairs: HashMap<(u32, u32), Vec<Place>>,
    /// The token after the last one of the output, as far as a text is being followed.
    place: Option<Place>,
    /// Where each text was left, for ties: text is mostly copied forwards.
    left: Vec<usize>,
    costs: Costs,
    runs: Runs,
}

/// How long a text is followed before the model disagrees, learned as it goes.
///
/// The longer a run already is, the longer it will still be: lengths follow a Lomax distribution, in which a run of `r`
/// tokens goes on for `k` more with the probability `((r + SCALE) / (r + SCALE + k)) ^ shape`. The shape is the maximum
/// likelihood estimate from the ended runs and the current one, with one imagined run beforehand.
struct Runs {
    /// Runs that ended.
    ended: f64,
    /// The sum of `ln(1 + length / SCALE)` of the runs that ended.
    logarithms: f64,
    /// Length of the current run.
    length: f64,
}

/// Half of the runs of shape 1 are longer than this.
const SCALE: f64 = 4.0;

impl Runs {
    fn new() -> Runs {
        Runs { ended: 1.0, logarithms: 1.0, length: 0.0 }
    }

    fn go_on(&mut self, tokens: usize) {
        self.length += tokens as f64;
    }

    fn end(&mut self) {
        self.logarithms += (self.length / SCALE).ln_1p();
        self.ended += 1.0;
        self.length = 0.0;
    }

    /// The probability that the next `k` tokens belong to the current run.
    fn survival(&self) -> impl Fn(usize) -> f64 {
        let shape = self.ended / (self.logarithms + (self.length / SCALE).ln_1p());
        let reached = self.length + SCALE;
        move |k| (reached / (reached + k as f64)).powf(shape)
    }
}

impl SpeculativeEdit {
    /// Drafts from `texts`, the likeliest first, each as tokens and ending as the output would end, as many tokens as
    /// pay off where forwards have these costs.
    pub fn new(texts: Vec<Vec<u32>>, costs: Costs) -> SpeculativeEdit {
        let mut drafter = SpeculativeEdit {
            left: vec![0; texts.len() + 1],
            texts,
            pairs: HashMap::new(),
            place: None,
            costs,
            runs: Runs::new(),
        };
        drafter.texts.push(Vec::new());
        for text in 0..drafter.texts.len() {
            for at in 2..drafter.texts[text].len() {
                drafter.index(Place { text, at });
            }
        }
        drafter
    }

    fn index(&mut self, place: Place) {
        let text = &self.texts[place.text];
        let places = self.pairs.entry((text[place.at - 2], text[place.at - 1])).or_default();
        if places.len() < PLACES {
            places.push(place);
        }
    }

    /// Takes the output's new tokens into the last text. A place is indexed once its next token is known.
    fn remember(&mut self, output: &[u32]) {
        let own = self.texts.len() - 1;
        let known = self.texts[own].len();
        for (at, &token) in output.iter().enumerate().skip(known) {
            self.texts[own].push(token);
            if at >= 2 {
                self.index(Place { text: own, at });
            }
        }
    }

    /// How many tokens before `place` agree with the end of `output`.
    fn agreement(&self, place: Place, output: &[u32]) -> usize {
        let before = self.texts[place.text][..place.at].iter().rev();
        before.zip(output.iter().rev()).take(LOOK_BACK).take_while(|(a, b)| a == b).count()
    }

    fn align(&self, output: &[u32]) -> Option<Place> {
        let [.., a, b] = output else {
            let text =
                self.texts.iter().position(|text| text.starts_with(output) && text.len() > output.len())?;
            return Some(Place { text, at: output.len() });
        };
        let places = self.pairs.get(&(*a, *b))?;
        let rank = |place: &Place| {
            let forward = place.at >= self.left[place.text];
            let distance = place.at.abs_diff(self.left[place.text]);
            let agreement = self.agreement(*place, output);
            (agreement, std::cmp::Reverse(place.text), forward, std::cmp::Reverse(distance))
        };
        places.iter().max_by_key(|place| rank(place)).copied()
    }

    /// Where the text goes on if the model replaced one token of it.
    fn after_replacement(&self, output: &[u32]) -> Option<Place> {
        let place = self.place?;
        let next = Place { at: place.at + 1, ..place };
        (!output.is_empty() && next.at < self.texts[next.text].len()).then_some(next)
    }
}

impl Drafter for SpeculativeEdit {
    fn propose(&mut self, output: &[u32]) -> Vec<u32> {
        self.remember(output);
        let followed = self.place.filter(|place| {
            output.last().is_some_and(|last| self.texts[place.text].get(place.at) == Some(last))
        });
        let next = match followed {
            Some(place) => {
                self.runs.go_on(1);
                Some(Place { at: place.at + 1, ..place })
            }
            None => {
                if self.place.is_some() {
                    self.runs.end();
                }
                self.align(output).or_else(|| self.after_replacement(output))
            }
        };
        self.place = next;
        let Some(place) = next else { return Vec::new() };
        let text = &self.texts[place.text];
        let end = text.len().min(place.at + self.costs.verify_chunk(self.runs.survival()) - 1);
        text.get(place.at..end).unwrap_or_default().to_vec()
    }

    fn learn(&mut self, accepted: usize) {
        if let Some(place) = &mut self.place {
            // The model's own token comes at this place; `propose` looks whether it is the text's.
            place.at += accepted;
            self.left[place.text] = place.at;
            self.runs.go_on(accepted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the drafter against a fixed output and counts the forwards; the output itself is checked to be unchanged.
    fn forwards(texts: &[&[u32]], output: &[u32]) -> usize {
        let texts = texts.iter().map(|text| text.to_vec()).collect();
        let mut drafter = SpeculativeEdit::new(texts, Costs::assumed());
        let (mut have, mut forwards) = (1, 0);
        while have < output.len() {
            let draft = drafter.propose(&output[..have]);
            let accepted = draft.iter().zip(&output[have..]).take_while(|(a, b)| a == b).count();
            drafter.learn(accepted);
            have += accepted + 1;
            forwards += 1;
        }
        forwards
    }

    fn numbers(range: std::ops::Range<u32>) -> Vec<u32> {
        range.collect()
    }

    #[test]
    fn an_unchanged_file_takes_a_few_whole_chunks() {
        let file = numbers(0..1000);
        assert!(forwards(&[&file], &file) <= 11);
    }

    #[test]
    fn an_insertion_from_the_suggestion_costs_two_re_alignments() {
        let file = numbers(0..600);
        let suggestion: Vec<u32> = [numbers(298..300), numbers(5000..5050), numbers(300..302)].concat();
        let output: Vec<u32> = [numbers(0..300), numbers(5000..5050), numbers(300..600)].concat();
        assert!(
            forwards(&[&file, &suggestion], &output) <= 17,
            "{}",
            forwards(&[&file, &suggestion], &output)
        );
    }

    #[test]
    fn a_replaced_token_does_not_lose_the_place() {
        let file = numbers(0..400);
        let mut output = file.clone();
        output[200] = 9999;
        assert!(forwards(&[&file], &output) <= 10, "{}", forwards(&[&file], &output));
    }

    #[test]
    fn a_deletion_is_re_aligned_after_two_tokens() {
        let file = numbers(0..400);
        let output: Vec<u32> = [numbers(0..100), numbers(150..400)].concat();
        assert!(forwards(&[&file], &output) <= 12, "{}", forwards(&[&file], &output));
    }

    #[test]
    fn drafts_are_short_after_disagreements_and_grow_with_the_run() {
        let mut drafter = SpeculativeEdit::new(vec![numbers(0..4000)], Costs::assumed());
        let mut output = vec![0, 1];
        let mut long = 0;
        for _ in 0..10 {
            let draft = drafter.propose(&output);
            drafter.learn(draft.len());
            output.extend(&draft);
            output.push(output.last().unwrap() + 1);
            assert!(draft.len() >= long, "{} after {long}", draft.len());
            long = draft.len();
        }
        assert_eq!(long, 127);
        for wrong in 0..10 {
            output.extend([10_000 + wrong, 5 * wrong, 5 * wrong + 1]);
            assert!(drafter.propose(&output).len() <= long);
            drafter.learn(0);
        }
        assert!(drafter.propose(&output).len() < 16, "{}", drafter.propose(&output).len());
    }

    #[test]
    fn where_a_chunk_costs_as_much_as_its_tokens_nothing_is_drafted() {
        let costs = Costs::new((0..8).map(|power| (1 << power, f64::from(1 << power))).collect()).unwrap();
        assert!(SpeculativeEdit::new(vec![numbers(0..100)], costs).propose(&[0, 1]).is_empty());
    }

    #[test]
    fn without_texts_there_is_no_draft_and_no_failure() {
        assert_eq!(forwards(&[], &numbers(0..20)), 19);
        assert!(SpeculativeEdit::new(Vec::new(), Costs::assumed()).propose(&[]).is_empty());
    }
}
