//! Cuts text into the pieces inside which byte pairs are merged.
//!
//! Models publish this step as a regular expression. The few expressions in use are small, so they are written out
//! here as scanners: no regex engine with look-ahead is needed, and a file of 400 lines is cut in well under a
//! millisecond. Every scanner is checked against its expression by the tests below.
//!
//! A cut must never lose or change a character: the pieces, joined, are the text.

use unicode_general_category::{GeneralCategory, get_general_category};

/// The way a vocabulary's text was cut when it was made (`tokenizer.ggml.pre` in GGUF files).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PreTokenizer {
    /// GPT-2's expression:
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
    Gpt2,
    /// Every `\p{N}` on its own first, then GPT-2's expression on what lies between.
    Gpt2SingleDigits,
    /// The expression that Llama 3 and Qwen 2 share but for the number of digits in a piece:
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,max_digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|`
    /// `\s*[\r\n]+|\s+(?!\S)|\s+`.
    Cl100k {
        /// Digits that one piece may hold: 1 for Qwen 2, 3 for Llama 3.
        max_digits: usize,
    },
}

/// GGUF names, the cut each stands for, and whether a piece that is a whole token is taken without merging.
const KNOWN: &[(&str, PreTokenizer, bool)] = &[
    ("command-r", PreTokenizer::Gpt2SingleDigits, false),
    ("deepseek-r1-qwen", PreTokenizer::Cl100k { max_digits: 1 }, false),
    ("gpt-2", PreTokenizer::Gpt2, false),
    ("llama-bpe", PreTokenizer::Cl100k { max_digits: 3 }, true),
    ("llama-v3", PreTokenizer::Cl100k { max_digits: 3 }, true),
    ("llama3", PreTokenizer::Cl100k { max_digits: 3 }, true),
    ("mellum", PreTokenizer::Gpt2, false),
    ("phi-2", PreTokenizer::Gpt2, false),
    ("qwen2", PreTokenizer::Cl100k { max_digits: 1 }, false),
    ("refact", PreTokenizer::Gpt2SingleDigits, false),
    ("smaug-bpe", PreTokenizer::Cl100k { max_digits: 3 }, false),
    ("smollm", PreTokenizer::Gpt2SingleDigits, false),
    ("starcoder", PreTokenizer::Gpt2SingleDigits, false),
];

impl PreTokenizer {
    /// The cut with this GGUF name, and whether whole-token pieces skip merging.
    pub(super) fn by_name(name: &str) -> Option<(Self, bool)> {
        KNOWN.iter().find(|row| row.0 == name).map(|row| (row.1, row.2))
    }

    /// The names that [`Self::by_name`] knows, for error messages.
    pub(super) fn known_names() -> String {
        KNOWN.iter().map(|row| row.0).collect::<Vec<_>>().join(", ")
    }

    /// Calls `piece` with every piece of `text`, in order.
    pub(super) fn pieces<'t>(self, text: &'t str, mut piece: impl FnMut(&'t str)) {
        match self {
            Self::Gpt2 => each_piece(text, gpt2_piece, &mut piece),
            Self::Cl100k { max_digits } => {
                each_piece(text, |rest| cl100k_piece(rest, max_digits), &mut piece);
            }
            Self::Gpt2SingleDigits => {
                let mut rest = text;
                while !rest.is_empty() {
                    // A digit ends the text for GPT-2's look-ahead: this cut comes first.
                    let words = rest.find(char::is_numeric).unwrap_or(rest.len());
                    each_piece(&rest[..words], gpt2_piece, &mut piece);
                    rest = &rest[words..];
                    if let Some(digit) = rest.chars().next() {
                        piece(&rest[..digit.len_utf8()]);
                        rest = &rest[digit.len_utf8()..];
                    }
                }
            }
        }
    }
}

fn each_piece<'t>(text: &'t str, length: impl Fn(&str) -> usize, piece: &mut impl FnMut(&'t str)) {
    let mut rest = text;
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(length(rest));
        piece(head);
        rest = tail;
    }
}

/// Length in bytes of the first piece of a text that is not empty, by GPT-2's expression.
fn gpt2_piece(text: &str) -> usize {
    if let Some(length) = contraction(text, |c| c) {
        return length;
    }
    let body = text.strip_prefix(' ').unwrap_or(text);
    let space = text.len() - body.len();
    if let Some(first) = body.chars().next() {
        let class = Class::of(first);
        if class != Class::Space {
            return space + run(body, class);
        }
    }
    whitespace_piece(text)
}

/// Length in bytes of the first piece of a text that is not empty, by the expression of Llama 3 and Qwen 2.
fn cl100k_piece(text: &str, max_digits: usize) -> usize {
    if let Some(length) = contraction(text, fold) {
        return length;
    }
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return 0 };
    match Class::of(first) {
        Class::Letter => return run(text, Class::Letter),
        Class::Number => {
            return chars
                .take_while(|&c| Class::of(c) == Class::Number)
                .take(max_digits - 1)
                .fold(first.len_utf8(), |length, c| length + c.len_utf8());
        }
        Class::Space | Class::Other => {}
    }
    // One character that is no line break may stand before letters.
    let after = &text[first.len_utf8()..];
    if !matches!(first, '\r' | '\n') {
        let letters = run(after, Class::Letter);
        if letters > 0 {
            return first.len_utf8() + letters;
        }
    }
    // Signs, with a space before and line breaks after.
    let body = text.strip_prefix(' ').unwrap_or(text);
    let signs = run(body, Class::Other);
    if signs > 0 {
        let tail = &body[signs..];
        let breaks = tail.len() - tail.trim_start_matches(['\r', '\n']).len();
        return text.len() - body.len() + signs + breaks;
    }
    // Whitespace up to its last line break.
    let space = &text[..run(text, Class::Space)];
    if let Some(last) = space.rfind(['\r', '\n']) {
        return last + 1;
    }
    whitespace_piece(text)
}

/// `\s+(?!\S)|\s+`: leaves the last whitespace character to the word that follows it.
fn whitespace_piece(text: &str) -> usize {
    let length = run(text, Class::Space);
    if length == text.len() {
        return length;
    }
    let last = text[..length].chars().next_back().map_or(0, char::len_utf8);
    if length > last { length - last } else { length }
}

/// The English endings that both expressions take first: `'s 't 'm 'd 're 've 'll`.
fn contraction(text: &str, fold: impl Fn(char) -> char) -> Option<usize> {
    let mut chars = text.strip_prefix('\'')?.chars();
    let first = chars.next()?;
    match fold(first) {
        's' | 't' | 'm' | 'd' => Some(1 + first.len_utf8()),
        letter @ ('r' | 'v' | 'l') => {
            let wanted = if letter == 'l' { 'l' } else { 'e' };
            (fold(chars.next()?) == wanted).then_some(3)
        }
        _ => None,
    }
}

/// Simple case folding of the letters in [`contraction`]; the long s folds to s.
fn fold(c: char) -> char {
    if c == 'ſ' { 's' } else { c.to_ascii_lowercase() }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

impl Class {
    fn of(c: char) -> Self {
        match c {
            'a'..='z' | 'A'..='Z' => Self::Letter,
            '0'..='9' => Self::Number,
            ' ' | '\t'..='\r' => Self::Space,
            '\0'..='\x7f' => Self::Other,
            _ if c.is_whitespace() => Self::Space,
            _ => match get_general_category(c) {
                GeneralCategory::UppercaseLetter
                | GeneralCategory::LowercaseLetter
                | GeneralCategory::TitlecaseLetter
                | GeneralCategory::ModifierLetter
                | GeneralCategory::OtherLetter => Self::Letter,
                GeneralCategory::DecimalNumber
                | GeneralCategory::LetterNumber
                | GeneralCategory::OtherNumber => Self::Number,
                _ => Self::Other,
            },
        }
    }
}

/// Length in bytes of the characters of `class` that `text` begins with.
fn run(text: &str, class: Class) -> usize {
    text.find(|c| Class::of(c) != class).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::PreTokenizer;
    use proptest::prelude::*;
    use std::sync::LazyLock;
    use tokenizers::pre_tokenizers::{PreTokenizerWrapper, digits::Digits, sequence::Sequence, split::Split};
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, SplitDelimiterBehavior};
    use tokenizers::{PreTokenizer as _, pre_tokenizers::split::SplitPattern};

    const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    fn split(expression: &str) -> PreTokenizerWrapper {
        let pattern = SplitPattern::Regex(expression.to_owned());
        Split::new(pattern, SplitDelimiterBehavior::Isolated, false).unwrap().into()
    }

    /// The published expressions, run by the `tokenizers` crate.
    static REFERENCES: LazyLock<Vec<(&str, PreTokenizerWrapper)>> = LazyLock::new(|| {
        let single_digits = Sequence::new(vec![Digits::new(true).into(), split(GPT2)]);
        vec![
            ("gpt-2", split(GPT2)),
            ("smollm", single_digits.into()),
            ("qwen2", split(QWEN2)),
            ("llama-bpe", split(LLAMA3)),
        ]
    });

    fn reference_pieces(name: &str, text: &str) -> Vec<String> {
        let (_, reference) = REFERENCES.iter().find(|row| row.0 == name).unwrap();
        let mut pieces = PreTokenizedString::from(text);
        reference.pre_tokenize(&mut pieces).unwrap();
        let pieces = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
        pieces.into_iter().map(|(piece, _, _)| piece.to_owned()).collect()
    }

    fn check(text: &str) {
        for (name, _) in REFERENCES.iter() {
            let wanted = reference_pieces(name, text);
            let mut pieces = Vec::new();
            PreTokenizer::by_name(name).unwrap().0.pieces(text, |piece| pieces.push(piece));
            assert_eq!(pieces, wanted, "{name} on {text:?}");
        }
    }

    #[test]
    fn cuts_as_the_published_expressions_do() {
        for text in [
            "",
            " ",
            "  x",
            "\t\tx  \n\n  y\r\n",
            "don't DON'T we'Re 'ſ 'll' 'lx 'r",
            "x1234567 ²³ ٣٤ Ⅷ",
            "a\u{a0}\u{3000}b\u{85}c \u{2028} d",
            "// --- \n\n\n\tfoo();  \r\n\r\n",
            "e\u{301}tude 日本語 👩‍👩‍👧‍👦 !?",
            "1  2 ' 3",
            "\0\x01\x1c\x1f\u{7f}",
        ] {
            check(text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn cuts_any_dense_text_as_the_expressions_do(text in "[ \t\r\n'sStTrReEvVlLmMdD19aZ_(;ſ²é日\u{301}\u{a0}\u{3000}👩]{0,24}") {
            check(&text);
        }

        #[test]
        fn pieces_join_to_the_text(text in any::<String>()) {
            for (name, _) in REFERENCES.iter() {
                let mut joined = String::new();
                PreTokenizer::by_name(name).unwrap().0.pieces(&text, |piece| joined.push_str(piece));
                prop_assert_eq!(&joined, &text);
            }
        }
    }

    /// The tables are of Unicode 16, the reference's may be of another version: nearly all characters agree.
    #[test]
    fn classes_agree_with_the_reference() {
        let different = ('\u{80}'..='\u{2ffff}').step_by(7).filter(|c| {
            let text = format!("a{c}1{c}{c}a");
            let wanted = reference_pieces("qwen2", &text);
            let mut pieces = Vec::new();
            PreTokenizer::by_name("qwen2").unwrap().0.pieces(&text, |piece| pieces.push(piece));
            wanted != pieces
        });
        let different: Vec<char> = different.collect();
        assert!(different.len() < 1500, "{} characters, {:?} ...", different.len(), &different[..10]);
    }
}
