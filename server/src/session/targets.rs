//! Which file a suggestion is meant for, when it only says so in passing.
//!
//! A path that a text names counts when an open document has it, or when a file inside a workspace folder does; a path
//! that leads out of the folders never counts. Without a path, open documents are compared with the suggestion.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use redraft_grammars::Language;

use super::document::DocumentSnapshot;

/// A file that a suggestion may be for.
#[derive(Clone, Debug)]
pub enum Target {
    /// A document that is open.
    Open(DocumentSnapshot),
    /// A file on disk.
    Disk(PathBuf),
}

/// The open documents that a path hint means: the named folders must agree from the end.
fn named<'d>(hint: &str, documents: &'d [DocumentSnapshot]) -> Vec<&'d DocumentSnapshot> {
    let wanted: Vec<&str> = hint.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").collect();
    let fits = |document: &&DocumentSnapshot| {
        let path = document.path().unwrap_or_else(|| PathBuf::from(document.uri.path()));
        let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        !wanted.is_empty() && parts.ends_with(&wanted)
    };
    documents.iter().filter(fits).collect()
}

/// The open documents that a suggestion is for: those that the first fitting hint names, or else the one that shares
/// most with the suggestion's text. Several are given when nothing tells them apart.
pub fn open_targets(
    hints: &[String],
    language: Option<Language>,
    suggestion: &str,
    documents: &[DocumentSnapshot],
) -> Vec<DocumentSnapshot> {
    for hint in hints {
        let found = named(hint, documents);
        if !found.is_empty() {
            return found.into_iter().cloned().collect();
        }
    }
    if !hints.is_empty() {
        return Vec::new();
    }
    let lines: HashSet<&str> = suggestion.lines().map(str::trim).filter(|line| tells(line)).collect();
    let mut best: Vec<&DocumentSnapshot> = Vec::new();
    let mut best_share = 0;
    for document in documents {
        if language.is_some() && document.language != language {
            continue;
        }
        let text = document.text();
        let share = text.lines().map(str::trim).collect::<HashSet<_>>().intersection(&lines).count();
        if share > best_share {
            (best_share, best) = (share, vec![document]);
        } else if share == best_share && share > 0 {
            best.push(document);
        }
    }
    best.into_iter().cloned().collect()
}

/// Whether a line tells a file from another: it has a word in it and is not just `return x`.
fn tells(line: &str) -> bool {
    line.chars().filter(|c| c.is_alphanumeric()).count() >= 4
}

/// Paths where a hinted file may lie, below the workspace folders and the folder of the text that names it. Whether
/// there is such a file, and really inside, is for the caller to check with [`inside`].
pub fn candidates_on_disk(hints: &[String], folders: &[PathBuf], beside: Option<&Path>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for hint in hints {
        let hint = Path::new(hint);
        if hint.components().any(|part| part == Component::ParentDir) {
            continue;
        }
        if hint.is_absolute() {
            paths.push(hint.to_owned());
            continue;
        }
        paths.extend(folders.iter().map(|folder| folder.join(hint)));
        paths.extend(beside.map(|folder| folder.join(hint)));
    }
    paths.retain(|path| folders.iter().any(|folder| path.starts_with(folder)));
    paths
}

/// The file at this path, when there is one and it lies inside one of the folders after every link is followed.
pub fn inside(path: &Path, folders: &[PathBuf]) -> Option<PathBuf> {
    let real = path.canonicalize().ok()?;
    let is_inside = |folder: &PathBuf| folder.canonicalize().is_ok_and(|folder| real.starts_with(folder));
    (real.is_file() && folders.iter().any(is_inside)).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::document::Document;
    use super::*;

    fn open(path: &str, text: &str) -> DocumentSnapshot {
        Document::new(format!("file://{path}").parse().unwrap(), "", 1, text).snapshot()
    }

    fn names(found: &[DocumentSnapshot]) -> Vec<String> {
        found.iter().map(|document| document.uri.path().to_owned()).collect()
    }

    fn hints(hints: &[&str]) -> Vec<String> {
        hints.iter().map(|hint| (*hint).to_owned()).collect()
    }

    #[test]
    fn a_hint_names_by_its_last_parts() {
        let documents = [open("/w/src/a.rs", ""), open("/w/src/b/a.rs", ""), open("/w/xsrc/a.rs", "")];
        let find = |hint: &str| names(&open_targets(&hints(&[hint]), None, "", &documents));
        assert_eq!(find("src/a.rs"), ["/w/src/a.rs"]);
        assert_eq!(find("./b/a.rs"), ["/w/src/b/a.rs"]);
        assert_eq!(find("a.rs").len(), 3);
        assert_eq!(find("c.rs"), Vec::<String>::new());
    }

    #[test]
    fn without_a_hint_the_best_match_counts() {
        let documents = [
            open("/w/a.rs", "fn alpha_one() {}\nfn alpha_two() {}\n"),
            open("/w/b.rs", "fn beta_one() {}\nfn alpha_one() {}\n"),
            open("/w/a.py", "fn alpha_one() {}\nfn alpha_two() {}\n"),
        ];
        let rust = Language::by_name("rust");
        let find = |text: &str| names(&open_targets(&[], rust, text, &documents));
        assert_eq!(find("  fn alpha_one() {}\n  fn alpha_two() {}\n  new();\n"), ["/w/a.rs"]);
        assert_eq!(find("fn alpha_one() {}\n"), ["/w/a.rs", "/w/b.rs"]);
        assert_eq!(find("}\n"), Vec::<String>::new());
    }

    #[test]
    fn nothing_outside_the_folders_is_a_candidate() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("w");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("a.rs"), "").unwrap();
        std::fs::write(folder.path().join("secret.rs"), "").unwrap();
        let folders = vec![root.clone()];
        let find = |hint: &str| {
            let paths = candidates_on_disk(&hints(&[hint]), &folders, None);
            paths.iter().find_map(|path| inside(path, &folders))
        };
        assert_eq!(find("a.rs"), Some(root.join("a.rs")));
        assert_eq!(find(root.join("a.rs").to_str().unwrap()), Some(root.join("a.rs")));
        assert_eq!(find("../secret.rs"), None);
        assert_eq!(find(folder.path().join("secret.rs").to_str().unwrap()), None);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.path().join("secret.rs"), root.join("link.rs")).unwrap();
            assert_eq!(find("link.rs"), None);
        }
    }
}
