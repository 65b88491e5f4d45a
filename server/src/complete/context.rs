//! What of other files the model is shown: from the index of the workspace, the least valuable first.
//!
//! The server, the commands and the benchmarks all come this way.

use std::path::{Path, PathBuf};

use redraft_model::prompt::OtherFile;

use super::{Budget, Query};
use crate::index::{self, Chosen, Index};

/// The context of a session's completions, kept steady from one to the next.
#[derive(Debug, Default)]
pub struct Context {
    chosen: Chosen,
}

impl Context {
    /// What the cursor's scope can see, as much as the budget allows. `path` is the open file on disk, `shown` gives a
    /// file's path as the model should see it.
    pub fn others(
        &mut self,
        index: &Index,
        path: Option<&Path>,
        query: &Query,
        budget: Budget,
        shown: impl Fn(&Path) -> String,
    ) -> Vec<OtherFile> {
        if budget.others == 0 {
            return Vec::new();
        }
        let found = index.related(&index::Query {
            path,
            language: query.language,
            text: &query.text,
            tree: query.tree.as_ref(),
            cursor: query.cursor,
            // Of the file itself the model is shown what is near; the rest of a long one is little worth beside other files.
            shown: 0..query.text.len(),
        });
        let snippets = self.chosen.update(&found, budget.other_bytes(), |snippet| snippet.text.len() + 1);
        let mut files: Vec<OtherFile> = Vec::new();
        for snippet in snippets {
            let path = shown(&snippet.path);
            match files.last_mut().filter(|last| last.path == path) {
                Some(last) => {
                    last.text.push('\n');
                    last.text.push_str(&snippet.text);
                }
                None => files.push(OtherFile { path, text: snippet.text.clone() }),
            }
        }
        files
    }
}

/// A file's path in its workspace folder, as the model should see it, and the folder's name.
pub fn shown_path(folders: &[PathBuf], path: &Path) -> (String, String) {
    let inside = folders.iter().find_map(|folder| Some((path.strip_prefix(folder).ok()?, folder)));
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    match inside {
        Some((path, folder)) => (path.to_string_lossy().into_owned(), name(folder).unwrap_or_default()),
        None => (name(path).unwrap_or_default(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::IndexOptions;
    use redraft_grammars::Language;
    use ropey::Rope;

    #[track_caller]
    fn check(marked: &str, budget: usize, expected: &[(&str, &str)]) {
        let rust = Language::by_name("rust").unwrap();
        let cache = tempfile::tempdir().unwrap();
        let index = Index::new(IndexOptions { cache: cache.path().to_owned(), max_files: 9 });
        for (path, text) in [
            ("/w/shapes.rs", "/// An area.\npub fn area_of(w: u32, h: u32) -> u32 {\n    w * h\n}\n"),
            ("/w/lines.rs", "pub fn length_of(line: &Line) -> f32 {\n    0.0\n}\n\nfn unrelated() {}\n"),
        ] {
            let tree = rust.parse(text, None);
            index.buffer_changed(Path::new(path), Some(rust), &Rope::from_str(text), tree.as_ref());
        }
        let query = Query {
            file: "a".to_owned(),
            path: "a.rs".to_owned(),
            repository: String::new(),
            language: Some(rust),
            text: marked.replace("$0", ""),
            cursor: marked.find("$0").unwrap(),
            tree: None,
        };
        let budget = Budget { others: budget, ..Budget::default() };
        let shown = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let found = Context::default().others(&index, Some(Path::new("/w/a.rs")), &query, budget, shown);
        let found: Vec<_> = found.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
        assert_eq!(found, expected);
    }

    const AREA: (&str, &str) = ("shapes.rs", "/// An area.\npub fn area_of(w: u32, h: u32) -> u32");
    const LENGTH: (&str, &str) = ("lines.rs", "pub fn length_of(line: &Line) -> f32");

    #[test]
    fn the_nearest_names_stand_last_and_fill_the_budget_first() {
        let marked = "fn a() {\n    length_of(b);\n    area_of($0\n}\n";
        check(marked, 100, &[LENGTH, AREA]);
        check(marked, 25, &[AREA]);
        check(marked, 0, &[]);
        check("fn a() {\n    $0\n}\n", 100, &[]);
    }
}
