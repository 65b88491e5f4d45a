//! The control tokens with which models were trained to fill in the middle of a file.

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
