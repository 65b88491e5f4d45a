//! What a cursor's surroundings speak of and other files define: its signatures, for the model to know how to call it.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use redraft_grammars::{Item, ItemKind, Language, Tree};
use redraft_model::prompt::OtherFile;

use super::Query;
use super::place::{floor, line_start};

/// Bytes before and behind the cursor in which names count.
const BEFORE: usize = 3000;
const BEHIND: usize = 600;
/// A type is shown whole up to so many bytes.
const WHOLE: usize = 600;
/// A name that so many files define says nothing.
const AMBIGUOUS: usize = 3;

/// Another file.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path as the model should see it.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its language.
    pub language: Language,
    /// The text's tree.
    pub tree: Tree,
}

/// A definition that may be shown.
struct Candidate {
    source: usize,
    /// What stands above it: the head of the item around it.
    head: Option<Range<usize>>,
    range: Range<usize>,
    value: f64,
}

/// The definitions in `sources` that the query's surroundings name, as many as fit in `bytes`, the nearest first; files in
/// the order of their paths.
pub fn related(query: &Query, sources: &[Source], bytes: usize) -> Vec<OtherFile> {
    let names = names(query);
    let items: Vec<Vec<Item>> =
        sources.iter().map(|source| source.language.items(&source.tree, &source.text)).collect();
    let mut defined: HashMap<&str, usize> = HashMap::new();
    for item in items.iter().flatten().filter(|item| is_shown(item.kind)) {
        *defined.entry(&item.name).or_default() += 1;
    }
    let mut candidates = Vec::new();
    for (source, items) in items.iter().enumerate() {
        for item in items.iter().filter(|item| is_shown(item.kind)) {
            let Some(value) = names.get(item.name.as_str()) else { continue };
            let parent = item.parent.map(|parent| &items[parent]);
            let known = parent.is_some_and(|parent| {
                parent
                    .name
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .any(|word| names.contains_key(word))
            });
            if defined[item.name.as_str()] > AMBIGUOUS && !known {
                continue;
            }
            let text = &sources[source].text;
            candidates.push(Candidate {
                source,
                head: parent.and_then(|parent| Some(parent.byte_range.start..parent.body.as_ref()?.start)),
                range: shown(item, text),
                value: if known { value * 1.5 } else { *value },
            });
        }
    }
    candidates.sort_by(|a, b| b.value.total_cmp(&a.value));
    let mut left = bytes;
    let mut chosen: BTreeMap<&str, (usize, Vec<Candidate>)> = BTreeMap::new();
    for candidate in candidates {
        let source = &sources[candidate.source];
        let entry = chosen.get(source.path.as_str());
        let inside = |other: &Candidate| {
            other.range.start <= candidate.range.start && candidate.range.end <= other.range.end
        };
        let cost = candidate.range.len() + candidate.head.as_ref().map_or(0, ExactSizeIterator::len);
        let cost = cost + if entry.is_none() { source.path.len() } else { 0 };
        if cost > left || entry.is_some_and(|(_, chosen)| chosen.iter().any(inside)) {
            continue;
        }
        left -= cost;
        chosen.entry(&source.path).or_insert((candidate.source, Vec::new())).1.push(candidate);
    }
    chosen
        .into_iter()
        .map(|(path, (source, mut candidates))| {
            candidates.sort_by_key(|candidate| candidate.range.start);
            OtherFile { path: path.to_owned(), text: shown_text(&sources[source].text, &candidates) }
        })
        .collect()
}

fn is_shown(kind: ItemKind) -> bool {
    !matches!(
        kind,
        ItemKind::Import | ItemKind::Module | ItemKind::Impl | ItemKind::Field | ItemKind::Variant
    )
}

/// The names around the cursor and in the file's imports, the more telling the nearer they are.
fn names(query: &Query) -> HashMap<&str, f64> {
    let text = &query.text;
    let from = line_start(text, floor(text, query.cursor.saturating_sub(BEFORE)));
    let until = floor(text, (query.cursor + BEHIND).min(text.len()));
    let line = line_start(text, query.cursor);
    let mut names: HashMap<&str, f64> = HashMap::new();
    let mut add = |range: Range<usize>, value: &dyn Fn(usize) -> f64| {
        let part = &text[range.clone()];
        for word in part.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| word.len() > 2) {
            let at = range.start + (word.as_ptr() as usize - part.as_ptr() as usize);
            let entry = names.entry(word).or_default();
            *entry = entry.max(value(at));
        }
    };
    add(from..line, &|at| 1.0 + (at - from) as f64 / BEFORE as f64);
    add(line..query.cursor, &|_| 4.0);
    add(query.cursor..until, &|_| 1.0);
    let mut at = 0;
    for line in text[..from].split_inclusive('\n') {
        if ["use ", "import ", "from ", "#include", "require"].iter().any(|word| line.starts_with(word)) {
            add(at..at + line.len(), &|_| 0.5);
        }
        at += line.len();
    }
    names
}

/// What of an item is shown: a short type whole, of all else what stands before its body.
fn shown(item: &Item, text: &str) -> Range<usize> {
    let is_type = !matches!(item.kind, ItemKind::Function | ItemKind::Macro);
    let whole = is_type && item.full_range.len() <= WHOLE;
    let end = item.body.as_ref().filter(|_| !whole).map_or(item.byte_range.end, |body| body.start);
    // Of a long comment the last lines say enough.
    let start = if item.byte_range.start - item.full_range.start > 300 {
        line_start(text, item.byte_range.start)
    } else {
        line_start(text, item.full_range.start)
    };
    start.min(item.byte_range.start)..end
}

fn shown_text(text: &str, candidates: &[Candidate]) -> String {
    let mut out = String::new();
    let mut head: Option<&Range<usize>> = None;
    for candidate in candidates {
        if candidate.head.is_some() && candidate.head.as_ref() != head {
            let above = candidate.head.clone().unwrap_or_default();
            out += text[above].trim_end();
            out.push('\n');
        }
        head = candidate.head.as_ref();
        out += text[candidate.range.clone()].trim_end();
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        let language = Language::from_path(path).unwrap();
        let tree = language.parse(text, None).unwrap();
        Source { path: path.to_owned(), text: text.to_owned(), language, tree }
    }

    #[track_caller]
    fn check(marked: &str, sources: &[Source], bytes: usize, expected: &[(&str, &str)]) {
        let query = Query {
            file: "a".to_owned(),
            path: "a.rs".to_owned(),
            repository: String::new(),
            language: Language::by_name("rust"),
            text: marked.replace("$0", ""),
            cursor: marked.find("$0").unwrap(),
            tree: None,
        };
        let found = related(&query, sources, bytes);
        let found: Vec<_> = found.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
        assert_eq!(found, expected);
    }

    const SHAPES: &str = "/// An area.\npub fn area_of(w: u32, h: u32) -> u32 {\n    w * h\n}\n\npub struct Shape {\n    pub w: u32,\n}\n\nimpl Shape {\n    pub fn grow(&mut self, by: u32) {\n        self.w += by;\n    }\n}\n\nfn other() {}\n";

    #[test]
    fn what_is_named_is_shown_by_its_signature() {
        let sources = [source("shapes.rs", SHAPES), source("b.rs", "fn unrelated() {}\n")];
        check(
            "fn a() {\n    let x = area_of($0\n}\n",
            &sources,
            1000,
            &[("shapes.rs", "/// An area.\npub fn area_of(w: u32, h: u32) -> u32\n")],
        );
        check(
            "fn a(s: &mut Shape) {\n    s.grow($0\n}\n",
            &sources,
            1000,
            &[(
                "shapes.rs",
                "pub struct Shape {\n    pub w: u32,\n}\nimpl Shape\n    pub fn grow(&mut self, by: u32)\n",
            )],
        );
        check("fn a() {\n    $0\n}\n", &sources, 1000, &[]);
    }

    #[test]
    fn the_nearest_names_come_first_when_room_is_short() {
        let sources = [source("shapes.rs", SHAPES)];
        let expected = "/// An area.\npub fn area_of(w: u32, h: u32) -> u32\n";
        check("fn a(s: &mut Shape) {\n    area_of($0\n}\n", &sources, 70, &[("shapes.rs", expected)]);
    }
}
