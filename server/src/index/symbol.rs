//! What the index keeps of a file: its definitions, each as the few lines that tell a reader how to use it.

use std::ops::Range;

use redraft_grammars::{Item, ItemKind, Language, Tree};

/// A definition whose whole text is this short is kept whole; of a longer one, its head and fields.
const WHOLE_LINES: usize = 14;
const WHOLE_BYTES: usize = 600;
/// The longest text of one symbol.
const MAX_TEXT: usize = 800;
/// Lines of the comment above that are kept.
const DOC_LINES: usize = 2;
/// A file with more definitions than this is written by a program; the rest is left out.
const MAX_SYMBOLS: usize = 2_000;

/// A definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// What it is; never an import, a field or a variant, which stand in the text of what holds them.
    pub kind: ItemKind,
    /// Its name; for an impl `Type` or `Trait for Type`.
    pub name: String,
    /// The symbol around it, as an index into the same list.
    pub parent: Option<u32>,
    /// The type that it is a member of, where it stands outside of it, as Go's methods do.
    pub owner: Option<String>,
    /// Its lines, the comment above it not included.
    pub lines: Range<u32>,
    /// The first lines of its comment and its signature; without the body, unless that is what defines it.
    pub text: String,
}

impl Symbol {
    /// The type that an impl, class, struct, enum or trait is about, without path and generics.
    pub(crate) fn type_name(&self) -> Option<&str> {
        let holds_members = matches!(
            self.kind,
            ItemKind::Impl | ItemKind::Class | ItemKind::Struct | ItemKind::Enum | ItemKind::Trait
        );
        let name = self.name.rsplit(" for ").next()?;
        holds_members.then(|| base_name(name))
    }
}

/// The last segment of a path, without generics and references: `&'a mut std::Vec<T>` is `Vec`.
pub(crate) fn base_name(path: &str) -> &str {
    let path = path.split(['<', '[', '(']).next().unwrap_or(path).trim_end();
    path.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(path)
}

/// The type whose member a symbol is.
pub(crate) fn container(symbols: &[Symbol], at: usize) -> Option<&str> {
    let symbol = &symbols[at];
    match &symbol.owner {
        Some(owner) => Some(base_name(owner)),
        None => symbols.get(symbol.parent? as usize)?.type_name(),
    }
}

/// The definitions of a file. Those inside functions are its own business and left out.
pub fn symbols(language: Language, tree: &Tree, text: &str) -> Vec<Symbol> {
    let items = language.outer_items(tree, text);
    let lines = LineStarts::new(text);
    let mut symbols: Vec<Symbol> = Vec::new();
    let mut places: Vec<Option<u32>> = vec![None; items.len()];
    let mut local = vec![false; items.len()];
    for (at, item) in items.iter().enumerate() {
        let parent = item.parent;
        local[at] = parent.is_some_and(|outer| local[outer] || items[outer].kind == ItemKind::Function);
        let kept = !matches!(item.kind, ItemKind::Import | ItemKind::Field | ItemKind::Variant);
        if local[at] || !kept || item.name.is_empty() || symbols.len() >= MAX_SYMBOLS {
            continue;
        }
        places[at] = u32::try_from(symbols.len()).ok();
        symbols.push(Symbol {
            kind: item.kind,
            name: item.name.clone(),
            parent: parent.and_then(|outer| places[outer]),
            owner: item.owner.clone(),
            lines: lines.of(item.byte_range.start)..lines.of(item.byte_range.end) + 1,
            text: describe(language, &items, at, text),
        });
    }
    symbols
}

/// Where lines start, to find the line of an offset.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn new(text: &str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect())
    }

    fn of(&self, byte: usize) -> u32 {
        self.0.partition_point(|start| *start <= byte).saturating_sub(1) as u32
    }
}

/// Comment and signature of an item.
fn describe(language: Language, items: &[Item], at: usize, text: &str) -> String {
    let item = &items[at];
    let mut out = doc(language, &text[item.full_range.start..item.byte_range.start]);
    let whole = &text[item.byte_range.clone()];
    let column = item.byte_range.start - text[..item.byte_range.start].rfind('\n').map_or(0, |at| at + 1);
    let data = matches!(item.kind, ItemKind::Struct | ItemKind::Enum | ItemKind::Type | ItemKind::Constant);
    let has_members = items[at + 1..]
        .iter()
        .take_while(|inner| inner.byte_range.start < item.byte_range.end)
        .any(|inner| inner.kind == ItemKind::Function);
    let short = whole.len() <= WHOLE_BYTES && whole.lines().count() <= WHOLE_LINES;
    if item.body.is_none() || (data && short && !has_members) {
        push_dedented(&mut out, whole, column);
        return cut(out);
    }
    let body = item.body.clone().unwrap_or(item.byte_range.end..item.byte_range.end);
    let end = body.start.clamp(item.byte_range.start, item.byte_range.end);
    let head = text[item.byte_range.start..end].trim_end();
    let head = if data { head.trim_end_matches(['=', '{']).trim_end() } else { head };
    push_dedented(&mut out, head, column);
    if item.kind == ItemKind::Function {
        if let Some(line) = docstring(&text[body]) {
            out += &format!("\n    \"\"\"{line}\"\"\"");
        }
        return cut(out);
    }
    let parts = items[at + 1..]
        .iter()
        .take_while(|inner| inner.byte_range.start < item.byte_range.end)
        .filter(|inner| inner.parent == Some(at));
    for part in parts {
        let end = match part.kind {
            ItemKind::Field | ItemKind::Variant => part.byte_range.end,
            ItemKind::Function if makes(&part.name, &item.name) => {
                part.body.as_ref().map_or(part.byte_range.end, |body| body.start)
            }
            _ => continue,
        };
        let line = text[part.byte_range.start..end].lines().next().unwrap_or_default().trim_end();
        if out.len() + line.len() > MAX_TEXT {
            break;
        }
        out += "\n    ";
        out += line;
    }
    cut(out)
}

/// Whether a member makes values of its class: calls of the class are calls of it.
fn makes(member: &str, class: &str) -> bool {
    matches!(member, "__init__" | "constructor" | "initialize" | "init" | "__construct") || member == class
}

/// The first lines of the comment above an item; attributes stay out.
fn doc(language: Language, above: &str) -> String {
    let mut out = String::new();
    let mut block: Option<&str> = None;
    let mut kept = 0;
    for line in above.lines().map(str::trim) {
        if kept == DOC_LINES {
            break;
        }
        if let Some(close) = block {
            let said = line.trim_end_matches(close).trim_matches(['*', ' ']);
            if line.ends_with(close) {
                block = None;
            }
            if !said.is_empty() && kept == 0 {
                out += &format!("{said} {close}\n");
                kept = DOC_LINES;
            }
        } else if language.line_comments().iter().any(|token| line.starts_with(token)) {
            if line.chars().any(char::is_alphanumeric) {
                out += line;
                out.push('\n');
                kept += 1;
            }
        } else if let Some((open, close)) =
            language.block_comments().iter().find(|(o, _)| line.starts_with(o))
        {
            if line.ends_with(close) {
                out += line;
                out.push('\n');
                kept += 1;
            } else if line.chars().any(char::is_alphanumeric) {
                out += &format!("{line} {close}\n");
                kept = DOC_LINES;
            } else {
                out += open;
                out.push(' ');
                block = Some(close);
            }
        }
    }
    // A block comment that says nothing has left only its opening.
    if kept == 0 {
        out.clear();
    }
    out
}

/// The first line of what stands as a string at the start of a body.
fn docstring(body: &str) -> Option<&str> {
    let body = body.trim_start().trim_start_matches(['r', 'R']);
    let quote = ["\"\"\"", "'''"].into_iter().find(|quote| body.starts_with(quote))?;
    let inner = &body[quote.len()..];
    let inner = inner.split(quote).next().unwrap_or(inner);
    inner.lines().map(str::trim).find(|line| !line.is_empty())
}

/// Adds lines with the indentation taken away that the first of them has.
fn push_dedented(out: &mut String, text: &str, column: usize) {
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        let blank = line.len() - line.trim_start().len();
        let taken = if number == 0 { 0 } else { blank.min(column) };
        out.push_str(line.get(taken..).unwrap_or(line).trim_end());
    }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let mut end = MAX_TEXT;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text += " …";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(language: &str, text: &str, expected: &[&str]) {
        let language = Language::by_name(language).unwrap();
        let tree = language.parse(text, None).unwrap();
        let found = symbols(language, &tree, text);
        let shown: Vec<String> = (0..found.len())
            .map(|at| {
                let symbol = &found[at];
                let inside = container(&found, at).map(|name| format!(" in {name}")).unwrap_or_default();
                format!(
                    "{}{inside} {}..{}: {}",
                    symbol.name, symbol.lines.start, symbol.lines.end, symbol.text
                )
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn signatures_without_bodies_and_data_whole() {
        let text = "use std::fmt;\n\n/// A queue.\n///\n/// Of things.\n/// And more.\n#[derive(Debug)]\npub struct Queue<T> {\n    items: Vec<T>,\n}\n\nimpl<T> Queue<T> {\n    // adds one\n    pub fn push(\n        &mut self,\n        item: T,\n    ) -> usize {\n        fn inner() {}\n        self.items.push(item);\n    }\n}\n\nconst N: usize = 3;\n";
        check(
            "rust",
            text,
            &[
                "Queue 7..10: /// A queue.\n/// Of things.\npub struct Queue<T> {\n    items: Vec<T>,\n}",
                "Queue<T> 11..21: impl<T> Queue<T>",
                "push in Queue 13..20: // adds one\npub fn push(\n    &mut self,\n    item: T,\n) -> usize",
                "N 22..23: const N: usize = 3;",
            ],
        );
    }

    #[test]
    fn python_classes_have_their_fields_and_functions_their_docstring() {
        let text = "@dataclass\nclass Queue(Base):\n    \"\"\"Of things.\"\"\"\n    name: str\n    size: int = 0\n\n    async def pop(self, n: int = 1) -> list:\n        \"\"\"\n        Takes some.\n\n        More.\n        \"\"\"\n        return []\n";
        check(
            "python",
            text,
            &[
                "Queue 0..13: @dataclass\nclass Queue(Base):\n    name: str\n    size: int = 0",
                "pop in Queue 6..13: async def pop(self, n: int = 1) -> list:\n    \"\"\"Takes some.\"\"\"",
            ],
        );
    }

    #[test]
    fn long_data_is_its_head_and_fields_and_long_text_is_cut() {
        let variants: String = (0..20).map(|n| format!("    V{n},\n")).collect();
        let text = format!("enum Big {{\n{variants}}}\n");
        let rust = Language::by_name("rust").unwrap();
        let found = symbols(rust, &rust.parse(&text, None).unwrap(), &text);
        assert!(found[0].text.starts_with("enum Big\n    V0\n    V1"), "{}", found[0].text);
        let text = format!("fn f({}) {{}}\n", "é: u8, ".repeat(400));
        let found = symbols(rust, &rust.parse(&text, None).unwrap(), &text);
        assert!(found[0].text.len() <= MAX_TEXT + 5 && found[0].text.ends_with('…'));
    }

    #[test]
    fn a_type_is_known_by_its_last_name() {
        for (path, name) in [
            ("Queue<T>", "Queue"),
            ("&'a mut std::vec::Vec<T>", "Vec"),
            ("a.B", "B"),
            ("[u8]", ""),
            ("x", "x"),
        ] {
            assert_eq!(base_name(path), name, "{path}");
        }
    }
}
