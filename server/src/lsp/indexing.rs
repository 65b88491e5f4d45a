//! Feeds the index of the workspace: folders, documents as they are in the editor, files that change on disk, and where
//! the user is.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redraft_grammars::Language;
use serde_json::json;
use tower_lsp::lsp_types::Url;

use crate::index::{Index, IndexOptions, Visit, is_indexed};
use crate::session::{Change, IndexConfig, Session};

/// The index, while there is one.
pub(super) struct Indexing {
    /// Where stores lie; without such a folder nothing is indexed.
    cache: Option<PathBuf>,
    /// With the settings that it was made for.
    index: Mutex<Option<(Index, IndexConfig)>>,
}

impl Indexing {
    /// No index yet; its stores will lie in this folder.
    pub(super) fn new(cache: Option<PathBuf>) -> Self {
        Self { cache, index: Mutex::default() }
    }

    /// The index, if the workspace is indexed.
    pub(super) fn index(&self) -> Option<Index> {
        self.slot().as_ref().map(|(index, _)| index.clone())
    }

    fn slot(&self) -> MutexGuard<'_, Option<(Index, IndexConfig)>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the index what the settings and folders of the session say: begun, told of other folders, or ended.
    pub(super) fn follow(&self, session: &Session) {
        let config = &session.config.index;
        let mut slot = self.slot();
        if slot.as_ref().is_some_and(|(_, made_for)| made_for != config) {
            *slot = None;
        }
        let Some(cache) = self.cache.as_ref().filter(|_| config.enabled) else { return };
        if slot.is_none() {
            let index = Index::new(IndexOptions { cache: cache.clone(), max_files: config.max_files });
            for document in session.snapshots() {
                if let Some(path) = document.path() {
                    index.buffer_changed(&path, document.language, &document.rope, document.tree.as_ref());
                }
            }
            *slot = Some((index, config.clone()));
        }
        if let Some((index, _)) = &*slot {
            index.set_folders(session.folders.clone());
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
        assert!(indexing.index().is_none());

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

        session.config.index.enabled = false;
        indexing.follow(&session);
        assert!(indexing.index().is_none());
    }

    #[test]
    fn what_is_indexed_is_watched() {
        let watchers = watchers().to_string();
        assert!(watchers.contains("rs") && watchers.contains("py") && watchers.contains("**/.gitignore"));
    }
}
