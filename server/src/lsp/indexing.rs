//! Feeds the index of the workspace: folders, documents as they are in the editor, files that change on disk, and where
//! the user is.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redraft_grammars::Language;
use serde_json::json;
use tower_lsp::lsp_types::Url;

use crate::index::{Index, IndexOptions, Visit, is_indexed};
use crate::session::{Change, Session};

/// The index, from the start of the session to its end.
pub(super) struct Indexing {
    /// Where stores lie; without such a folder nothing but open documents is indexed.
    cache: Option<PathBuf>,
    /// With the limit of files that it was made for.
    index: Mutex<Option<(Index, usize)>>,
}

impl Indexing {
    /// No index yet; its stores will lie in this folder.
    pub(super) fn new(cache: Option<PathBuf>) -> Self {
        Self { cache, index: Mutex::default() }
    }

    /// The index, once the session has begun.
    pub(super) fn index(&self) -> Option<Index> {
        self.slot().as_ref().map(|(index, _)| index.clone())
    }

    fn slot(&self) -> MutexGuard<'_, Option<(Index, usize)>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the index what the settings and folders of the session say. Open documents are in it in any case.
    pub(super) fn follow(&self, session: &Session) {
        let config = &session.config.index;
        let mut slot = self.slot();
        if slot.as_ref().is_none_or(|(_, max_files)| *max_files != config.max_files) {
            let cache = self.cache.clone().unwrap_or_default();
            let index = Index::new(IndexOptions { cache, max_files: config.max_files });
            for document in session.snapshots() {
                if let Some(path) = document.path() {
                    index.buffer_changed(&path, document.language, &document.rope, document.tree.as_ref());
                }
            }
            *slot = Some((index, config.max_files));
        }
        if let Some((index, _)) = &*slot {
            let on = config.enabled && self.cache.is_some();
            index.set_folders(if on { session.folders.clone() } else { Vec::new() });
        }
    }

    /// The connection has ended.
    pub(super) fn end(&self) {
        *self.slot() = None;
    }

    /// A document was opened or changed. The changes say where the user is.
    pub(super) fn document_changed(&self, session: &Session, uri: &Url, changes: &[Change]) {
        let (Some(index), Some(now)) = (self.index(), session.snapshot(uri)) else { return };
        let Some(path) = now.path() else { return };
        index.buffer_changed(&path, now.language, &now.rope, now.tree.as_ref());
        for change in changes {
            let Some(range) = &change.range else { continue };
            let start = range.start.line as usize;
            let lines = start..start + change.text.matches('\n').count() + 1;
            index.visited(&path, &now.rope, &lines, Visit::Edited);
        }
    }

    /// The cursor is on these lines of a document.
    pub(super) fn viewed(&self, session: &Session, uri: &Url, lines: &Range<usize>) {
        let (Some(index), Some(now)) = (self.index(), session.snapshot(uri)) else { return };
        if let Some(path) = now.path() {
            index.visited(&path, &now.rope, lines, Visit::Viewed);
        }
    }

    /// A document was closed.
    pub(super) fn document_closed(&self, uri: &Url) {
        if let (Some(index), Ok(path)) = (self.index(), uri.to_file_path()) {
            index.buffer_closed(&path);
        }
    }

    /// Files were written, made or taken away.
    pub(super) fn files_changed<'u>(&self, uris: impl IntoIterator<Item = &'u Url>) {
        if let Some(index) = self.index() {
            index.files_changed(uris.into_iter().filter_map(|uri| uri.to_file_path().ok()).collect());
        }
    }
}

/// The files whose changes the client is asked to announce.
pub(super) fn watchers() -> serde_json::Value {
    let indexed = Language::all().filter(|language| is_indexed(*language));
    let extensions: Vec<&str> = indexed.flat_map(|language| language.extensions().iter().copied()).collect();
    json!({ "watchers": [
        { "globPattern": format!("**/*.{{{}}}", extensions.join(",")) },
        { "globPattern": "**/.gitignore" },
    ]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{Query, Reason};
    use crate::text::LineColumn;
    use std::fs;

    /// Why something is related to a call of `name` in another file.
    fn related(indexing: &Indexing, name: &str) -> Vec<Reason> {
        let Some(index) = indexing.index() else { return Vec::new() };
        index.wait();
        let text = format!("fn f() {{ {name}() }}");
        let query = Query {
            path: None,
            language: Language::by_name("rust"),
            text: &text,
            tree: None,
            cursor: text.len() - 3,
            shown: 0..text.len(),
        };
        index.related(&query).iter().map(|snippet| snippet.reason).collect()
    }

    #[test]
    fn the_index_follows_settings_documents_and_files() {
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder.path().join("a.rs");
        fs::write(&path, "fn saved() {}\n").unwrap();
        let uri = Url::from_file_path(&path).unwrap();
        let mut session = Session::default();
        session.folders.push(folder.path().to_owned());
        let indexing = Indexing::new(Some(cache.path().to_owned()));
        session.config.index.enabled = false;
        indexing.follow(&session);
        assert!(related(&indexing, "saved").is_empty());

        session.config.index.enabled = true;
        indexing.follow(&session);
        assert_eq!(related(&indexing, "saved"), [Reason::Mentioned]);

        session.open(uri.clone(), "rust", 1, "// One.\n\nfn opened() {}\n");
        indexing.document_changed(&session, &uri, &[]);
        assert_eq!(related(&indexing, "opened"), [Reason::Mentioned]);
        assert!(related(&indexing, "saved").is_empty());

        let start = LineColumn { line: 2, column: 3 };
        let change = Change { range: Some(start..start), text: "re".to_owned() };
        session.change(&uri, 2, std::slice::from_ref(&change)).unwrap();
        indexing.document_changed(&session, &uri, &[change]);
        assert_eq!(related(&indexing, "reopened"), [Reason::Mentioned, Reason::Edited]);

        indexing.document_closed(&uri);
        fs::write(&path, "// One.\n\nfn written() {}\n").unwrap();
        indexing.files_changed([&uri]);
        assert_eq!(related(&indexing, "written"), [Reason::Mentioned, Reason::Edited]);

        session.open(uri.clone(), "rust", 1, "// One.\n\nfn opened_again() {}\n");
        indexing.document_changed(&session, &uri, &[]);
        session.config.index.enabled = false;
        indexing.follow(&session);
        assert_eq!(related(&indexing, "written"), [Reason::Edited]);
        assert_eq!(related(&indexing, "opened_again"), [Reason::Mentioned, Reason::Edited]);
        indexing.end();
        assert!(indexing.index().is_none());
    }

    #[test]
    fn what_is_indexed_is_watched() {
        let watchers = watchers().to_string();
        assert!(watchers.contains("rs") && watchers.contains("py") && watchers.contains("**/.gitignore"));
    }
}
