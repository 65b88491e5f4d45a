//! A tree-sitter grammar with its compiled queries.
//!
//! Queries are compiled once, at first use. One that does not compile is a defect of ours that the tests catch; at run
//! time it would yield nothing rather than end the server.

use std::ops::Range;
use std::sync::OnceLock;

use tree_sitter::{Parser, Query, QueryCursor, QueryError, StreamingIterator, Tree};

/// What a query looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryKind {
    /// Definitions, with their name and body.
    Items,
    /// Regions that hold a list of things.
    Scopes,
    /// Comments.
    Comments,
}

impl QueryKind {
    /// Every kind.
    pub const ALL: [QueryKind; 3] = [QueryKind::Items, QueryKind::Scopes, QueryKind::Comments];
}

/// A grammar and the source of its queries.
pub struct Grammar {
    language: fn() -> tree_sitter::Language,
    sources: [&'static str; 3],
    compiled: OnceLock<[Option<Query>; 3]>,
}

impl Grammar {
    pub(crate) const fn new(language: fn() -> tree_sitter::Language, sources: [&'static str; 3]) -> Self {
        Self { language, sources, compiled: OnceLock::new() }
    }

    /// The tree-sitter language.
    pub fn language(&self) -> tree_sitter::Language {
        (self.language)()
    }

    /// The source of one query, for those who keep what it found and must know when it changes.
    pub fn query_source(&self, kind: QueryKind) -> &'static str {
        self.sources[kind as usize]
    }

    /// Compiles one query afresh, for tests that want the reason when it fails.
    pub fn compile(&self, kind: QueryKind) -> Result<Query, QueryError> {
        Query::new(&self.language(), self.sources[kind as usize])
    }

    pub(crate) fn query(&self, kind: QueryKind) -> Option<&Query> {
        let compiled = self.compiled.get_or_init(|| QueryKind::ALL.map(|kind| self.compile(kind).ok()));
        compiled[kind as usize].as_ref()
    }

    pub(crate) fn parse_chunks<'t>(
        &self,
        mut chunk: impl FnMut(usize) -> &'t [u8],
        old: Option<&Tree>,
    ) -> Option<Tree> {
        let mut parser = Parser::new();
        parser.set_language(&self.language()).ok()?;
        parser.parse_with_options(&mut |at, _| chunk(at), old, None)
    }

    /// The ranges of all captures of a query, sorted, outer before inner.
    pub(crate) fn captured_ranges(&self, kind: QueryKind, tree: &Tree, text: &str) -> Vec<Range<usize>> {
        let Some(query) = self.query(kind) else { return Vec::new() };
        let mut cursor = QueryCursor::new();
        let mut captures = cursor.captures(query, tree.root_node(), text.as_bytes());
        let mut ranges = Vec::new();
        while let Some((found, index)) = captures.next() {
            ranges.push(found.captures[*index].node.byte_range());
        }
        ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        ranges.dedup();
        ranges
    }
}
