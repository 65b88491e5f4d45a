//! What can stand behind a dot or `::`: the members of a type and the items of a module, a line each, the likeliest first.

use std::ops::Range;

use redraft_grammars::ItemKind;

use super::symbol::{Symbol, container};

/// The longest list: two of them fit beside what else is worth knowing.
const MAX_BYTES: usize = 700;
/// The longest line of one.
const MAX_LINE: usize = 180;

/// What is listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'w> {
    /// What the user has typed of the name.
    pub(super) prefix: &'w str,
    /// Whether a value stands before the dot; otherwise the type itself.
    pub(super) of_value: bool,
}

/// The members of a type in one file.
pub(super) fn of_type(symbols: &[Symbol], owner: &str, wanted: Wanted<'_>) -> Option<(Range<u32>, String)> {
    let mut members: Vec<usize> =
        (0..symbols.len()).filter(|at| container(symbols, *at) == Some(owner)).collect();
    keep_if_any(&mut members, |at| of_value(&symbols[*at]) == wanted.of_value);
    list(symbols, members, owner, wanted.prefix)
}

/// What a file defines at its top.
pub(super) fn of_module(symbols: &[Symbol], prefix: &str) -> Option<(Range<u32>, String)> {
    let top = |at: &usize| {
        let symbol = &symbols[*at];
        symbol.parent.is_none()
            && symbol.owner.is_none()
            && !matches!(symbol.kind, ItemKind::Impl | ItemKind::Module)
    };
    let mut items: Vec<usize> = (0..symbols.len()).filter(top).collect();
    items.sort_by_key(|at| !matches!(symbols[*at].kind, ItemKind::Function | ItemKind::Macro));
    list(symbols, items, "", prefix)
}

fn list(symbols: &[Symbol], mut of: Vec<usize>, owner: &str, prefix: &str) -> Option<(Range<u32>, String)> {
    let prefix = prefix.to_lowercase();
    keep_if_any(&mut of, |at| symbols[*at].name.to_lowercase().starts_with(&prefix));
    of.sort_by_key(|at| remoteness(symbols, *at));
    let mut text = String::new();
    let mut lines: Option<Range<u32>> = None;
    let mut open: Option<Option<u32>> = None;
    for at in of {
        let symbol = &symbols[at];
        let line = line_of(symbol);
        if text.len() + line.len() > MAX_BYTES {
            break;
        }
        if !owner.is_empty() && open != Some(symbol.parent) {
            text += if open.is_some() { "}\n" } else { "" };
            let head = symbol.parent.and_then(|parent| head_line(&symbols[parent as usize]));
            text += &format!("{} {{\n", head.unwrap_or(owner).trim_end_matches([' ', '{', ':']));
            open = Some(symbol.parent);
        }
        text += if owner.is_empty() { "" } else { "    " };
        text += &line;
        text.push('\n');
        let range = lines.get_or_insert(symbol.lines.clone());
        *range = range.start.min(symbol.lines.start)..range.end.max(symbol.lines.end);
    }
    text += if open.is_some() { "}" } else { "" };
    text.truncate(text.trim_end().len());
    Some((lines?, text))
}

fn keep_if_any<T>(of: &mut Vec<T>, keep: impl Fn(&T) -> bool) {
    if of.iter().any(&keep) {
        of.retain(keep);
    }
}

/// Whether a member is reached through a value.
fn of_value(symbol: &Symbol) -> bool {
    if symbol.kind != ItemKind::Function {
        return false;
    }
    let text = bare(symbol);
    let first = text.split_once('(').map_or("", |(_, parameters)| parameters.trim_start());
    let first = first[..first.find([',', ')']).unwrap_or(first.len())].trim();
    // Where `self` is written it tells; elsewhere `static` does.
    let written = ["self", "&self", "&mut self", "mut self"].contains(&first) || first.starts_with("self:");
    written || !(text.contains("fn ") || text.contains("def ") || text.contains("static "))
}

/// How unlikely code of other files is to use it: what is private, and what a trait brings along, comes last.
fn remoteness(symbols: &[Symbol], at: usize) -> u8 {
    let symbol = &symbols[at];
    let of_trait = symbol.parent.is_some_and(|parent| symbols[parent as usize].name.contains(" for "));
    let text = bare(symbol);
    let private = text.starts_with("fn ") || text.contains("private ") || symbol.name.starts_with('_');
    if of_trait { 1 } else { 2 * u8::from(private) }
}

/// A symbol in one line.
fn line_of(symbol: &Symbol) -> String {
    let text = bare(symbol);
    let function = matches!(symbol.kind, ItemKind::Function | ItemKind::Macro);
    if !function {
        let head = head_line(symbol).unwrap_or_default();
        return cut(head.trim_end_matches([' ', '{', ':', '(']).to_owned());
    }
    let mut out = String::new();
    for line in text.lines().map(str::trim) {
        if line == "where" || line.starts_with("where ") || line.starts_with("\"\"\"") {
            break;
        }
        let glued = out.is_empty() || out.ends_with(['(', '<']) || line.starts_with([')', '>']);
        if line.starts_with([')', '>']) {
            out.truncate(out.trim_end_matches(',').len());
        }
        out += if glued { "" } else { " " };
        out += line;
    }
    cut(out)
}

fn cut(mut line: String) -> String {
    if line.len() > MAX_LINE {
        let end = (0..=MAX_LINE).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
        line.truncate(end);
        line += " …";
    }
    line
}

/// The line of a symbol's text that has its name.
pub(super) fn head_line(symbol: &Symbol) -> Option<&str> {
    let name = symbol.type_name().unwrap_or(&symbol.name);
    let mut lines = symbol.text.lines().filter(|line| !line.trim_start().starts_with(['/', '#', '@', '*']));
    lines.find(|line| line.contains(name))
}

/// A symbol's text without the comment above it.
fn bare(symbol: &Symbol) -> &str {
    let mut text = symbol.text.as_str();
    while text.starts_with(['/', '#', '*', '@']) {
        let Some((_, rest)) = text.split_once('\n') else { break };
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::symbol::symbols;
    use super::*;
    use redraft_grammars::Language;

    #[track_caller]
    fn check(language: &str, text: &str, owner: &str, wanted: Wanted<'_>, expected: &str) {
        let language = Language::by_name(language).unwrap();
        let symbols = symbols(language, &language.parse(text, None).unwrap(), text);
        let found = of_type(&symbols, owner, wanted).map(|(_, text)| text);
        assert_eq!(found.unwrap_or_default(), expected);
    }

    const SHAPE: &str = "struct Shape;\n\nimpl Default for Shape {\n    fn default() -> Self {}\n}\n\nimpl Shape {\n    fn grown() -> Self {}\n\n    /// One.\n    pub fn unit<T>(\n        of: T,\n        by: u8,\n    ) -> Shape\n    where\n        T: Copy,\n    {\n    }\n\n    pub fn area(&self) -> u8 {}\n}\n";

    #[test]
    fn a_type_has_constructors_and_a_value_has_methods() {
        let wanted = Wanted { prefix: "", of_value: true };
        check("rust", SHAPE, "Shape", wanted, "impl Shape {\n    pub fn area(&self) -> u8\n}");
        let all = "impl Shape {\n    pub fn unit<T>(of: T, by: u8) -> Shape\n}\nimpl Default for Shape {\n    fn default() -> Self\n}\nimpl Shape {\n    fn grown() -> Self\n}";
        check("rust", SHAPE, "Shape", Wanted { of_value: false, ..wanted }, all);
        check(
            "rust",
            SHAPE,
            "Shape",
            Wanted { prefix: "x", ..wanted },
            "impl Shape {\n    pub fn area(&self) -> u8\n}",
        );
        check("rust", SHAPE, "Other", wanted, "");
        let text = "class A {\n    static make() {}\n    area() {}\n}\n";
        check("javascript", text, "A", wanted, "class A {\n    area()\n}");
    }

    #[test]
    fn a_list_is_short_whatever_there_is() {
        let methods: String = (0..99)
            .map(|n| format!("    pub fn method_{n}(&self, {}) {{}}\n", "é: u8, ".repeat(n)))
            .collect();
        let text = format!("impl Shape {{\n{methods}}}\n");
        let language = Language::by_name("rust").unwrap();
        let symbols = symbols(language, &language.parse(&text, None).unwrap(), &text);
        let (_, list) = of_type(&symbols, "Shape", Wanted { prefix: "", of_value: true }).unwrap();
        assert!(
            list.len() < MAX_BYTES + 100 && list.lines().all(|line| line.len() < MAX_LINE + 10),
            "{list}"
        );
        assert!(list.ends_with("}") && list.contains("method_5"));
    }
}
