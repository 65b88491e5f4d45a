//! The request to fill in the middle of a file: the control tokens that models were trained with, and a request in words
//! for models that never were.
//!
//! What changes with each keystroke stands last: the text between the *anchor*, a place shortly before the cursor, and the
//! cursor itself is given as the beginning of the middle. So a keystroke costs its own tokens, and neither the text after
//! the cursor nor anything before it is read again.

use super::PromptFamily;
use super::rewrite::{ended, fence_around};
use crate::tokenizer::Tokenizer;

/// In which order a model wants what stands around the hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FimOrder {
    /// `prefix` text before the hole, `suffix` text after it, `middle`.
    PrefixFirst,
    /// `suffix` text after the hole, `prefix` text before it; the model goes on from there.
    SuffixFirst,
}

/// One family's tokens.
#[derive(Debug)]
pub struct FimFamily {
    /// The family's name.
    pub name: &'static str,
    /// Before the text in front of the hole.
    pub prefix: &'static str,
    /// Before the text behind the hole.
    pub suffix: &'static str,
    /// Where the model begins to write; none where the order alone says it.
    pub middle: Option<&'static str>,
    /// In which order the two texts come.
    pub order: FimOrder,
    /// Before a repository's name, where the model knows of repositories.
    pub repository: Option<&'static str>,
    /// Before each file's path, where the model knows of several files.
    pub file: Option<&'static str>,
}

/// The families, the more specific first.
pub const FIM_FAMILIES: &[FimFamily] = &[
    FimFamily {
        name: "qwen2.5-coder",
        prefix: "<|fim_prefix|>",
        suffix: "<|fim_suffix|>",
        middle: Some("<|fim_middle|>"),
        order: FimOrder::PrefixFirst,
        repository: Some("<|repo_name|>"),
        file: Some("<|file_sep|>"),
    },
    FimFamily {
        name: "starcoder2",
        prefix: "<fim_prefix>",
        suffix: "<fim_suffix>",
        middle: Some("<fim_middle>"),
        order: FimOrder::PrefixFirst,
        repository: Some("<repo_name>"),
        file: Some("<file_sep>"),
    },
    // StarCoder's first version, and Granite's code models, which took over its tokens.
    FimFamily {
        name: "starcoder",
        prefix: "<fim_prefix>",
        suffix: "<fim_suffix>",
        middle: Some("<fim_middle>"),
        order: FimOrder::PrefixFirst,
        repository: Some("<reponame>"),
        file: Some("<filename>"),
    },
    FimFamily {
        name: "granite",
        prefix: "<|fim_prefix|>",
        suffix: "<|fim_suffix|>",
        middle: Some("<|fim_middle|>"),
        order: FimOrder::PrefixFirst,
        repository: None,
        file: None,
    },
    FimFamily {
        name: "deepseek-coder",
        prefix: "<｜fim▁begin｜>",
        suffix: "<｜fim▁hole｜>",
        middle: Some("<｜fim▁end｜>"),
        order: FimOrder::PrefixFirst,
        repository: None,
        file: None,
    },
    FimFamily {
        name: "codellama",
        prefix: "▁<PRE>",
        suffix: "▁<SUF>",
        middle: Some("▁<MID>"),
        order: FimOrder::PrefixFirst,
        repository: None,
        file: None,
    },
    FimFamily {
        name: "codestral",
        prefix: "[PREFIX]",
        suffix: "[SUFFIX]",
        middle: None,
        order: FimOrder::SuffixFirst,
        repository: None,
        file: None,
    },
];

impl FimFamily {
    /// The family whose tokens the vocabulary has, all of them; `None` for a model that was never taught to fill in.
    pub fn of_tokenizer(tokenizer: &Tokenizer) -> Option<&'static Self> {
        FIM_FAMILIES.iter().find(|family| {
            let tokens = [family.middle, family.repository, family.file];
            let mut tokens = [family.prefix, family.suffix].into_iter().chain(tokens.into_iter().flatten());
            tokens.all(|token| tokenizer.special_id(token).is_some())
        })
    }
}

/// A part of another file, for a model to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherFile {
    /// Its path as the model should see it.
    pub path: String,
    /// The part.
    pub text: String,
}

/// A hole in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FimPrompt {
    /// The repository's name.
    pub repository: String,
    /// Parts of other files; the ones that stay longest should come first.
    pub others: Vec<OtherFile>,
    /// The file's path as the model should see it.
    pub path: String,
    /// The file's language id, for models that are asked in words.
    pub language: String,
    /// What a line's comment begins with in that language. Other files stand in such comments above the file: small models
    /// make more of them than of files in their own right, as which they stand where this is missing.
    pub comment: Option<&'static str>,
    /// The text up to the anchor.
    pub before: String,
    /// The text behind the hole.
    pub after: String,
    /// The text from the anchor to the cursor.
    pub written: String,
}

/// A hole as tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedFim {
    /// The prompt, without the word that the cursor stands in.
    pub tokens: Vec<u32>,
    /// That word as far as it is there: what the model's text has to begin with.
    pub begun: String,
    /// The middle ends before the first of these.
    pub stop: Option<String>,
}

impl FimPrompt {
    /// The prompt with a family's tokens, or in words where the model has none.
    pub fn render(
        &self,
        fim: Option<&FimFamily>,
        family: PromptFamily,
        tokenizer: &Tokenizer,
    ) -> RenderedFim {
        let (mut tokens, stop) = match fim {
            Some(fim) => (self.with_tokens(fim, tokenizer), None),
            None => {
                let (tokens, stop) = self.in_words(family, tokenizer);
                (tokens, Some(stop))
            }
        };
        let word = tokenizer.last_word(&self.written);
        tokens.extend(tokenizer.encode(&self.written[..word]));
        RenderedFim { tokens, begun: self.written[word..].to_owned(), stop }
    }

    fn with_tokens(&self, fim: &FimFamily, tokenizer: &Tokenizer) -> Vec<u32> {
        let mut tokens = Vec::new();
        let control = |text: &str| tokenizer.special_id(text);
        let apart = self.comment.is_none() && !self.others.is_empty();
        if let (Some(repository), Some(file), true) = (fim.repository, fim.file, apart) {
            tokens.extend(control(repository));
            tokens.extend(tokenizer.encode(&format!("{}\n", self.repository)));
            for other in &self.others {
                tokens.extend(control(file));
                tokens.extend(tokenizer.encode(&format!("{}\n{}\n", other.path, other.text.trim_end())));
            }
            tokens.extend(control(file));
            tokens.extend(tokenizer.encode(&format!("{}\n", self.path)));
        }
        let before = match self.comment {
            Some(comment) => format!("{}{}", self.in_comments(comment), self.before),
            // A model that knows of one file only sees the others as its beginning.
            None if fim.file.is_none() => {
                let others = self.others.iter().map(|other| format!("{}\n{}\n\n", other.path, other.text));
                format!("{}{}", others.collect::<String>(), self.before)
            }
            None => self.before.clone(),
        };
        let parts = match fim.order {
            FimOrder::PrefixFirst => [(fim.prefix, &before), (fim.suffix, &self.after)],
            FimOrder::SuffixFirst => [(fim.suffix, &self.after), (fim.prefix, &before)],
        };
        for (token, text) in parts {
            tokens.extend(control(token));
            tokens.extend(tokenizer.encode(text));
        }
        tokens.extend(fim.middle.and_then(control));
        tokens
    }

    /// The other files as lines of comment, empty ones left as they are.
    fn in_comments(&self, comment: &str) -> String {
        let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{comment} {line}\n") };
        let others = self.others.iter().map(|other| {
            let text: String = other.text.trim_end().lines().map(line).collect();
            format!("{comment} {}:\n{text}", other.path)
        });
        others.collect()
    }

    /// The request as a chat: the model is shown the file and asked to write its part from the anchor on.
    fn in_words(&self, family: PromptFamily, tokenizer: &Tokenizer) -> (Vec<u32>, String) {
        let fence = fence_around(&[&self.before, &self.after, &self.written]);
        let (turns, language) = (family.turns(), self.language.as_str());
        let others = self
            .others
            .iter()
            .map(|other| format!("From `{}`:\n{fence}\n{}\n{fence}\n\n", other.path, other.text.trim_end()));
        let request = format!(
            "{}The file `{}` as far as it is written:\n{fence}{language}\n{}{HOLE}\n{}{fence}\n\n{ASK}",
            others.collect::<String>(),
            self.path,
            self.before,
            ended(self.after.trim_start_matches('\n')),
        );
        let mut tokens = tokenizer.encode_with_special(turns.system);
        tokens.extend(tokenizer.encode(COMPLETE));
        tokens.extend(tokenizer.encode_with_special(turns.user));
        tokens.extend(tokenizer.encode(&request));
        tokens.extend(tokenizer.encode_with_special(turns.assistant));
        tokens.extend(tokenizer.encode(&format!("{fence}{language}\n")));
        (tokens, format!("\n{fence}"))
    }
}

const COMPLETE: &str = "You complete source files. You answer with the missing code and nothing else.";
const HOLE: &str = "<missing code>";
const ASK: &str = "Write the code that belongs in place of `<missing code>`.";
