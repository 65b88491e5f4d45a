//! The items of a file: functions, types, imports and so on, with what belongs to them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use tree_sitter::{Node, QueryCursor, StreamingIterator, Tree};

use crate::grammar::{Grammar, QueryKind};

/// What an item is. One set for all languages: a Python method and a Rust method are both a `Function`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// A function, method or signature.
    Function,
    /// A class.
    Class,
    /// A struct or union.
    Struct,
    /// An enumeration.
    Enum,
    /// A variant of an enumeration.
    Variant,
    /// A field of a struct or class.
    Field,
    /// A trait or interface.
    Trait,
    /// An implementation block. Its name is `Type` or `Trait for Type`.
    Impl,
    /// A module or namespace.
    Module,
    /// An import.
    Import,
    /// A constant, static or module-level variable.
    Constant,
    /// A type alias.
    Type,
    /// A macro definition, or a macro called where items stand.
    Macro,
}

impl ItemKind {
    /// Every kind, in the order of their numbers (`kind as usize`).
    pub const ALL: [ItemKind; 13] = [
        Self::Function,
        Self::Class,
        Self::Struct,
        Self::Enum,
        Self::Variant,
        Self::Field,
        Self::Trait,
        Self::Impl,
        Self::Module,
        Self::Import,
        Self::Constant,
        Self::Type,
        Self::Macro,
    ];

    fn from_capture(name: &str) -> Option<Self> {
        Some(match name.strip_prefix("item.")? {
            "function" => Self::Function,
            "class" => Self::Class,
            "struct" => Self::Struct,
            "enum" => Self::Enum,
            "variant" => Self::Variant,
            "field" => Self::Field,
            "trait" => Self::Trait,
            "impl" => Self::Impl,
            "module" => Self::Module,
            "import" => Self::Import,
            "constant" => Self::Constant,
            "type" => Self::Type,
            "macro" => Self::Macro,
            _ => return None,
        })
    }
}

/// One item. All ranges are bytes of the parsed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// Its name with runs of blanks made one; for an impl `Type` or `Trait for Type`, for an import the path.
    pub name: String,
    /// Where the name stands.
    pub name_range: Range<usize>,
    /// The item itself, decorators included.
    pub byte_range: Range<usize>,
    /// The item with the attributes and comments that stand right above it, no blank line between.
    pub full_range: Range<usize>,
    /// Its body: braces included where the language has them; for Python the indented statements.
    pub body: Option<Range<usize>>,
    /// Index of the innermost item around this one.
    pub parent: Option<usize>,
    /// The type that it belongs to, where a member stands outside of it: Go's receivers, C++'s `Queue::push`.
    pub owner: Option<String>,
}

/// No file reaches so far.
const FAR: usize = u32::MAX as usize;

/// Which items are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Every item.
    All,
    /// Those that other files can see: the bodies of functions are not looked into, and anything else only so far below
    /// the root and below the body of what holds other items.
    Outer(u32),
}

/// Reads the items off a tree; see [`crate::Language::items`].
pub(crate) fn items(grammar: &Grammar, tree: &Tree, text: &str, reach: Reach) -> Vec<Item> {
    let Some(query) = grammar.query(QueryKind::Items) else { return Vec::new() };
    let captures = query.capture_names();
    let mut items: Vec<Item> = Vec::new();
    // Of two matches with one name one counts; see `says_more`.
    let mut by_name: HashMap<usize, usize> = HashMap::new();
    let mut leading: HashMap<usize, usize> = HashMap::new(); // end of trimmed text -> start
    let mut cursor = QueryCursor::new();
    let depth = match reach {
        Reach::All => None,
        Reach::Outer(depth) => Some(depth),
    };
    cursor.set_max_start_depth(depth);
    let mut nodes = vec![tree.root_node()];
    let mut looked_into: HashSet<usize> = HashSet::new();
    while let Some(node) = nodes.pop() {
        cursor.set_byte_range(0..FAR);
        let mut matches = cursor.matches(query, node, text.as_bytes());
        while let Some(found) = matches.next() {
            let mut item = None;
            let (mut name, mut implemented, mut body, mut owner) = (None, None, None, None);
            for capture in found.captures {
                match captures[capture.index as usize] {
                    "name" => name = name.or(Some(capture.node)),
                    "trait" => implemented = Some(capture.node),
                    "body" => body = Some(capture.node),
                    "owner" => owner = Some(capture.node),
                    "leading" => {
                        let range = capture.node.byte_range();
                        let trimmed = text[range.clone()].trim_end().len();
                        leading.insert(range.start + trimmed, range.start);
                    }
                    other => {
                        let kind = ItemKind::from_capture(other);
                        item = item.or(kind.map(|kind| (kind, capture.node)));
                    }
                }
            }
            let (Some((kind, node)), Some(name)) = (item, name) else { continue };
            let item = Item {
                kind,
                name: item_name(text, name, implemented),
                name_range: name.byte_range(),
                byte_range: node.byte_range(),
                full_range: node.byte_range(),
                body: body.map(|body| body.byte_range()),
                parent: None,
                owner: owner.map(|owner| words(text, owner)),
            };
            let taken = match by_name.get(&name.start_byte()) {
                Some(&at) if says_more(&item, &items[at]) => {
                    items[at] = item;
                    true
                }
                Some(_) => false,
                None => {
                    by_name.insert(name.start_byte(), items.len());
                    items.push(item);
                    true
                }
            };
            if depth.is_some() && kind == ItemKind::Function {
                if let Some(body) = body {
                    matches.set_byte_range(body.end_byte()..FAR);
                }
            } else if depth.is_some() && taken {
                nodes.extend(body.filter(|body| looked_into.insert(body.id())));
            }
        }
    }
    items.sort_by_key(|item| (item.byte_range.start, std::cmp::Reverse(item.byte_range.end)));
    let mut open: Vec<usize> = Vec::new();
    for at in 0..items.len() {
        let range = items[at].byte_range.clone();
        while open.last().is_some_and(|&outer| items[outer].byte_range.end < range.end) {
            open.pop();
        }
        items[at].parent = open.last().copied();
        items[at].full_range.start = with_leading(text, &leading, range.start);
        open.push(at);
    }
    items
}

/// Which of two matches with one name counts: the larger (a decorated definition, not the one inside), and of two as
/// large the one whose kind says more (a constant that holds a function is a function).
fn says_more(new: &Item, old: &Item) -> bool {
    let rank = |kind| match kind {
        ItemKind::Field => 0,
        ItemKind::Constant | ItemKind::Type => 1,
        ItemKind::Class => 2,
        _ => 3,
    };
    (new.byte_range.len(), rank(new.kind)) > (old.byte_range.len(), rank(old.kind))
}

fn item_name(text: &str, name: Node<'_>, implemented: Option<Node<'_>>) -> String {
    match implemented {
        Some(implemented) => format!("{} for {}", words(text, implemented), words(text, name)),
        None => words(text, name),
    }
}

/// A node's text with runs of blanks made one.
fn words(text: &str, node: Node<'_>) -> String {
    text[node.byte_range()].split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Moves `start` up over attributes and comments that each fill their lines and touch what is below.
fn with_leading(text: &str, leading: &HashMap<usize, usize>, mut start: usize) -> usize {
    loop {
        let above = &text[..start];
        let trimmed = above.trim_end();
        let blank = &above[trimmed.len()..];
        if blank.matches('\n').count() > 1 {
            return start;
        }
        let Some(&found) = leading.get(&trimmed.len()) else { return start };
        let line = text[..found].rfind('\n').map_or(0, |at| at + 1);
        let own_line = text[line..found].trim().is_empty();
        // A comment at the end of another item's line belongs to that line; an attribute may share ours.
        if !own_line && blank.contains('\n') {
            return start;
        }
        start = found;
    }
}
