//! What the scope of the cursor speaks of: the names near it, each with a weight, and what stands before the dot.
//!
//! Only the open file is read here. Names are found by their letters, since half-typed code seldom parses; the tree says
//! where functions, comments and strings are.

use std::collections::HashMap;
use std::ops::Range;

use redraft_grammars::{Item, ItemKind, Language, Tree};

use super::guess::{Receiver, receiver};

/// So much text on either side of the cursor counts, where the function around it is longer or there is none.
const WINDOW: usize = 2500;
/// Names beyond the heaviest so many are left out.
const MAX_MENTIONS: usize = 48;

/// A name that the scope speaks of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mention {
    pub(super) name: String,
    /// About 1 for a name next to the cursor.
    pub(super) weight: f32,
    /// An opening parenthesis follows.
    pub(super) called: bool,
    /// It stands behind a dot or arrow.
    pub(super) member: bool,
    /// The name before `::` or the dot.
    pub(super) qualifier: Option<String>,
    /// An import brings it in.
    pub(super) imported: bool,
}

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// The heaviest first.
    pub(super) mentions: Vec<Mention>,
    /// What the expression before the dot may be.
    pub(super) receiver: Option<Receiver>,
    /// The names in each import.
    pub(super) imports: Vec<Vec<String>>,
    /// The type whose member the cursor is in.
    pub(super) container: Option<String>,
    /// The types that the file itself defines.
    pub(super) own_types: Vec<String>,
}

impl Scope {
    /// Reads the scope of a cursor. What is defined in `shown` is left out: the model sees it anyway.
    pub(super) fn read(
        language: Option<Language>,
        tree: Option<&Tree>,
        text: &str,
        cursor: usize,
        shown: &Range<usize>,
    ) -> Scope {
        let items = match (language, tree) {
            (Some(language), Some(tree)) => language.items(tree, text),
            _ => Vec::new(),
        };
        let around: Vec<&Item> = items.iter().filter(|item| touches(&item.byte_range, cursor)).collect();
        let function = around.iter().find(|item| item.kind == ItemKind::Function);
        let window = clip(text, cursor, function.map(|item| item.full_range.start..item.byte_range.end));
        let container = around.iter().rev().find_map(|item| {
            let name = item.name.rsplit(" for ").next().filter(|_| holds_members(item.kind))?;
            Some(super::symbol::base_name(name).to_owned())
        });
        let head = function.map(|item| {
            item.byte_range.start..item.body.as_ref().map_or(item.byte_range.end, |body| body.start)
        });
        let imports: Vec<Vec<String>> = items
            .iter()
            .filter(|item| item.kind == ItemKind::Import)
            .map(|item| words(&text[item.byte_range.clone()]).map(|word| word.text.to_owned()).collect())
            .collect();
        let mut own: HashMap<&str, ()> = HashMap::new();
        for item in &items {
            if item.kind != ItemKind::Import && shown.contains(&item.byte_range.start) {
                own.insert(&item.name, ());
            }
        }
        let mut gathered = Gathered { text, tree, cursor, imports: &imports, names: HashMap::new() };
        gathered.add(window.clone(), 1.0, 0.0);
        if let Some(head) = head {
            gathered.add(head, 1.0, 0.6);
        }
        // The fields of the type around: their types are what `self` leads to.
        for item in around.iter().filter(|item| item.kind != ItemKind::Function && holds_members(item.kind)) {
            let fields = items.iter().filter(|field| field.kind == ItemKind::Field);
            for field in fields.filter(|field| within(&field.byte_range, &item.byte_range)) {
                gathered.add(field.byte_range.clone(), 0.5, 0.15);
            }
        }
        let mut mentions: Vec<Mention> =
            gathered.names.into_values().filter(|mention| !own.contains_key(mention.name.as_str())).collect();
        for name in imports.iter().flatten() {
            if !mentions.iter().any(|mention| mention.name == *name) && !own.contains_key(name.as_str()) {
                mentions.push(Mention {
                    name: name.clone(),
                    weight: 0.06,
                    called: false,
                    member: false,
                    qualifier: None,
                    imported: true,
                });
            }
        }
        mentions.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.name.cmp(&b.name)));
        mentions.truncate(MAX_MENTIONS);
        let is_imported = |name: &str| imports.iter().flatten().any(|word| word == name);
        let receiver = receiver(text, window.start, cursor, container.as_deref(), &is_imported);
        let own_types = items.iter().filter(|item| item.kind != ItemKind::Impl && holds_members(item.kind));
        let own_types = own_types.map(|item| super::symbol::base_name(&item.name).to_owned()).collect();
        Scope { mentions, receiver, imports, container, own_types }
    }
}

/// Whether members stand inside an item of this kind.
fn holds_members(kind: ItemKind) -> bool {
    matches!(kind, ItemKind::Impl | ItemKind::Class | ItemKind::Struct | ItemKind::Enum | ItemKind::Trait)
}

fn touches(range: &Range<usize>, cursor: usize) -> bool {
    range.start <= cursor && cursor <= range.end
}

fn within(inner: &Range<usize>, outer: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// The part of the text that counts: whole lines of `range`, at most [`WINDOW`] on either side.
fn clip(text: &str, cursor: usize, range: Option<Range<usize>>) -> Range<usize> {
    let range = range.unwrap_or(0..text.len());
    let start = range.start.max(cursor.saturating_sub(WINDOW));
    let end = range.end.min(cursor.saturating_add(WINDOW)).max(cursor);
    let start = text.as_bytes()[..start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let end = text.as_bytes()[end..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| end + at);
    start..end
}

/// A name in a text.
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    pub(super) start: usize,
}

pub(super) fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The names in a text: letters, digits and underscores that do not begin with a digit.
pub(super) fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(is_word_char)?;
        let end = text[start..].find(|c| !is_word_char(c)).map_or(text.len(), |end| start + end);
        at = end;
        Some(Word { text: &text[start..end], start })
    })
    .filter(|word| !word.text.starts_with(|c: char| c.is_ascii_digit()))
}

/// Gathers the names of ranges.
struct Gathered<'t> {
    text: &'t str,
    tree: Option<&'t Tree>,
    cursor: usize,
    imports: &'t [Vec<String>],
    names: HashMap<String, Mention>,
}

impl Gathered<'_> {
    /// Adds the names in a range, with weights of at least `least`.
    fn add(&mut self, range: Range<usize>, factor: f32, least: f32) {
        let text = self.text;
        let newlines = |range: Range<usize>| text.as_bytes()[range].iter().filter(|b| **b == b'\n').count();
        // Lines between the cursor and the word, counted along.
        let (mut line, mut counted) = (0usize, range.start);
        let cursor_line = if self.cursor >= range.start {
            newlines(range.start..self.cursor) as isize
        } else {
            -(newlines(self.cursor..range.start) as isize)
        };
        for word in words(&text[range.clone()]) {
            let start = range.start + word.start;
            let end = start + word.text.len();
            line += newlines(counted..start);
            counted = start;
            // The word that is being typed is no mention.
            if word.text.len() < 3 || (start < self.cursor && self.cursor <= end) || !self.is_code(start, end)
            {
                continue;
            }
            let distance = (line as isize).abs_diff(cursor_line) as f32;
            let nearness = if distance == 0.0 { 2.0 } else { 1.0 / (1.0 + distance / 6.0) };
            let after = if start > self.cursor { 0.7 } else { 1.0 };
            let weight = (nearness * after * factor).max(least);
            self.mention(word.text, start, end, weight);
        }
    }

    fn mention(&mut self, name: &str, start: usize, end: usize, weight: f32) {
        let before = self.text[..start].trim_end();
        let member = before.ends_with('.') || before.ends_with("->");
        let path = before.ends_with("::");
        let qualifier = (member || path).then(|| {
            let before = before.trim_end_matches(['.', ':', '-', '>', '?', '!']);
            let from = before
                .rfind(|c| !is_word_char(c))
                .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
            before[from..].to_owned()
        });
        let qualifier = qualifier.filter(|name| !name.is_empty());
        let called = self.text[end..].starts_with(['(', '!', '{']) || self.text[end..].starts_with("::<");
        let imported = self.imports.iter().flatten().any(|word| word == name);
        let upper = name.starts_with(char::is_uppercase);
        let mut weight = weight;
        // A name in small letters that nothing is done with is most likely a variable.
        let variable = !called && !upper && !path && !member;
        weight *= match (variable, imported) {
            (false, true) => 1.5,
            (false, false) => 1.0,
            (true, true) => 0.6,
            (true, false) => 0.25,
        };
        let known = self.names.entry(name.to_owned()).or_insert_with(|| Mention {
            name: name.to_owned(),
            weight: 0.0,
            called,
            member,
            qualifier: qualifier.clone(),
            imported,
        });
        let (more, less) =
            if weight > known.weight { (weight, known.weight) } else { (known.weight, weight) };
        known.weight = (more + less * 0.1).min(2.5);
        known.called |= called;
        known.member &= member;
        if known.qualifier.is_none() {
            known.qualifier = qualifier;
        }
    }

    /// Whether a word is neither in a comment nor in a string.
    fn is_code(&self, start: usize, end: usize) -> bool {
        let Some(tree) = self.tree else { return true };
        let Some(node) = tree.root_node().descendant_for_byte_range(start, end) else { return true };
        let kind = node.kind();
        !kind.contains("comment") && !kind.contains("string") && !kind.contains("char")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(language: &str, text: &str) -> Scope {
        let cursor = text.find("$0").unwrap();
        let text = text.replacen("$0", "", 1);
        let language = Language::by_name(language).unwrap();
        let tree = language.parse(&text, None).unwrap();
        Scope::read(Some(language), Some(&tree), &text, cursor, &(0..text.len()))
    }

    fn names(scope: &Scope) -> Vec<&str> {
        scope.mentions.iter().map(|mention| mention.name.as_str()).collect()
    }

    #[test]
    fn near_names_come_first_and_own_ones_not_at_all() {
        let scope = read(
            "rust",
            "use crate::store::Store;\nuse std::io;\n\nstruct Own;\n\nimpl Own {\n    fn load(&self, options: &Options) -> Result<Own, Failure> {\n        let store = Store::open(options);\n        // Comment words\n        print(\"String words\");\n        check_all(store, $0);\n    }\n}\n\nfn other() { unrelated(); }\n",
        );
        let found = names(&scope);
        assert_eq!(found[0], "check_all");
        for near in ["Store", "Options", "Failure", "open"] {
            assert!(found.contains(&near), "{near} in {found:?}");
        }
        for out in ["Own", "Comment", "words", "String", "unrelated", "other"] {
            assert!(!found.contains(&out), "{out} in {found:?}");
        }
        let store = scope.mentions.iter().find(|mention| mention.name == "Store").unwrap();
        assert!(store.imported);
        let open = scope.mentions.iter().find(|mention| mention.name == "open").unwrap();
        assert_eq!((open.qualifier.as_deref(), open.called), (Some("Store"), true));
        assert_eq!(scope.container.as_deref(), Some("Own"));
        assert_eq!(scope.imports[0], ["use", "crate", "store", "Store"]);
    }

    #[test]
    fn the_word_that_is_being_typed_is_none() {
        let scope = read("python", "from a import thing\n\ndef f(x: Kind):\n    return thi$0\n");
        assert_eq!(names(&scope)[0], "Kind");
        assert!(names(&scope).contains(&"thing"));
        assert!(!names(&scope).contains(&"thi"));
    }

    #[test]
    fn what_has_no_tree_has_names_all_the_same() {
        let text = "alpha(beta);\ngamma\n";
        let scope = Scope::read(None, None, text, text.len(), &(0..text.len()));
        assert_eq!(names(&scope)[0], "alpha");
        let scope = Scope::read(None, None, "", 0, &(0..0));
        assert!(scope.mentions.is_empty() && scope.receiver.is_none());
    }
}
