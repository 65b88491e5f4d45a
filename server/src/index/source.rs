//! Where definitions are looked for: the workspace folders, and before them the open documents as they are in the
//! editor.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use redraft_grammars::{Language, Tree};
use ropey::Rope;

use super::folder::Folder;
use super::recent::Region;
use super::record::{By, key, keys};
use super::store::Place;
use super::symbol::{Symbol, symbols};
use super::walk::relative;

/// So many files of one name are compared; of a more common one, any.
const MAX_FILES: usize = 256;
/// Names that stand for their folder.
const FOLDER_NAMES: [&str; 5] = ["mod", "lib", "index", "__init__", "main"];
/// Siblings that are given.
const SIBLINGS: usize = 2;

/// A document that is open in the editor; its symbols are found when they are first wanted.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) language: Language,
    pub(super) text: Rope,
    pub(super) tree: Tree,
    symbols: OnceLock<(Arc<Vec<Symbol>>, Vec<u32>)>,
}

impl Buffer {
    pub(super) fn new(language: Language, text: Rope, tree: Tree) -> Self {
        Self { language, text, tree, symbols: OnceLock::new() }
    }

    fn symbols(&self) -> &(Arc<Vec<Symbol>>, Vec<u32>) {
        self.symbols.get_or_init(|| {
            let found = symbols(self.language, &self.tree, &String::from(&self.text));
            let keys = keys(&found);
            (Arc::new(found), keys)
        })
    }
}

/// A file that may have what is looked for.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    /// How near it lies to the file that asks: 1 in the same folder, 0 with nothing in common.
    pub(super) nearness: f32,
    pub(super) is_test: bool,
    /// The parts of its path below the workspace folder, without the extension.
    parts: Vec<String>,
    place: Where,
}

#[derive(Clone, Debug)]
enum Where {
    Folder(usize, Place),
    Buffer(Arc<Buffer>),
}

impl Candidate {
    fn new(root: &Path, relative: &str, own: Option<&[String]>, place: Where) -> Self {
        let parts = parts(relative);
        let nearness = own.map_or(0.0, |own| {
            let shared = own.iter().zip(&parts).take_while(|(a, b)| a == b).count();
            let depth = own.len().max(parts.len()).saturating_sub(1).max(1);
            let shared = shared.min(depth);
            // In a flat folder everything is near.
            if own.len() == 1 && parts.len() == 1 { 1.0 } else { shared as f32 / depth as f32 }
        });
        let is_test = is_test(&parts);
        Self { path: root.join(relative), nearness, is_test, parts, place }
    }

    /// The name that code knows the file by.
    pub(super) fn stem(&self) -> &str {
        let mut names = self.parts.iter().rev();
        let name = names.next().map_or("", String::as_str);
        if FOLDER_NAMES.contains(&name) { names.next().map_or(name, String::as_str) } else { name }
    }

    /// How much of an import's path this file's path is, from 0 to 1.
    pub(super) fn named_by(&self, import: &[String]) -> f32 {
        let named = |part: &&String| import.iter().any(|word| word == *part);
        if !import.iter().any(|word| word == self.stem()) {
            return 0.0;
        }
        let known = self.parts.iter().rev().filter(|part| !FOLDER_NAMES.contains(&part.as_str()));
        let run = known.take_while(named).count();
        (0.6 + 0.2 * run as f32).min(1.2)
    }
}

/// The parts of a path, the last without its extension.
fn parts(relative: &str) -> Vec<String> {
    let stem = relative.rsplit_once('.').map_or(relative, |(stem, _)| stem);
    stem.split('/').map(str::to_owned).collect()
}

fn is_test(parts: &[String]) -> bool {
    let mut parts = parts.iter();
    let name = parts.next_back().map_or("", String::as_str).to_lowercase();
    let of_name = name.starts_with("test") || name.ends_with("test") || name.ends_with("tests");
    of_name
        || name.ends_with("spec")
        || parts.any(|part| matches!(part.as_str(), "tests" | "test" | "__tests__"))
}

/// What a query looks at. A snapshot: nothing is locked while it lives.
pub(super) struct Sources {
    pub(super) folders: Vec<Arc<Folder>>,
    pub(super) buffers: Vec<(PathBuf, Arc<Buffer>)>,
    pub(super) recent: Vec<Region>,
}

impl Sources {
    /// Where the user has just been, the newest first.
    pub(super) fn regions(&self) -> impl Iterator<Item = &Region> {
        self.recent.iter()
    }

    /// A path as its folder and what is below it.
    fn split<'p>(&'p self, path: &'p Path) -> Option<(&'p Path, String)> {
        let within =
            self.folders.iter().filter_map(|folder| Some((&*folder.root, relative(&folder.root, path)?)));
        within.min_by_key(|(_, below)| below.len()).or_else(|| {
            let name = path.file_name()?.to_str()?.to_owned();
            Some((path.parent()?, name))
        })
    }

    /// Whether a file holds tests.
    pub(super) fn is_test(&self, path: Option<&Path>) -> bool {
        path.and_then(|path| self.split(path)).is_some_and(|(_, below)| is_test(&parts(&below)))
    }

    fn own_parts(&self, path: Option<&Path>) -> Option<Vec<String>> {
        path.and_then(|path| self.split(path)).map(|(_, below)| parts(&below))
    }

    fn is_open(&self, path: &Path) -> bool {
        self.buffers.iter().any(|(open, _)| open == path)
    }

    /// The files in which a name occurs, and how many there are. The file that asks is left out.
    pub(super) fn find(
        &self,
        by: By<'_>,
        language: Option<Language>,
        asking: Option<&Path>,
    ) -> (Vec<Candidate>, usize) {
        let (key, own) = (key(by), self.own_parts(asking));
        let mut found: Vec<Candidate> = Vec::new();
        let mut count = 0;
        for (path, buffer) in &self.buffers {
            let other = Some(path.as_path()) != asking && kin(language, Some(buffer.language));
            if other && buffer.symbols().1.binary_search(&key).is_ok() {
                let Some((root, below)) = self.split(path) else { continue };
                found.push(Candidate::new(root, &below, own.as_deref(), Where::Buffer(Arc::clone(buffer))));
                count += 1;
            }
        }
        let mut languages: HashMap<String, bool> = HashMap::new();
        let mut rows = Vec::new();
        for (number, folder) in self.folders.iter().enumerate() {
            rows.clear();
            let table = folder.table();
            count += table.find(key, MAX_FILES, &mut rows);
            for row in &rows {
                let name = table.name_of(*row);
                let extension = name.rsplit_once('.').map_or(name, |(_, extension)| extension);
                let fits = languages.get(extension).copied().unwrap_or_else(|| {
                    let fits = kin(language, Language::from_path(name));
                    languages.insert(extension.to_owned(), fits);
                    fits
                });
                if !fits {
                    continue;
                }
                let place = Where::Folder(number, table.place(*row));
                let candidate = Candidate::new(&folder.root, &table.path_of(*row), own.as_deref(), place);
                let twice = || number > 0 && found.iter().any(|other| other.path == candidate.path);
                if Some(candidate.path.as_path()) != asking && !self.is_open(&candidate.path) && !twice() {
                    found.push(candidate);
                }
            }
        }
        (found, count)
    }

    /// The files that code knows by a name, `super` and `crate` among them.
    pub(super) fn modules(
        &self,
        name: &str,
        language: Option<Language>,
        asking: Option<&Path>,
    ) -> Vec<Candidate> {
        let own = self.own_parts(asking);
        let extension = asking.and_then(Path::extension).unwrap_or_default().to_string_lossy();
        let relative = match name {
            "super" | "crate" => Some(above(own.as_deref().unwrap_or_default(), name == "crate", &extension)),
            _ => None,
        };
        let mut found: Vec<Candidate> = Vec::new();
        for (path, buffer) in &self.buffers {
            if Some(path.as_path()) != asking && kin(language, Some(buffer.language)) {
                let Some((root, below)) = self.split(path) else { continue };
                let place = Where::Buffer(Arc::clone(buffer));
                let candidate = Candidate::new(root, &below, own.as_deref(), place);
                if relative.as_ref().map_or(candidate.stem() == name, |paths| paths.contains(&below)) {
                    found.push(candidate);
                }
            }
        }
        for (number, folder) in self.folders.iter().enumerate() {
            let table = folder.table();
            let rows: Vec<u32> = match &relative {
                Some(paths) => paths.iter().filter_map(|path| table.row(path)).collect(),
                None => {
                    // Names are compared before anything is made of them: there may be a hundred thousand.
                    let likely = |row: &u32| {
                        let file = table.name_of(*row);
                        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
                        let dir = || table.dir_of(*row).trim_end_matches('/').ends_with(name);
                        (stem == name || FOLDER_NAMES.contains(&stem) && dir())
                            && kin(language, Language::from_path(file))
                    };
                    table.live_rows().filter(likely).take(MAX_FILES).collect()
                }
            };
            for row in rows {
                let place = Where::Folder(number, table.place(row));
                let candidate = Candidate::new(&folder.root, &table.path_of(row), own.as_deref(), place);
                let meant = relative.is_some() || candidate.stem() == name;
                if meant && Some(candidate.path.as_path()) != asking && !self.is_open(&candidate.path) {
                    found.push(candidate);
                }
            }
        }
        found
    }

    /// The symbols of a candidate; none when the store has lost them.
    pub(super) fn symbols(&self, candidate: &Candidate) -> Arc<Vec<Symbol>> {
        match &candidate.place {
            Where::Buffer(buffer) => Arc::clone(&buffer.symbols().0),
            Where::Folder(folder, place) => {
                Arc::new(self.folders[*folder].symbols(*place).unwrap_or_default())
            }
        }
    }

    /// The files beside a file whose names are most like its own, with how like they are.
    pub(super) fn siblings(&self, path: &Path, language: Option<Language>) -> Vec<(f32, Candidate)> {
        let Some((number, folder, below)) = self
            .folders
            .iter()
            .enumerate()
            .find_map(|(number, folder)| Some((number, folder, relative(&folder.root, path)?)))
        else {
            return Vec::new();
        };
        let own = parts(&below);
        let name = own.last().map_or("", String::as_str);
        let table = folder.table();
        let mut alike: Vec<(f32, Candidate)> = Vec::new();
        for row in table.siblings(&below).iter().take(MAX_FILES) {
            let other = table.name_of(*row);
            let stem = other.rsplit_once('.').map_or(other, |(stem, _)| stem);
            if Path::new(other).file_name() == path.file_name() || !kin(language, Language::from_path(other))
            {
                continue;
            }
            let likeness = likeness(name, stem);
            if likeness > 0.0 {
                let place = Where::Folder(number, table.place(*row));
                alike.push((likeness, Candidate::new(&folder.root, &table.path_of(*row), Some(&own), place)));
            }
        }
        alike.sort_by(|(a, left), (b, right)| b.total_cmp(a).then_with(|| left.path.cmp(&right.path)));
        alike.truncate(SIBLINGS);
        alike
    }
}

/// Where the module above a file's own may be written, or the outermost one.
fn above(own: &[String], outermost: bool, extension: &str) -> Vec<String> {
    let module = match own {
        [folder @ .., name] if FOLDER_NAMES.contains(&name.as_str()) => folder,
        all => all,
    };
    let Some((_, above)) = module.split_last() else { return Vec::new() };
    let file = |folder: &[String], name: &str| {
        let parts = folder.iter().map(String::as_str).chain([name]);
        format!("{}.{extension}", parts.collect::<Vec<_>>().join("/"))
    };
    if outermost {
        let folders = (0..=above.len()).rev().map(|length| &above[..length]);
        return folders.flat_map(|folder| ["lib", "main"].map(|name| file(folder, name))).collect();
    }
    let beside = above.split_last().map(|(name, folder)| file(folder, name));
    beside.into_iter().chain(FOLDER_NAMES.map(|name| file(above, name))).collect()
}

/// Which share of their words two names have in common: `user_handler` and `order_handler` a third.
fn likeness(a: &str, b: &str) -> f32 {
    let words = |name: &str| -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut lower = false;
        for c in name.chars() {
            if !c.is_alphanumeric() || words.is_empty() || (c.is_uppercase() && lower) {
                words.push(String::new());
            }
            if c.is_alphanumeric() {
                words.last_mut().expect("just pushed").extend(c.to_lowercase());
            }
            lower = c.is_lowercase();
        }
        words.retain(|word| !word.is_empty());
        words
    };
    let (a, b) = (words(a), words(b));
    let shared = a.iter().filter(|word| b.contains(word)).count();
    if shared == 0 { 0.0 } else { shared as f32 / (a.len() + b.len() - shared) as f32 }
}

/// Whether code of one language can use that of the other.
fn kin(a: Option<Language>, b: Option<Language>) -> bool {
    const FAMILIES: [&[&str]; 4] = [
        &["javascript", "jsx", "typescript", "tsx", "vue", "svelte", "astro"],
        &["c", "cpp", "cuda", "objective-c", "objective-cpp"],
        &["java", "kotlin", "scala", "groovy"],
        &["elixir", "heex", "erlang"],
    ];
    let (Some(a), Some(b)) = (a, b) else { return a.is_none() };
    a == b || FAMILIES.iter().any(|family| family.contains(&a.name()) && family.contains(&b.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_by_their_words() {
        assert_eq!(likeness("user_handler", "order_handler"), 1.0 / 3.0);
        assert_eq!(likeness("UserHandler", "user-handler"), 1.0);
        assert_eq!(likeness("queue", "stack"), 0.0);
        assert_eq!(likeness("", "é"), 0.0);
    }

    #[test]
    fn the_module_above_is_known_by_its_path() {
        let above = |path: &str, outermost| above(&parts(path), outermost, "rs");
        assert_eq!(above("src/a/b.rs", false)[..2], ["src/a.rs", "src/a/mod.rs"]);
        assert_eq!(above("src/a/mod.rs", false)[..3], ["src.rs", "src/mod.rs", "src/lib.rs"]);
        assert_eq!(above("x/src/a/b.rs", true)[2..4], ["x/src/lib.rs", "x/src/main.rs"]);
        assert!(above("lib.rs", false).is_empty());
    }

    #[test]
    fn languages_that_meet_in_one_project_are_kin() {
        let named = |name| Language::by_name(name);
        assert!(kin(named("tsx"), named("javascript")));
        assert!(kin(named("rust"), named("rust")));
        assert!(!kin(named("rust"), named("python")));
        assert!(kin(None, named("python")));
    }
}
