//! Between the protocol's types and ours.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;

use ropey::Rope;
use tower_lsp::lsp_types::{
    AnnotatedTextEdit, ChangeAnnotation, DocumentChanges, OneOf, OptionalVersionedTextDocumentIdentifier,
    Position, TextDocumentContentChangeEvent, TextDocumentEdit, TextEdit, Url, WorkspaceEdit,
    WorkspaceFolder,
};

use crate::session::Change;
use crate::text::{Edits, LineColumn, PositionEncoding};

/// The id under which a change annotation is referred to inside one edit.
const ANNOTATION: &str = "redraft";

pub(super) fn from_position(position: Position) -> LineColumn {
    LineColumn { line: position.line, column: position.character }
}

fn to_position(position: LineColumn) -> Position {
    Position { line: position.line, character: position.column }
}

/// The bytes of a range of the protocol. A range that runs backwards is read as the one between its ends.
pub(super) fn from_range(
    range: tower_lsp::lsp_types::Range,
    rope: &Rope,
    encoding: PositionEncoding,
) -> Range<usize> {
    let start = encoding.to_byte(rope, from_position(range.start));
    let end = encoding.to_byte(rope, from_position(range.end));
    start.min(end)..start.max(end)
}

pub(super) fn to_range(
    range: Range<usize>,
    rope: &Rope,
    encoding: PositionEncoding,
) -> tower_lsp::lsp_types::Range {
    let position = |byte| to_position(encoding.from_byte(rope, byte));
    tower_lsp::lsp_types::Range { start: position(range.start), end: position(range.end) }
}

pub(super) fn from_changes(changes: Vec<TextDocumentContentChangeEvent>) -> Vec<Change> {
    let range = |range: tower_lsp::lsp_types::Range| from_position(range.start)..from_position(range.end);
    changes.into_iter().map(|change| Change { range: change.range.map(range), text: change.text }).collect()
}

/// The folders that are on a disk.
pub(super) fn from_folders(folders: &[WorkspaceFolder]) -> Vec<PathBuf> {
    folders.iter().filter_map(|folder| folder.uri.to_file_path().ok()).collect()
}

/// Edits of one document, in the form that the client takes.
pub(super) struct EditForm<'a> {
    pub(super) uri: &'a Url,
    /// The version of the document that the edits are for; `None` for a file that is not open.
    pub(super) version: Option<i32>,
    pub(super) rope: &'a Rope,
    pub(super) encoding: PositionEncoding,
    /// Whether the client takes `documentChanges`.
    pub(super) document_changes: bool,
    /// Why a person should confirm the edits; only for clients that take annotations.
    pub(super) ask: Option<String>,
}

impl EditForm<'_> {
    /// The protocol's edit.
    pub(super) fn make(self, edits: &Edits) -> WorkspaceEdit {
        let text_edits = edits.hunks().iter().map(|hunk| TextEdit {
            range: to_range(hunk.range.clone(), self.rope, self.encoding),
            new_text: hunk.text.clone(),
        });
        if !self.document_changes {
            let changes = HashMap::from([(self.uri.clone(), text_edits.collect())]);
            return WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() };
        }
        let annotate = |text_edit| match &self.ask {
            Some(_) => OneOf::Right(AnnotatedTextEdit { text_edit, annotation_id: ANNOTATION.to_owned() }),
            None => OneOf::Left(text_edit),
        };
        let edit = TextDocumentEdit {
            text_document: OptionalVersionedTextDocumentIdentifier {
                uri: self.uri.clone(),
                version: self.version,
            },
            edits: text_edits.map(annotate).collect(),
        };
        let annotation = self.ask.as_ref().map(|why| ChangeAnnotation {
            label: "Apply suggestion".to_owned(),
            needs_confirmation: Some(true),
            description: Some(why.clone()),
        });
        WorkspaceEdit {
            document_changes: Some(DocumentChanges::Edits(vec![edit])),
            change_annotations: annotation
                .map(|annotation| HashMap::from([(ANNOTATION.to_owned(), annotation)])),
            ..WorkspaceEdit::default()
        }
    }
}
