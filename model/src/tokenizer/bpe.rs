//! Byte-pair merging: from the bytes of one piece of text to token ids.

use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// No token, no neighbour.
const NONE: u32 = u32::MAX;

/// The merge rules of a vocabulary.
pub(super) struct Merges {
    /// (left id, right id) -> (rank, id of the two joined). The lowest rank is merged first.
    rules: FxHashMap<(u32, u32), (u32, u32)>,
    /// The token of each single byte; `NONE` where the vocabulary has none.
    bytes: [u32; 256],
}

/// Buffers that are used again for every piece.
#[derive(Default)]
pub(super) struct Scratch {
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Reverse<Candidate>>,
}

/// One token of the piece as merged so far: a node of a doubly linked list.
struct Symbol {
    /// `NONE` once it was merged into its left neighbour.
    id: u32,
    previous: u32,
    next: u32,
}

/// A pair that may be merged. The order is the order of merging: by rank, then from the left.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    rank: u32,
    position: u32,
    left: u32,
    right: u32,
}

impl Merges {
    /// Rules in the order of their rank, as (left, right, joined), and the tokens of single bytes.
    pub(super) fn new(
        rules: impl ExactSizeIterator<Item = (u32, u32, u32)>,
        bytes: [Option<u32>; 256],
    ) -> Self {
        let mut map = FxHashMap::with_capacity_and_hasher(rules.len(), rustc_hash::FxBuildHasher);
        for (rank, (left, right, joined)) in (0..).zip(rules) {
            map.entry((left, right)).or_insert((rank, joined));
        }
        Self { rules: map, bytes: bytes.map(|id| id.unwrap_or(NONE)) }
    }

    /// Whether the vocabulary has a token for this byte.
    pub(super) fn has_byte(&self, byte: u8) -> bool {
        self.bytes[usize::from(byte)] != NONE
    }

    /// Appends the tokens of `piece` to `out`. Bytes without a token are left out, as the reference does.
    pub(super) fn encode(&self, piece: &[u8], scratch: &mut Scratch, out: &mut Vec<u32>) {
        let Scratch { symbols, queue } = scratch;
        symbols.clear();
        queue.clear();
        for id in piece.iter().map(|&byte| self.bytes[usize::from(byte)]).filter(|&id| id != NONE) {
            let position = symbols.len() as u32;
            if let Some(left) = symbols.last_mut() {
                left.next = position;
                self.offer(queue, position - 1, left.id, id);
            }
            symbols.push(Symbol { id, previous: position.wrapping_sub(1), next: NONE });
        }
        while let Some(Reverse(pair)) = queue.pop() {
            let position = pair.position as usize;
            let next = symbols[position].next;
            // Pairs that an earlier merge broke up are still in the queue.
            if symbols[position].id != pair.left || next == NONE || symbols[next as usize].id != pair.right {
                continue;
            }
            let joined = self.rules[&(pair.left, pair.right)].1;
            let after = symbols[next as usize].next;
            symbols[next as usize].id = NONE;
            symbols[position].id = joined;
            symbols[position].next = after;
            if after != NONE {
                symbols[after as usize].previous = pair.position;
                self.offer(queue, pair.position, joined, symbols[after as usize].id);
            }
            let previous = symbols[position].previous;
            if previous != NONE {
                self.offer(queue, previous, symbols[previous as usize].id, joined);
            }
        }
        out.extend(symbols.iter().map(|symbol| symbol.id).filter(|&id| id != NONE));
    }

    fn offer(&self, queue: &mut BinaryHeap<Reverse<Candidate>>, position: u32, left: u32, right: u32) {
        if let Some(&(rank, _)) = self.rules.get(&(left, right)) {
            queue.push(Reverse(Candidate { rank, position, left, right }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Merges, Scratch};
    use proptest::prelude::*;
    use tokenizers::Model;
    use tokenizers::models::bpe::BPE;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// Random rules over three letters, against the `tokenizers` crate.
        #[test]
        fn merges_as_the_reference_does(
            pairs in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..40),
            text in "[abc]{0,80}",
        ) {
            let mut tokens: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
            let (mut rules, mut merges) = (Vec::new(), Vec::new());
            for (left, right) in pairs {
                let (left, right) = (left.index(tokens.len()), right.index(tokens.len()));
                let joined = format!("{}{}", tokens[left], tokens[right]);
                // One rule a token, as in real vocabularies.
                if !tokens.contains(&joined) {
                    rules.push((left as u32, right as u32, tokens.len() as u32));
                    merges.push((tokens[left].clone(), tokens[right].clone()));
                    tokens.push(joined);
                }
            }
            let vocab = tokens.iter().cloned().zip(0..).collect::<tokenizers::models::bpe::Vocab>();
            let reference = BPE::builder().vocab_and_merges(vocab, merges).build().unwrap();
            let wanted: Vec<u32> = reference.tokenize(&text).unwrap().iter().map(|token| token.id).collect();

            let mut bytes = [None; 256];
            for (byte, id) in (b'a'..=b'c').zip(0..) {
                bytes[usize::from(byte)] = Some(id);
            }
            let mut ids = Vec::new();
            Merges::new(rules.into_iter(), bytes).encode(text.as_bytes(), &mut Scratch::default(), &mut ids);
            prop_assert_eq!(ids, wanted);
        }
    }
}
