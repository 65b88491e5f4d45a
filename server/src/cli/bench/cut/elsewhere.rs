//! Which calls of a file are of something that exactly one other file of the project defines.
//!
//! A name alone does not tell: `map.insert(` is no call of the project's own `insert`. So the call must name the file or
//! the type that has it, or the calling file must import it, or at least speak of the type whose method it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use redraft_grammars::ItemKind;

use super::Source;
use super::holes::callee;
use crate::index::{container, symbols};

/// Methods that the values of standard libraries have too: what they are called on cannot be told here.
const COMMON: [&str; 36] = [
    "append", "as_str", "build", "clear", "clone", "close", "collect", "contains", "default", "extend",
    "filter", "finish", "flush", "format", "from", "get", "index", "insert", "into", "is_empty", "iter",
    "join", "keys", "len", "lock", "map", "next", "open", "parse", "pop", "push", "read", "remove", "send",
    "split", "write",
];

/// What one file can call of others.
pub(super) struct Elsewhere {
    defined: BTreeMap<String, Definition>,
    /// Every word of the file, and those of its imports.
    words: BTreeSet<String>,
    imported: BTreeSet<String>,
}

struct Definition {
    /// The file, as an index into the sources.
    file: usize,
    /// What the file is called in code.
    modules: Vec<String>,
    /// The type whose member it is.
    owner: Option<String>,
}

impl Elsewhere {
    /// What `source` can call of the other `sources`.
    pub(super) fn new(source: &Source, sources: &[Source]) -> Elsewhere {
        let mut found: BTreeMap<String, Vec<Definition>> = BTreeMap::new();
        for (file, other) in sources.iter().enumerate() {
            let Some(tree) = other.language.parse(&other.text, None) else { continue };
            let symbols = symbols(other.language, &tree, &other.text);
            for (at, symbol) in symbols.iter().enumerate() {
                let callable = matches!(symbol.kind, ItemKind::Function | ItemKind::Class | ItemKind::Struct);
                if callable && symbol.name.len() > 3 {
                    let owner = container(&symbols, at).map(str::to_owned);
                    let definition = Definition { file, modules: modules(&other.path), owner };
                    found.entry(symbol.name.clone()).or_default().push(definition);
                }
            }
        }
        let defined = found.into_iter().filter_map(|(name, mut at)| match at.len() {
            1 if sources[at[0].file].path != source.path => Some((name, at.remove(0))),
            _ => None,
        });
        let tree = source.language.parse(&source.text, None);
        let items = tree.map_or_else(Vec::new, |tree| source.language.items(&tree, &source.text));
        let imports = items.iter().filter(|item| item.kind == ItemKind::Import);
        Elsewhere {
            defined: defined.collect(),
            words: words(&source.text),
            imported: imports.flat_map(|item| words(&source.text[item.byte_range.clone()])).collect(),
        }
    }

    /// The file that defines what is called at the end of `before`, which ends with the name or the parenthesis behind it.
    pub(super) fn definer(&self, before: &str) -> Option<usize> {
        let before = before.strip_suffix('(').unwrap_or(before);
        let name = callee(before);
        let definition = self.defined.get(name)?;
        let before = &before[..before.len() - name.len()];
        let path = before.strip_suffix("::");
        let Some(qualified) = path.or_else(|| before.strip_suffix('.')) else {
            return (definition.owner.is_none() && self.imported.contains(name)).then_some(definition.file);
        };
        let qualifier = callee(qualified);
        let is_it = match &definition.owner {
            Some(owner) if path.is_some() || qualifier.starts_with(char::is_uppercase) => qualifier == owner,
            Some(owner) => self.words.contains(owner) && !COMMON.contains(&name),
            None => {
                ["crate", "super"].contains(&qualifier)
                    || definition.modules.iter().any(|module| module == qualifier)
            }
        };
        is_it.then_some(definition.file)
    }
}

/// The names by which code may know a file: its own and its folder's.
fn modules(path: &str) -> Vec<String> {
    let parts = Path::new(path).with_extension("");
    parts.iter().rev().take(2).map(|part| part.to_string_lossy().into_owned()).collect()
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use redraft_grammars::Language;

    #[test]
    fn a_call_is_of_what_its_path_or_type_or_import_says() {
        let language = Language::by_name("rust").unwrap();
        let source =
            |path: &str, text: &str| Source { path: path.to_owned(), language, text: text.to_owned() };
        let sources = [
            source("src/a.rs", "use crate::paint::mix_two;\nuse crate::shape::Shape;\nfn twice() {}\n"),
            source(
                "src/shape.rs",
                "pub struct Shape;\nimpl Shape {\n    pub fn area_of(&self) {}\n    pub fn insert(&self) {}\n}\n",
            ),
            source("src/paint.rs", "pub fn mix_two() {}\npub fn blend() {}\npub fn twice() {}\n"),
            source("src/other.rs", "impl Unseen {\n    pub fn hidden(&self) {}\n}\n"),
        ];
        let elsewhere = Elsewhere::new(&sources[0], &sources);
        for (before, expected) in [
            ("x = mix_two(", Some(2)),
            ("x = blend", None),
            ("x = paint::blend(", Some(2)),
            ("x = other::blend(", None),
            ("Shape::area_of(", Some(1)),
            ("Other::area_of(", None),
            ("shape.area_of(", Some(1)),
            ("shape.insert(", None),
            ("x.hidden(", None),
            ("twice(", None),
        ] {
            assert_eq!(elsewhere.definer(before), expected, "{before}");
        }
    }
}
