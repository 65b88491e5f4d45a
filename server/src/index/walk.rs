//! Which files of a folder are indexed, and their text.

use std::fs::{self, Metadata};
use std::path::Path;
use std::time::UNIX_EPOCH;

use ignore::{DirEntry, WalkBuilder};
use redraft_grammars::Language;

use super::record::Stamp;

/// A larger file is data, or written by a program.
const MAX_BYTES: u64 = 256 << 10;
/// Lines longer than this on average are not written by people.
const MAX_MEAN_LINE: usize = 200;
/// Folders that hold other people's code or a tool's output, also where no `.gitignore` says so.
const SKIPPED: [&str; 3] = ["node_modules", "__pycache__", "bower_components"];
/// Files by which tools mark folders that are theirs.
const MARKERS: [&str; 2] = ["CACHEDIR.TAG", "pyvenv.cfg"];

/// Languages of data and pages: what they define is of no use to code.
const DATA: [&str; 4] = ["html", "css", "yaml", "toml"];

/// A file that is to be in the index.
pub(super) struct Found {
    /// Below the folder, with `/`.
    pub(super) path: String,
    pub(super) language: Language,
    pub(super) stamp: Stamp,
}

/// The files of a folder: what git would not ignore, of languages with a grammar. Links are not followed, so that no
/// loop can form.
pub(super) fn files(root: &Path) -> impl Iterator<Item = Found> {
    walk(root, |_| true)
}

/// One file of a folder, when [`files`] would give it. Looks only into the folders on the way to it.
pub(super) fn file(root: &Path, path: &Path) -> Option<Found> {
    let wanted = path.to_owned();
    let relative = relative(root, path)?;
    let mut files = walk(root, move |entry| wanted.starts_with(entry.path()));
    files.find(|found| found.path == relative)
}

fn walk(
    root: &Path,
    enter: impl Fn(&DirEntry) -> bool + Send + Sync + 'static,
) -> impl Iterator<Item = Found> {
    let mut walk = WalkBuilder::new(root);
    // A folder without git may have a `.gitignore` as well.
    walk.require_git(false).follow_links(false).filter_entry(move |entry| {
        let folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        enter(entry) && (!folder || entry.depth() == 0 || !is_foreign(entry.path()))
    });
    let root = root.to_owned();
    walk.build().filter_map(move |entry| {
        let entry = entry.ok()?;
        if !entry.file_type()?.is_file() {
            return None;
        }
        let language = Language::from_path(entry.path()).filter(|language| is_indexed(*language))?;
        let metadata = entry.metadata().ok().filter(|metadata| metadata.len() <= MAX_BYTES)?;
        Some(Found { path: relative(&root, entry.path())?, language, stamp: stamp(&metadata) })
    })
}

/// Whether files of a language are indexed.
pub(crate) fn is_indexed(language: Language) -> bool {
    language.grammar().is_some() && !DATA.contains(&language.name())
}

fn is_foreign(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| SKIPPED.iter().any(|skipped| name == *skipped))
        || MARKERS.iter().any(|marker| folder.join(marker).exists())
}

/// A path below the folder as the index names it; `None` for one that is elsewhere or not Unicode.
pub(super) fn relative(root: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.strip_prefix(root).ok()?.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/")).filter(|path| !path.is_empty())
}

/// What tells whether a file has changed.
fn stamp(metadata: &Metadata) -> Stamp {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Stamp { modified: modified.map_or(0, |time| time.as_nanos() as i64), size: metadata.len() }
}

/// The text of a file, unless it is binary or was not written by people.
pub(super) fn read(path: &Path) -> Option<String> {
    let text = String::from_utf8(fs::read(path).ok()?).ok()?;
    (!text.contains('\0') && !is_minified(&text)).then_some(text)
}

fn is_minified(text: &str) -> bool {
    text.len() > 4096 && text.len() / (text.bytes().filter(|byte| *byte == b'\n').count() + 1) > MAX_MEAN_LINE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn what_git_ignores_and_what_is_foreign_stays_out() {
        let dir = tree(&[
            (".gitignore", "/out/\n*.gen.rs\n"),
            ("a.rs", ""),
            ("b.gen.rs", ""),
            ("out/c.rs", ""),
            ("src/out/d.py", ""),
            ("src/.gitignore", "hidden.rs\n"),
            ("src/hidden.rs", ""),
            ("node_modules/x/e.rs", ""),
            ("venv/pyvenv.cfg", ""),
            ("venv/f.py", ""),
            ("notes.txt", ""),
        ]);
        fs::write(dir.path().join("big.rs"), "// a line\n".repeat(30_000)).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(dir.path(), dir.path().join("src/loop")).unwrap();
        let mut found: Vec<String> = files(dir.path()).map(|found| found.path).collect();
        found.sort();
        assert_eq!(found, ["a.rs", "src/out/d.py"]);
        let asked = |path: &str| file(dir.path(), &dir.path().join(path)).map(|found| found.path);
        assert_eq!(asked("src/out/d.py").as_deref(), Some("src/out/d.py"));
        for out in
            ["b.gen.rs", "src/hidden.rs", "node_modules/x/e.rs", "venv/f.py", "no.rs", "../a.rs", "src"]
        {
            assert_eq!(asked(out), None, "{out}");
        }
    }

    #[test]
    fn only_what_people_write_is_read() {
        let long = format!("fn f() {{ {} }}\n", "a();".repeat(2000));
        let dir = tree(&[("a.rs", "fn a() {}\n"), ("b.rs", "\0"), ("c.rs", &long)]);
        assert_eq!(read(&dir.path().join("a.rs")).as_deref(), Some("fn a() {}\n"));
        for other in ["b.rs", "c.rs", "d.rs"] {
            assert_eq!(read(&dir.path().join(other)), None, "{other}");
        }
        fs::write(dir.path().join("e.rs"), b"\xff\xfe").unwrap();
        assert_eq!(read(&dir.path().join("e.rs")), None);
    }
}
