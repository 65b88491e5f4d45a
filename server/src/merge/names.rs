//! Names: which word a line defines, and which lines head an item (a function, a type, a test, an `impl` block).

use super::lines::{indent_of, tokens};

/// Words that start an item, each right before the name that the line defines.
const ITEMS: [&str; 10] =
    ["fn", "def", "func", "fun", "function", "class", "struct", "enum", "trait", "interface"];

/// Further words that stand right before the name that a line defines.
const DEFINERS: [&str; 20] = [
    "type",
    "module",
    "mod",
    "namespace",
    "record",
    "union",
    "object",
    "protocol",
    "const",
    "static",
    "macro_rules",
    "package",
    "let",
    "var",
    "val",
    "TEST_IMPL",
    "typedef",
    "#define",
    "alias",
    "extension",
];

fn is_definer(word: &str) -> bool {
    ITEMS.contains(&word) || DEFINERS.contains(&word)
}

/// Words before a bracket that are no names of functions.
const CONTROL: [&str; 24] = [
    "if", "for", "while", "switch", "return", "else", "await", "new", "throw", "catch", "match", "assert",
    "unless", "until", "elif", "with", "using", "lock", "foreach", "yield", "raise", "not", "in", "function",
];

/// Whether a line starts a function, a type or the like.
pub(super) fn starts_item(trimmed: &str) -> bool {
    tokens(trimmed)
        .take(6)
        .take_while(|word| word.starts_with(char::is_alphabetic))
        .any(|word| ITEMS.contains(&word) || matches!(word, "impl" | "public" | "private" | "protected"))
}

fn is_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The name that a line defines: a function, a type, a constant, a method.
pub(super) fn defined_name(trimmed: &str) -> Option<&str> {
    let words: Vec<&str> = tokens(trimmed).collect();
    for (position, word) in words.iter().enumerate().take(8) {
        if is_definer(word) {
            let mut next =
                words[position + 1..].iter().skip_while(|word| matches!(**word, "mut" | "!" | "*"));
            // Go's receiver stands between `func` and the name.
            if *word == "func" && words.get(position + 1) == Some(&"(") {
                return next.skip_while(|word| **word != ")").nth(1).copied().filter(|word| is_word(word));
            }
            let name = next.next().copied().filter(|word| is_word(word))?;
            if !is_definer(name) {
                // `static void name(`: the type stands before the name.
                return match *word {
                    "static" | "const" => typed_name(&words).or(Some(name)),
                    _ => Some(name),
                };
            }
        } else if !is_word(word) && !matches!(*word, "(" | ")" | "@" | "<" | ">" | "," | ".") {
            break;
        }
    }
    // `static int name(`, `public void name(`, `it "name" do`.
    typed_name(&words).filter(|_| trimmed.ends_with(['{', '(', ',', ')']))
}

/// The name in `name = value` and `name: Type = value` at the top of a file, where a name is seldom given two values.
pub(super) fn assigned_name(line: &str) -> Option<&str> {
    let end = line.find(|c: char| !(c.is_alphanumeric() || c == '_'))?;
    let (name, rest) = line.split_at(end);
    let (before, value) = rest.split_once('=')?;
    let before = before.trim();
    let typed = before.is_empty() || (before.starts_with(':') && !before.ends_with(['!', '<', '>', '+']));
    (is_word(name) && typed && !value.starts_with(['=', '>', '~'])).then_some(name)
}

/// The name in `static int name(`.
fn typed_name<'a>(words: &[&'a str]) -> Option<&'a str> {
    let open = words.iter().position(|word| *word == "(")?;
    let name = *words.get(open.checked_sub(1)?)?;
    let before = &words[..open - 1];
    let typed = !before.is_empty()
        && before.iter().any(|word| is_word(word))
        && before.iter().all(|word| {
            (is_word(word) && !CONTROL.contains(word))
                || matches!(*word, "<" | ">" | "*" | "&" | "," | "?" | "[" | "]" | ":")
        });
    (typed && is_word(name) && !CONTROL.contains(&name)).then_some(name)
}

/// The name of the function, type, test or the like that a line heads, if it heads one.
pub(crate) fn item_name(line: &str) -> Option<&str> {
    let trimmed = line.trim();
    if trimmed.starts_with(['/', '*', '"', '\'', '`', '<', '}', ')']) {
        return None;
    }
    let opens = trimmed.ends_with(['{', '(', '[']);
    let top = indent_of(line) == 0;
    if trimmed.starts_with("impl") || trimmed.starts_with("unsafe impl") {
        let head = trimmed.split(['{', ';']).next().unwrap_or(trimmed);
        return Some(head.split(" where").next().unwrap_or(head).trim_end());
    }
    if let Some(receiver) = trimmed.strip_prefix("func (") {
        // `func (n *Type) Name(`: the type belongs to the name.
        let close = receiver.find(')')?;
        let typed = receiver[..close].rfind([' ', '*']).map_or(0, |blank| blank + 1);
        return receiver[typed..].split('(').next();
    }
    if let Some(name) = test_name(trimmed) {
        return Some(name);
    }
    if starts_item(trimmed) || (top && opens && !trimmed.starts_with("let ")) {
        return defined_name(trimmed);
    }
    let words: Vec<&str> = tokens(trimmed).collect();
    let heads = trimmed.ends_with('{') || (top && trimmed.ends_with([')', ',']));
    if let Some(name) = typed_name(&words).filter(|_| heads) {
        return Some(name);
    }
    // `name(a, b) {`
    let method = words.len() > 3 && words[1] == "(" && is_word(words[0]) && trimmed.ends_with('{');
    (method && !CONTROL.contains(&words[0]) && !trimmed.contains("=>")).then(|| words[0])
}

/// The sentence in `it("does this", () => {` or `describe "that" do`.
fn test_name(trimmed: &str) -> Option<&str> {
    let block = trimmed.ends_with(" do") || trimmed.ends_with('|');
    if !block && !trimmed.ends_with(['{', '(']) {
        return None;
    }
    let word = trimmed.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))?;
    let rest =
        trimmed[word..].strip_prefix('(').or_else(|| trimmed[word..].strip_prefix(' ').filter(|_| block))?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let text = &rest[1..];
    let named = word > 0 && !CONTROL.contains(&&trimmed[..word]);
    named.then(|| text.find(quote).map(|end| &text[..end])).flatten().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::item_name;

    #[test]
    fn items_of_many_languages_are_named() {
        for (line, name) in [
            ("    pub fn remove(&mut self, name: &str) {", "remove"),
            ("impl<T: Copy> Order<T> for Clause<T> {", "impl<T: Copy> Order<T> for Clause<T>"),
            ("    async def get(self):", "get"),
            ("class Box(Base):", "Box"),
            ("func (n *Namespace) Ne(first any) bool {", "Namespace) Ne"),
            ("func (Plain) Ne() bool {", "Plain) Ne"),
            ("func plain() {", "plain"),
            ("    public static void checkAll(Object o)", "checkAll"),
            ("static int uv_read(int a,", "uv_read"),
            ("  render(a, b) {", "render"),
            ("  async load() {", "load"),
            ("  it(\"does this\", async () => {", "does this"),
            ("  describe 'entry' do", "entry"),
            ("export const handler = async () => {", "handler"),
        ] {
            assert_eq!(item_name(line), Some(name), "{line}");
        }
    }

    #[test]
    fn other_lines_head_nothing() {
        for line in [
            "    let x = call(y);",
            "    if (a) {",
            "    } else if (b(c)) {",
            "    foo(a => {",
            "    return call(x)",
            "    raise ValueError(x)",
            "/// class of things",
            "    call(x);",
            "import { a } from 'b'",
            "assert \"a\" == str(",
            "",
        ] {
            assert_eq!(item_name(line), None, "{line}");
        }
    }
}
