//! What Redraft knows about languages: which file is which language, how its comments look, and for the languages with
//! a tree-sitter grammar, the syntax tree and the items in it.
//!
//! Text goes in as bytes and ranges come out as bytes. This crate never sees LSP positions or ropes, and it never
//! guesses: a language without a grammar has no tree, and callers work on lines instead.

mod grammar;
mod items;
mod table;

pub use grammar::{Grammar, QueryKind};
pub use items::{Item, ItemKind};

use std::fmt;
use std::ops::Range;
use std::path::Path;

use items::Reach;

pub use tree_sitter::{InputEdit, Point, Tree};

/// One language of the table. Cheap to copy; two handles are equal when they name the same row.
#[derive(Clone, Copy)]
pub struct Language {
    row: &'static table::Row,
}

/// How deep items stand that other files can see: members of a class stand directly in its body; header guards,
/// conditions, exports and decorators make it a little more.
const OUTER_DEPTH: u32 = 4;
/// Languages whose grammars wrap each item once more.
const DEEP: [&str; 2] = ["graphql", "nix"];

impl Language {
    /// Every language of the table, in the table's order.
    pub fn all() -> impl Iterator<Item = Language> {
        table::ROWS.iter().map(|row| Language { row })
    }

    /// The language of a file, by its whole name first (`Makefile`, `Cargo.lock`) and by its extension then.
    /// Extensions are compared without regard to case.
    pub fn from_path(path: impl AsRef<Path>) -> Option<Language> {
        let path = path.as_ref();
        let name = path.file_name()?.to_str()?;
        if let Some(found) = Self::all().find(|l| l.row.filenames.contains(&name)) {
            return Some(found);
        }
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Self::all().find(|l| l.row.extensions.contains(&extension.as_str()))
    }

    /// The language for the `languageId` of an LSP `textDocument/didOpen`.
    pub fn from_lsp_id(id: &str) -> Option<Language> {
        Self::all().find(|l| l.row.lsp_ids.contains(&id))
    }

    /// The language with this name, as people write it after a Markdown fence: the name itself, an LSP id or a file
    /// extension, in any case.
    pub fn by_name(name: &str) -> Option<Language> {
        let name = name.trim().to_ascii_lowercase();
        Self::all()
            .find(|l| l.row.name == name)
            .or_else(|| Self::from_lsp_id(&name))
            .or_else(|| Self::all().find(|l| l.row.extensions.contains(&name.as_str())))
    }

    /// The language's name, for example `rust`. It is also what stands after a Markdown fence.
    pub fn name(self) -> &'static str {
        self.row.name
    }

    /// File extensions, lower case, without the dot.
    pub fn extensions(self) -> &'static [&'static str] {
        self.row.extensions
    }

    /// `languageId`s of LSP clients for this language.
    pub fn lsp_ids(self) -> &'static [&'static str] {
        self.row.lsp_ids
    }

    /// Tokens that start a comment up to the end of the line; the first is the usual one.
    pub fn line_comments(self) -> &'static [&'static str] {
        self.row.line_comments
    }

    /// Pairs of tokens around a block comment; the first is the usual one.
    pub fn block_comments(self) -> &'static [(&'static str, &'static str)] {
        self.row.block_comments
    }

    /// Whether files are preprocessed before they are parsed. Their trees show the items well, but what a tree calls an
    /// error may be a macro.
    pub fn is_preprocessed(self) -> bool {
        matches!(self.row.name, "c" | "cpp" | "cuda" | "objective-c" | "objective-cpp" | "csharp")
    }

    /// The tree-sitter grammar with its queries, for the languages that have one.
    pub fn grammar(self) -> Option<&'static Grammar> {
        self.row.grammar
    }

    /// Parses `text`. With `old`, a tree of the former text to which every edit was told by [`Tree::edit`], only the
    /// changed parts are read again. `None` when the language has no grammar.
    pub fn parse(self, text: impl AsRef<[u8]>, old: Option<&Tree>) -> Option<Tree> {
        let text = text.as_ref();
        self.parse_chunks(|at| text.get(at..).unwrap_or_default(), old)
    }

    /// Like [`Language::parse`] for text that lies in pieces: `chunk(at)` gives some bytes that begin at the offset
    /// `at`, and nothing at the end.
    pub fn parse_chunks<'t>(self, chunk: impl FnMut(usize) -> &'t [u8], old: Option<&Tree>) -> Option<Tree> {
        self.grammar()?.parse_chunks(chunk, old)
    }

    /// The items of a file in the order of their start, an outer item before those inside it. Empty when the language
    /// has no grammar.
    pub fn items(self, tree: &Tree, text: &str) -> Vec<Item> {
        self.grammar().map_or_else(Vec::new, |grammar| items::items(grammar, tree, text, Reach::All))
    }

    /// The items that other files can see, in a fraction of the time: those in the bodies of functions are not looked
    /// for.
    pub fn outer_items(self, tree: &Tree, text: &str) -> Vec<Item> {
        let depth = if DEEP.contains(&self.name()) { OUTER_DEPTH + 1 } else { OUTER_DEPTH };
        self.grammar().map_or_else(Vec::new, |grammar| items::items(grammar, tree, text, Reach::Outer(depth)))
    }

    /// Byte ranges of the regions that hold a list of things (file, block, body), outer before inner.
    pub fn scopes(self, tree: &Tree, text: &str) -> Vec<Range<usize>> {
        self.grammar().map_or_else(Vec::new, |g| g.captured_ranges(QueryKind::Scopes, tree, text))
    }

    /// Byte ranges of all comments.
    pub fn comments(self, tree: &Tree, text: &str) -> Vec<Range<usize>> {
        self.grammar().map_or_else(Vec::new, |g| g.captured_ranges(QueryKind::Comments, tree, text))
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.row.name == other.row.name
    }
}

impl Eq for Language {}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Language({})", self.name())
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether the parser met anything it could not understand.
pub fn has_errors(tree: &Tree) -> bool {
    tree.root_node().has_error()
}

/// Byte ranges of what the parser could not understand, in order: every error node, and an empty range for
/// each token that is missing.
pub fn error_ranges(tree: &Tree) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        if node.is_error() || node.is_missing() {
            ranges.push(node.byte_range());
        }
        if node.has_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return ranges;
            }
        }
    }
}
