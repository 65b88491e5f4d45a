//! Lines as the aligner sees them: hashes of their exact and their normalised text, indentation, tokens.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::names::{assigned_name, defined_name, item_name, starts_item};

/// What the aligner knows of one line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Hash of the text as it stands.
    pub(super) exact: u64,
    /// Hash of the text without any whitespace and with one kind of quote.
    pub(super) key: u64,
    /// Columns of indentation, a tab counting four.
    pub(super) indent: usize,
    /// No text at all.
    pub(super) blank: bool,
    /// How much the line says: 0 for blank, little for lone brackets, 1 for usual code.
    pub(super) weight: f32,
    /// It starts a function, a type or the like.
    pub(super) item: bool,
    /// Hash of the name that it defines, if it defines one.
    pub(super) name: Option<u32>,
    /// Hash of the name of the item that it heads, if it heads one.
    pub(super) header: Option<u32>,
    /// Hash of its first token.
    pub(super) first: Option<u32>,
    /// Sorted hashes of its tokens.
    tokens: Vec<u32>,
    /// Bit set of the tokens, for a quick look.
    signature: u64,
}

impl Line {
    /// Looks at one line.
    pub(super) fn new(text: &str) -> Line {
        let trimmed = text.trim();
        let mut key = DefaultHasher::new();
        for c in text.chars().filter(|c| !c.is_whitespace()) {
            (if c == '\'' { '"' } else { c }).hash(&mut key);
        }
        let mut exact = DefaultHasher::new();
        text.hash(&mut exact);
        let mut tokens: Vec<u32> = tokens(trimmed).map(hash_token).collect();
        let first = tokens.first().copied();
        tokens.sort_unstable();
        let signature = tokens.iter().fold(0_u64, |bits, token| bits | 1 << (token % 64));
        Line {
            exact: exact.finish(),
            key: key.finish(),
            indent: indent_of(text),
            blank: trimmed.is_empty(),
            weight: weight(trimmed),
            item: starts_item(trimmed),
            name: defined_name(trimmed).or_else(|| assigned_name(text)).map(hash_token),
            header: item_name(text).map(hash_token),
            first,
            tokens,
            signature,
        }
    }

    /// How alike two lines are, from 0 to 1: the share of common tokens.
    pub(super) fn similarity(&self, other: &Line) -> f32 {
        let most = self.tokens.len().max(other.tokens.len());
        if most == 0 || self.tokens.is_empty() || other.tokens.is_empty() {
            return 0.0;
        }
        let common_bits = (self.signature & other.signature).count_ones();
        let bits = self.signature.count_ones().max(other.signature.count_ones());
        if common_bits * 3 < bits {
            return 0.0;
        }
        let (mut a, mut b, mut common) = (0, 0, 0_usize);
        while a < self.tokens.len() && b < other.tokens.len() {
            match self.tokens[a].cmp(&other.tokens[b]) {
                std::cmp::Ordering::Less => a += 1,
                std::cmp::Ordering::Greater => b += 1,
                std::cmp::Ordering::Equal => {
                    common += 1;
                    a += 1;
                    b += 1;
                }
            }
        }
        2.0 * common as f32 / (self.tokens.len() + other.tokens.len()) as f32
    }
}

/// Columns of indentation, a tab counting four.
pub(super) fn indent_of(text: &str) -> usize {
    let mut width = 0;
    for c in text.chars() {
        match c {
            ' ' => width += 1,
            '\t' => width += 4,
            _ => break,
        }
    }
    width
}

/// How often each exact text occurs.
pub(super) fn occurrences(lines: &[Line]) -> HashMap<u64, usize> {
    let mut counts = HashMap::new();
    for line in lines {
        *counts.entry(line.key).or_insert(0) += 1;
    }
    counts
}

fn weight(trimmed: &str) -> f32 {
    if trimmed.is_empty() {
        return 0.0;
    }
    let letters = trimmed.chars().filter(|c| c.is_alphanumeric()).count();
    match letters {
        0 => 0.3,
        1..=4 => 0.6,
        5..=9 => 0.85,
        _ => 1.0,
    }
}

fn hash_token(token: &str) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for byte in token.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    hash ^ (hash >> 15)
}

/// Words, and single other characters.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let length =
            if word(first) { rest.find(|c| !word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (token, tail) = rest.split_at(length);
        rest = tail;
        Some(token)
    })
}
