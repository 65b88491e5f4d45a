//! Reading what an assistant pastes: snippets with elision markers, whole items, search/replace blocks, unified diffs
//! and whole files, in fences and prose or bare.
//!
//! Parsing is pure and total: any text gives either a typed [`Suggestion`] or a [`SuggestionError`] that says what is
//! missing. It never looks at the file; where a line could be a marker or code, both readings are kept.

mod blocks;
mod demand;
mod fence;
mod marker;

use thiserror::Error;

pub use marker::{Marker, read_marker};

/// A suggestion, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    /// The path of the file it is for, if it names one.
    pub target: Option<String>,
    /// What it says.
    pub body: Body,
    /// It came with chat prose around a fence: such text is often careless about whitespace and quotes.
    pub chatty: bool,
}

/// What a suggestion says.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Pieces of the edited file, each with or without elision markers.
    Snippets(Vec<Vec<Element>>),
    /// Search/replace blocks or the hunks of a diff: exact text to be found and put in its place.
    Hunks(Vec<Hunk>),
}

/// One line of a snippet.
#[derive(Debug, Clone, PartialEq)]
pub enum Element {
    /// A line of code.
    Line(String),
    /// A line that stands for code left out, or asks for more.
    Marker(Marker),
}

/// One exact replacement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Hunk {
    /// The lines, in order.
    pub lines: Vec<HunkLine>,
    /// The 1-based line of the old file where it claims to stand; assistants count badly, so this is a hint.
    pub line_hint: Option<usize>,
    /// The text after a diff's second `@@`, often the header of the enclosing item.
    pub section: Option<String>,
}

/// One line of a hunk.
#[derive(Debug, Clone, PartialEq)]
pub enum HunkLine {
    /// Stands in both files.
    Context(String),
    /// Stands in the old file only.
    Removed(String),
    /// Stands in the new file only.
    Added(String),
}

impl Hunk {
    /// The lines to be found in the old file.
    pub fn old(&self) -> Vec<&str> {
        self.lines
            .iter()
            .filter_map(|line| match line {
                HunkLine::Context(text) | HunkLine::Removed(text) => Some(text.as_str()),
                HunkLine::Added(_) => None,
            })
            .collect()
    }

    /// The lines that stand there afterwards.
    pub fn replacement(&self) -> Vec<&str> {
        self.lines
            .iter()
            .filter_map(|line| match line {
                HunkLine::Context(text) | HunkLine::Added(text) => Some(text.as_str()),
                HunkLine::Removed(_) => None,
            })
            .collect()
    }
}

impl Hunk {
    /// See [`Suggestion::demands`].
    fn demands(&self) -> Vec<&str> {
        let (old, new) = (self.old(), self.replacement());
        let demands = (0..new.len()).filter(|at| demand::is_demand(&new, *at)).map(|at| new[at]);
        demands.filter(|line| !old.contains(line)).collect()
    }
}

/// Why a text is no suggestion.
#[derive(Debug, Error, PartialEq)]
pub enum SuggestionError {
    /// Nothing there.
    #[error("the suggestion is empty: paste the assistant's code, diff or search/replace block")]
    Empty,
    /// Prose without code.
    #[error("the suggestion has no code in it, only prose: paste the assistant's code block too")]
    ProseOnly,
    /// A search/replace block that stops in the middle.
    #[error(
        "the search/replace block that starts on line {line} has no {missing:?} line: it was probably cut off"
    )]
    Truncated {
        /// 1-based line of the block's start.
        line: usize,
        /// What was not found.
        missing: &'static str,
    },
    /// A fence that is not closed right after it opens, or holds nothing.
    #[error("the code block is empty: paste the assistant's whole answer")]
    EmptyBlock,
    /// Only markers: nothing to change.
    #[error("the suggestion consists of elision markers only: it does not say what to change")]
    OnlyMarkers,
}

impl Suggestion {
    /// The suggestion without fences and prose, as a model reads it.
    pub fn code(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        match &self.body {
            Body::Snippets(blocks) => {
                for (number, block) in blocks.iter().enumerate() {
                    if number > 0 {
                        lines.push(String::new());
                    }
                    lines.extend(block.iter().map(|element| match element {
                        Element::Line(text) => text.clone(),
                        Element::Marker(marker) => marker.text.clone(),
                    }));
                }
            }
            Body::Hunks(hunks) => {
                for hunk in hunks {
                    lines.push("@@".into());
                    lines.extend(hunk.lines.iter().map(|line| match line {
                        HunkLine::Context(text) => format!(" {text}"),
                        HunkLine::Removed(text) => format!("-{text}"),
                        HunkLine::Added(text) => format!("+{text}"),
                    }));
                }
            }
        }
        lines.push(String::new());
        lines.join("\n")
    }

    /// Its comments that ask for more than it shows. No merge can carry them out.
    pub fn demands(&self) -> Vec<&str> {
        match &self.body {
            Body::Snippets(blocks) => {
                let markers = blocks.iter().flatten().filter_map(|element| match element {
                    Element::Marker(marker) if marker.demand => Some(marker.text.as_str()),
                    Element::Marker(_) | Element::Line(_) => None,
                });
                markers.collect()
            }
            Body::Hunks(hunks) => hunks.iter().flat_map(Hunk::demands).collect(),
        }
    }

    /// Whether it names exact text to replace.
    pub fn is_exact(&self) -> bool {
        matches!(self.body, Body::Hunks(_))
    }
}

/// Reads `text`. `language` (an LSP language id) settles lines that are a marker in one language and code in another;
/// `path` picks the parts meant for that file where the text is about several files.
pub fn parse(text: &str, language: Option<&str>, path: Option<&str>) -> Result<Suggestion, SuggestionError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(SuggestionError::Empty);
    }
    let lines: Vec<&str> = text.lines().collect();
    let document = fence::split(&lines, path)?;
    blocks::read(document, language)
}
