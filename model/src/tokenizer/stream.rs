//! Turns tokens into text one by one, without ever emitting half a character.

use super::Tokenizer;

/// Collects the bytes of tokens and gives back text as soon as it is made of whole characters.
///
/// The texts that [`push`](Self::push) and [`finish`](Self::finish) return, joined, equal [`Tokenizer::decode`] of
/// all tokens at once.
pub struct StreamDecoder<'t> {
    tokenizer: &'t Tokenizer,
    /// The beginning of a character whose end has not come yet: at most three bytes.
    pending: Vec<u8>,
}

impl<'t> StreamDecoder<'t> {
    /// A decoder at the beginning of a text.
    pub fn new(tokenizer: &'t Tokenizer) -> Self {
        Self { tokenizer, pending: Vec::new() }
    }

    /// Takes the next token; returns the characters that it completes, often none.
    pub fn push(&mut self, id: u32) -> String {
        self.pending.extend_from_slice(self.tokenizer.token_bytes(id));
        let mut text = String::new();
        let mut rest = self.pending.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, invalid) = rest.split_at(error.valid_up_to());
                    // Empty only if the library breaks its word: `valid` was just found to be UTF-8.
                    text.push_str(std::str::from_utf8(valid).unwrap_or_default());
                    rest = invalid;
                    let Some(length) = error.error_len() else { break };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &rest[length..];
                }
            }
        }
        let done = self.pending.len() - rest.len();
        self.pending.drain(..done);
        text
    }

    /// Ends the text: a character that was begun and never completed becomes U+FFFD.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}
