//! Drafts from the texts that an edited file is made of: a merge of the edit, the original, the suggestion, and what
//! was generated so far.
//!
//! The draft follows one text until the model disagrees; then it is re-aligned at the place whose preceding tokens
//! agree longest with the output. (Cursor's "speculative edits"; prompt lookup decoding.)

use super::Drafter;
use std::collections::HashMap;

/// Chunks are these many tokens, the token before the draft included: whole tiles of the kernels.
const CHUNKS: [usize; 4] = [16, 32, 64, 128];
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
    /// Index into [`CHUNKS`].
    size: usize,
    proposed: usize,
}

impl SpeculativeEdit {
    /// Drafts from `texts`, the likeliest first, each as tokens and ending as the output would end.
    pub fn new(texts: Vec<Vec<u32>>) -> SpeculativeEdit {
        let mut drafter = SpeculativeEdit {
            left: vec![0; texts.len() + 1],
            texts,
            pairs: HashMap::new(),
            place: None,
            size: 1,
            proposed: 0,
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
            Some(place) => Some(Place { at: place.at + 1, ..place }),
            None => self.align(output).or_else(|| self.after_replacement(output)),
        };
        self.place = next;
        let Some(place) = next else {
            self.proposed = 0;
            return Vec::new();
        };
        let text = &self.texts[place.text];
        let end = text.len().min(place.at + CHUNKS[self.size] - 1);
        let draft = text.get(place.at..end).unwrap_or_default().to_vec();
        self.proposed = draft.len();
        draft
    }

    fn learn(&mut self, accepted: usize) {
        if let Some(place) = &mut self.place {
            // The model's own token comes at this place; `propose` looks whether it is the text's.
            place.at += accepted;
            self.left[place.text] = place.at;
        }
        if self.proposed == 0 {
            return;
        }
        if accepted == self.proposed {
            self.size = (self.size + 1).min(CHUNKS.len() - 1);
        } else {
            // About twice what was right last time.
            self.size = CHUNKS.iter().position(|chunk| *chunk > accepted * 2).unwrap_or(CHUNKS.len() - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the drafter against a fixed output and counts the forwards; the output itself is checked to be unchanged.
    fn forwards(texts: &[&[u32]], output: &[u32]) -> usize {
        let mut drafter = SpeculativeEdit::new(texts.iter().map(|text| text.to_vec()).collect());
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
    fn without_texts_there_is_no_draft_and_no_failure() {
        assert_eq!(forwards(&[], &numbers(0..20)), 19);
        assert!(SpeculativeEdit::new(Vec::new()).propose(&[]).is_empty());
    }
}
