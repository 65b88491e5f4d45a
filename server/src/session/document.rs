//! One open document: its text as a rope, its tree, and a short memory of what it was.
//!
//! The client is believed where the specification lets it be vague (columns past the end of a line) and not where its
//! text must differ from ours (a range that starts beyond the end or runs backwards). Then the document is out of step:
//! nothing is applied to it until the client sends the whole text again.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;

use redraft_grammars::{InputEdit, Language, Point, Tree};
use ropey::Rope;
use url::Url;

use crate::text::{LineColumn, PositionEncoding};

/// Documents above this size are kept as text only: a parse would hold up typing.
pub const MAX_PARSED_BYTES: usize = 2 << 20;

/// How many earlier versions are remembered. A rope shares what did not change, so this costs little.
const HISTORY: usize = 32;

/// One change of `textDocument/didChange`; without a range it is the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What is replaced.
    pub range: Option<Range<LineColumn>>,
    /// The new text.
    pub text: String,
}

/// The client's text and ours differ, and only the whole text can help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Redraft and the editor no longer agree on the text of {name} (at version {version} the editor changed a place that \
     does not exist). Nothing will be applied to it until it is closed and opened again."
)]
pub struct OutOfStep {
    /// The document's file name.
    pub name: String,
    /// The version at which it was noticed.
    pub version: i32,
}

/// A document as it was at one moment. Cheap to clone, never changes.
#[derive(Clone, Debug)]
pub struct DocumentSnapshot {
    /// Its address.
    pub uri: Url,
    /// Its version, as counted by the client.
    pub version: i32,
    /// Its text.
    pub rope: Rope,
    /// Its language, when we know it.
    pub language: Option<Language>,
    /// Its tree, when its language has a grammar and it is not too large.
    pub tree: Option<Tree>,
}

impl DocumentSnapshot {
    /// The whole text.
    pub fn text(&self) -> String {
        String::from(&self.rope)
    }

    /// Where it lies on disk, if it does.
    pub fn path(&self) -> Option<PathBuf> {
        self.uri.to_file_path().ok()
    }

    /// The last part of its address, for messages.
    pub fn name(&self) -> String {
        file_name(&self.uri)
    }
}

/// The last part of an address, for messages.
fn file_name(uri: &Url) -> String {
    let last =
        uri.to_file_path().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    last.or_else(|| Some(uri.path().rsplit('/').next()?.to_owned())).unwrap_or_else(|| uri.to_string())
}

/// An open document; see the module's description.
#[derive(Debug)]
pub struct Document {
    now: DocumentSnapshot,
    before: VecDeque<(i32, Rope)>,
    out_of_step: Option<OutOfStep>,
}

impl Document {
    /// A document as the client opened it. The language comes from the client's id, or else from the file's name.
    pub fn new(uri: Url, language_id: &str, version: i32, text: &str) -> Self {
        let language = Language::from_lsp_id(language_id)
            .filter(|language| language.name() != "plaintext")
            .or_else(|| Language::from_path(uri.path()))
            .or_else(|| Language::from_lsp_id(language_id));
        let mut now = DocumentSnapshot { uri, version, rope: Rope::from_str(text), language, tree: None };
        now.tree = parse(&now.rope, language, None);
        Self { now, before: VecDeque::new(), out_of_step: None }
    }

    /// The document as it is.
    pub fn snapshot(&self) -> DocumentSnapshot {
        self.now.clone()
    }

    /// The document as it was at a version that is still remembered; without a tree.
    pub fn snapshot_at(&self, version: i32) -> Option<DocumentSnapshot> {
        if version == self.now.version {
            return Some(self.snapshot());
        }
        let (_, rope) = self.before.iter().find(|(earlier, _)| *earlier == version)?;
        Some(DocumentSnapshot { version, rope: rope.clone(), tree: None, ..self.now.clone() })
    }

    /// Set while the client's text is not ours.
    pub fn out_of_step(&self) -> Option<OutOfStep> {
        self.out_of_step.clone()
    }

    /// Takes in the changes of one notification, in order.
    pub fn change(
        &mut self,
        version: i32,
        changes: &[Change],
        encoding: PositionEncoding,
    ) -> Result<(), OutOfStep> {
        self.before.push_back((self.now.version, self.now.rope.clone()));
        if self.before.len() > HISTORY {
            self.before.pop_front();
        }
        // A version that is seen twice would name two texts; only the newer one counts from now on.
        self.before.retain(|(earlier, _)| *earlier < version);
        self.now.version = version;
        let mut tree = self.now.tree.take();
        let mut failed = None;
        for change in changes {
            match &change.range {
                None => {
                    self.now.rope = Rope::from_str(&change.text);
                    self.out_of_step = None;
                    tree = None;
                }
                Some(range) => match self.replace(range, &change.text, encoding) {
                    Some(edit) => {
                        if let Some(tree) = &mut tree {
                            tree.edit(&edit);
                        }
                    }
                    None => {
                        let error = OutOfStep { name: self.now.name(), version };
                        self.out_of_step.get_or_insert_with(|| error.clone());
                        failed = Some(error);
                    }
                },
            }
        }
        if has_lone_cr(changes) {
            tree = None;
        }
        self.now.tree = parse(&self.now.rope, self.now.language, tree.as_ref());
        failed.map_or(Ok(()), Err)
    }

    /// Replaces one range; `None` when it cannot be in a text like ours.
    fn replace(
        &mut self,
        range: &Range<LineColumn>,
        text: &str,
        encoding: PositionEncoding,
    ) -> Option<InputEdit> {
        let rope = &mut self.now.rope;
        if range.start > range.end || range.start.line as usize > rope.len_lines() {
            return None;
        }
        let start = encoding.to_byte(rope, range.start);
        let end = encoding.to_byte(rope, range.end).max(start);
        let (start_position, old_end_position) = (point(rope, start), point(rope, end));
        let (start_char, end_char) = (rope.byte_to_char(start), rope.byte_to_char(end));
        rope.remove(start_char..end_char);
        rope.insert(start_char, text);
        let new_end = start + text.len();
        Some(InputEdit {
            start_byte: start,
            old_end_byte: end,
            new_end_byte: new_end,
            start_position,
            old_end_position,
            new_end_position: point(rope, new_end),
        })
    }
}

/// tree-sitter's row and column: lines as the protocol counts them, columns in bytes.
fn point(rope: &Rope, byte: usize) -> Point {
    let row = rope.byte_to_line(byte);
    Point { row, column: byte - rope.line_to_byte(row) }
}

/// tree-sitter ends a line at LF only, we also at a lone CR: where one comes in, rows differ and the old tree is
/// of no use.
fn has_lone_cr(changes: &[Change]) -> bool {
    changes.iter().any(|change| {
        let bytes = change.text.as_bytes();
        bytes.iter().enumerate().any(|(at, byte)| *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'))
    })
}

fn parse(rope: &Rope, language: Option<Language>, old: Option<&Tree>) -> Option<Tree> {
    if rope.len_bytes() > MAX_PARSED_BYTES {
        return None;
    }
    let chunk = |at: usize| {
        if at >= rope.len_bytes() {
            return &[][..];
        }
        let (chunk, start, _, _) = rope.chunk_at_byte(at);
        &chunk.as_bytes()[at - start..]
    };
    language?.parse_chunks(chunk, old)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn document(language: &str, text: &str) -> Document {
        Document::new("file:///w/a.rs".parse().unwrap(), language, 1, text)
    }

    fn at(line: u32, column: u32) -> LineColumn {
        LineColumn { line, column }
    }

    fn replaced(range: Range<LineColumn>, text: &str) -> Change {
        Change { range: Some(range), text: text.to_owned() }
    }

    #[test]
    fn changes_are_taken_in_in_order() {
        let mut document = document("rust", "fn a() {}\n");
        let changes = [replaced(at(0, 3)..at(0, 4), "bc"), replaced(at(0, 5)..at(0, 5), "d")];
        document.change(2, &changes, PositionEncoding::Utf16).unwrap();
        let now = document.snapshot();
        assert_eq!((now.text().as_str(), now.version), ("fn bcd() {}\n", 2));
        assert_eq!(document.snapshot_at(1).unwrap().text(), "fn a() {}\n");
        assert!(document.snapshot_at(0).is_none());
    }

    #[test]
    fn the_language_is_the_clients_or_the_files() {
        assert_eq!(document("python", "").snapshot().language, Language::by_name("python"));
        assert_eq!(document("plaintext", "").snapshot().language, Language::by_name("rust"));
        let unknown = Document::new("untitled:Untitled-1".parse().unwrap(), "klingon", 0, "x");
        assert!(unknown.snapshot().language.is_none());
        assert!(unknown.snapshot().tree.is_none());
    }

    #[test]
    fn a_range_that_cannot_be_puts_the_document_out_of_step() {
        for range in [at(0, 5)..at(0, 1), at(9, 0)..at(9, 0), at(1, 0)..at(0, 0)] {
            let mut document = document("rust", "fn a() {}\n");
            document.change(2, &[replaced(range, "x")], PositionEncoding::Utf16).unwrap_err();
            assert!(document.out_of_step().unwrap().to_string().contains("a.rs"));
            // Later changes do not heal it, the whole text does.
            document.change(3, &[replaced(at(0, 0)..at(0, 0), "y")], PositionEncoding::Utf16).unwrap();
            assert!(document.out_of_step().is_some());
            let whole = Change { range: None, text: "whole\n".to_owned() };
            document.change(4, &[whole], PositionEncoding::Utf16).unwrap();
            assert!(document.out_of_step().is_none());
            assert_eq!(document.snapshot().text(), "whole\n");
        }
    }

    #[test]
    fn an_end_beyond_the_text_means_its_end() {
        let mut document = document("rust", "a\nb\n");
        document
            .change(2, &[replaced(at(0, 0)..at(u32::MAX, u32::MAX), "c\n")], PositionEncoding::Utf16)
            .unwrap();
        assert_eq!(document.snapshot().text(), "c\n");
    }

    #[test]
    fn a_version_that_goes_back_drops_what_it_would_confuse() {
        let mut document = document("rust", "a\n");
        document.change(5, &[replaced(at(0, 0)..at(0, 1), "b")], PositionEncoding::Utf16).unwrap();
        document.change(3, &[replaced(at(0, 0)..at(0, 1), "c")], PositionEncoding::Utf16).unwrap();
        assert_eq!(document.snapshot_at(3).unwrap().text(), "c\n");
        assert!(document.snapshot_at(5).is_none());
        assert_eq!(document.snapshot_at(1).unwrap().text(), "a\n");
    }

    #[test]
    fn a_huge_file_is_text_only() {
        let line = "fn a() { let x = 1; }\n";
        let mut document = document("rust", &line.repeat(MAX_PARSED_BYTES / line.len() + 1));
        assert!(document.snapshot().tree.is_none());
        document.change(2, &[replaced(at(0, 0)..at(0, 0), "//\n")], PositionEncoding::Utf16).unwrap();
        assert!(document.snapshot().text().starts_with("//\nfn"));
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "fn f() {}",
            "let x = \"é😀\";",
            "\n",
            "\r\n",
            "{",
            "}",
            " ",
            "// c\n",
            "\r",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// After any changes in any encoding, rope and tree are those of the text built the plain way.
        #[test]
        fn incremental_equals_fresh(
            start in pieces(),
            changes in prop::collection::vec((0u32..9, 0u32..20, 0u32..3, 0u32..20, pieces()), 1..8),
        ) {
            for encoding in [PositionEncoding::Utf8, PositionEncoding::Utf16, PositionEncoding::Utf32] {
                let mut document = document("rust", &start);
                let mut plain = start.clone();
                for (version, (line, column, lines, end_column, text)) in (2..).zip(&changes) {
                    let range = at(*line, *column)..at(line + lines, *end_column);
                    let rope = Rope::from_str(&plain);
                    let result = document.change(version, &[replaced(range.clone(), text)], encoding);
                    if result.is_ok() {
                        let from = encoding.to_byte(&rope, range.start);
                        let to = encoding.to_byte(&rope, range.end).max(from);
                        plain.replace_range(from..to, text);
                    }
                    let now = document.snapshot();
                    prop_assert_eq!(now.text(), plain.as_str());
                    let fresh = Language::by_name("rust").unwrap().parse(&plain, None).unwrap();
                    prop_assert_eq!(
                        now.tree.unwrap().root_node().to_sexp(),
                        fresh.root_node().to_sexp()
                    );
                }
            }
        }
    }
}
