//! Text to tokens and back, by the vocabulary that a GGUF file carries: byte-level BPE.
//!
//! The tokenizer is our own (the merging is some sixty lines, see `bpe`) because building it stands between a person
//! and the first token: the `tokenizers` crate takes several times as long for a vocabulary of 151,936 tokens, and
//! encodes several times slower. It is checked against that crate.
//!
//! What must never happen here: text that changes on its way through (`decode(encode(x)) == x` byte for byte, so no
//! Unicode normalization), and a user's text that turns into a control token (`encode` knows none).

mod bpe;
mod pretokenize;
mod stream;

pub use stream::StreamDecoder;

use bpe::{Merges, Scratch};
use candle_core::quantized::gguf_file::{Content, Value};
use pretokenize::PreTokenizer;
use rustc_hash::FxHashMap;

/// Why a file's tokenizer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The metadata lacks something, or it has another type than the format says.
    #[error(
        "the model file's metadata has no usable `{0}`: the file is damaged, or was made by a very old converter"
    )]
    Metadata(&'static str),
    /// Not a byte-level BPE vocabulary.
    #[error(
        "the model's tokenizer is of kind `{0}`; Redraft reads byte-level BPE (`gpt2`), as Qwen 2 and 3, Llama 3 and SmolLM have it"
    )]
    UnsupportedKind(String),
    /// The vocabulary's way of cutting text is not known here; guessing would give wrong tokens without a sign.
    #[error("the model's pre-tokenizer `{name}` is not known; known ones: {known}")]
    UnknownPreTokenizer {
        /// `tokenizer.ggml.pre` of the file.
        name: String,
        /// Those that would work.
        known: String,
    },
    /// A merge rule that does not fit the vocabulary.
    #[error("merge rule {index} of the model file (`{rule}`) names a token that is not in its vocabulary")]
    BadMerge {
        /// Its place in `tokenizer.ggml.merges`.
        index: usize,
        /// The rule as written.
        rule: String,
    },
}

/// `tokenizer.ggml.token_type` of ordinary tokens, and of single bytes in some vocabularies.
const NORMAL: i64 = 1;
const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const BYTE: i64 = 6;

/// Tokens that end a text in the model families that we know, besides the one that the file names. The last three
/// separate files in fill-in-the-middle training.
const END_TOKENS: &[&str] = &[
    "<|endoftext|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|eom_id|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
];

/// A model's vocabulary, ready to encode and decode.
pub struct Tokenizer {
    /// The bytes of all tokens, one after the other; token `id` ends at `ends[id]`.
    bytes: Vec<u8>,
    ends: Vec<u32>,
    merges: Merges,
    cut: PreTokenizer,
    /// Pieces that are tokens as a whole, for vocabularies that take those without merging.
    whole: Option<FxHashMap<Box<[u8]>, u32>>,
    /// Control tokens and their ids, the longest first.
    special: Vec<(String, u32)>,
    /// Their ids, ascending.
    special_ids: Vec<u32>,
    eos: Vec<u32>,
}

impl Tokenizer {
    /// Builds the tokenizer that a GGUF file describes in its metadata.
    pub fn from_gguf(content: &Content) -> Result<Self, TokenizerError> {
        let kind = string(content, "tokenizer.ggml.model")?;
        if kind != "gpt2" {
            return Err(TokenizerError::UnsupportedKind(kind.to_owned()));
        }
        let pre = content.metadata.get("tokenizer.ggml.pre");
        let pre = pre.and_then(|value| value.to_string().ok()).map_or("(none named)", String::as_str);
        let (cut, whole_tokens_first) = PreTokenizer::by_name(pre).ok_or_else(|| {
            TokenizerError::UnknownPreTokenizer { name: pre.to_owned(), known: PreTokenizer::known_names() }
        })?;

        let tokens = strings(content, "tokenizer.ggml.tokens")?;
        let types = token_types(content, tokens.len())?;
        let vocabulary = Vocabulary::new(&tokens, &types);
        let merges = vocabulary.merges(&strings(content, "tokenizer.ggml.merges")?)?;
        let whole = whole_tokens_first.then(|| vocabulary.whole_tokens());

        let mut special: Vec<(String, u32)> = (0..)
            .zip(&types)
            .zip(&tokens)
            .filter(|((_, kind), text)| matches!(**kind, CONTROL | USER_DEFINED) && !text.is_empty())
            .map(|((id, _), text)| ((*text).to_owned(), id))
            .collect();
        special.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        let mut special_ids: Vec<u32> = special.iter().map(|row| row.1).collect();
        special_ids.sort_unstable();

        let mut eos: Vec<u32> = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"]
            .iter()
            .filter_map(|key| content.metadata.get(*key)?.to_u32().ok())
            .chain(special.iter().filter(|(text, _)| END_TOKENS.contains(&text.as_str())).map(|row| row.1))
            .filter(|&id| (id as usize) < tokens.len())
            .collect();
        eos.sort_unstable();
        eos.dedup();

        let Vocabulary { bytes, ends, .. } = vocabulary;
        Ok(Self { bytes, ends, merges, cut, whole, special, special_ids, eos })
    }

    /// The tokens of plain text. Text that looks like a control token is plain text too.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        self.encode_into(text, &mut Scratch::default(), &mut ids);
        ids
    }

    /// The tokens of a template: control tokens written in it (`<|im_start|>`) become those tokens.
    ///
    /// For our own templates only, never for anything that a user or a model wrote.
    pub fn encode_with_special(&self, template: &str) -> Vec<u32> {
        let (mut ids, mut scratch) = (Vec::new(), Scratch::default());
        let mut plain_from = 0;
        let mut at = 0;
        while at < template.len() {
            let rest = &template[at..];
            if let Some((text, id)) = self.special.iter().find(|(text, _)| rest.starts_with(text.as_str())) {
                self.encode_into(&template[plain_from..at], &mut scratch, &mut ids);
                ids.push(*id);
                at += text.len();
                plain_from = at;
            } else {
                at += rest.chars().next().map_or(1, char::len_utf8);
            }
        }
        self.encode_into(&template[plain_from..], &mut scratch, &mut ids);
        ids
    }

    fn encode_into(&self, text: &str, scratch: &mut Scratch, ids: &mut Vec<u32>) {
        self.cut.pieces(text, |piece| {
            if let Some(id) = self.whole.as_ref().and_then(|whole| whole.get(piece.as_bytes())) {
                ids.push(*id);
            } else {
                self.merges.encode(piece.as_bytes(), scratch, ids);
            }
        });
    }

    /// The first byte of `text` that the vocabulary has no token for.
    ///
    /// Some vocabularies (SmolLM's) lack a few control characters: `encode` leaves those out, so a text that holds
    /// one cannot be rewritten exactly.
    pub fn missing_byte(&self, text: &str) -> Option<u8> {
        text.bytes().find(|&byte| !self.merges.has_byte(byte))
    }

    /// Where the last word of a text begins, as the vocabulary cuts text into words: what comes next may change its tokens.
    pub fn last_word(&self, text: &str) -> usize {
        let mut start = 0;
        let mut end = 0;
        self.cut.pieces(text, |piece| (start, end) = (end, end + piece.len()));
        start
    }

    /// Whether a token is a control token, which never is part of a text.
    pub fn is_special(&self, id: u32) -> bool {
        self.special_ids.binary_search(&id).is_ok()
    }

    /// The id of a control token.
    pub fn special_id(&self, text: &str) -> Option<u32> {
        self.special.iter().find(|row| row.0 == text).map(|row| row.1)
    }

    /// The text of tokens; bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.token_bytes(id)).copied().collect();
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// The bytes of one token: part of a character, or many. Empty for an id outside the vocabulary.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let Some(&end) = self.ends.get(id) else { return &[] };
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start as usize..end as usize]
    }

    /// The tokens after which a text is finished, in ascending order.
    pub fn eos_ids(&self) -> &[u32] {
        &self.eos
    }

    /// How many tokens there are, padding included: the width of the model's logits.
    pub fn vocab_size(&self) -> usize {
        self.ends.len()
    }
}

/// The tokens as they are written in the file, and the bytes that they stand for.
struct Vocabulary<'t> {
    tokens: &'t [&'t str],
    /// Ordinary tokens, by how they are written.
    by_text: FxHashMap<&'t str, u32>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl<'t> Vocabulary<'t> {
    fn new(tokens: &'t [&'t str], types: &[i64]) -> Self {
        let mut by_text = FxHashMap::with_capacity_and_hasher(tokens.len(), rustc_hash::FxBuildHasher);
        let mut bytes = Vec::with_capacity(tokens.len() * 8);
        let mut ends = Vec::with_capacity(tokens.len());
        for ((id, &text), &kind) in (0..).zip(tokens).zip(types) {
            if matches!(kind, NORMAL | BYTE) {
                by_text.insert(text, id);
                for c in text.chars() {
                    match byte_of(c) {
                        Some(byte) => bytes.push(byte),
                        None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    }
                }
            } else {
                bytes.extend_from_slice(text.as_bytes());
            }
            ends.push(bytes.len() as u32);
        }
        Self { tokens, by_text, bytes, ends }
    }

    fn merges(&self, rules: &[&str]) -> Result<Merges, TokenizerError> {
        let mut joined = String::new();
        let mut ids = Vec::with_capacity(rules.len());
        // Tokens usually stand in the order of the rules that make them: one look at the next one saves a search.
        let mut next = 0;
        for (index, rule) in rules.iter().enumerate() {
            let found = rule.split_once(' ').and_then(|(left, right)| {
                joined.clear();
                joined.push_str(left);
                joined.push_str(right);
                if self.tokens.get(next as usize) != Some(&joined.as_str()) {
                    next = *self.by_text.get(joined.as_str())?;
                }
                let both = next;
                next += 1;
                Some((*self.by_text.get(left)?, *self.by_text.get(right)?, both))
            });
            ids.push(found.ok_or_else(|| TokenizerError::BadMerge { index, rule: (*rule).to_owned() })?);
        }
        let mut bytes = [None; 256];
        for c in (0..).map_while(char::from_u32).take(0x144) {
            if let Some(byte) = byte_of(c) {
                bytes[usize::from(byte)] = self.by_text.get(c.encode_utf8(&mut [0; 4]) as &str).copied();
            }
        }
        Ok(Merges::new(ids.into_iter(), bytes))
    }

    fn whole_tokens(&self) -> FxHashMap<Box<[u8]>, u32> {
        let bytes = |id: u32| {
            let start = if id == 0 { 0 } else { self.ends[id as usize - 1] };
            &self.bytes[start as usize..self.ends[id as usize] as usize]
        };
        self.by_text.values().map(|&id| (bytes(id).into(), id)).collect()
    }
}

/// The byte that a character of the vocabulary stands for. Byte-level vocabularies write printable Latin-1 as
/// itself and the other 68 bytes, in order, as the characters from U+0100.
fn byte_of(c: char) -> Option<u8> {
    match u32::from(c) {
        code @ (0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff) => u8::try_from(code).ok(),
        code @ 0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        code @ 0x121..=0x142 => u8::try_from(code - 0x121 + 0x7f).ok(),
        0x143 => Some(0xad),
        _ => None,
    }
}

fn string<'c>(content: &'c Content, key: &'static str) -> Result<&'c str, TokenizerError> {
    let value = content.metadata.get(key).and_then(|value| value.to_string().ok());
    value.map(String::as_str).ok_or(TokenizerError::Metadata(key))
}

fn array<'c>(content: &'c Content, key: &'static str) -> Result<&'c [Value], TokenizerError> {
    let value = content.metadata.get(key).and_then(|value| value.to_vec().ok());
    value.map(Vec::as_slice).ok_or(TokenizerError::Metadata(key))
}

fn strings<'c>(content: &'c Content, key: &'static str) -> Result<Vec<&'c str>, TokenizerError> {
    let text =
        |value: &'c Value| value.to_string().map(String::as_str).map_err(|_| TokenizerError::Metadata(key));
    array(content, key)?.iter().map(text).collect()
}

fn token_types(content: &Content, count: usize) -> Result<Vec<i64>, TokenizerError> {
    const KEY: &str = "tokenizer.ggml.token_type";
    let number = |value: &Value| match value {
        Value::I32(kind) => Some(i64::from(*kind)),
        other => other.to_i64().ok().or_else(|| other.to_u32().ok().map(i64::from)),
    };
    let types: Option<Vec<i64>> = array(content, KEY)?.iter().map(number).collect();
    types.filter(|types| types.len() == count).ok_or(TokenizerError::Metadata(KEY))
}

#[cfg(test)]
pub(crate) mod tests;
