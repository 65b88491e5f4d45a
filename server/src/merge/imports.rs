//! Imports as signs of what an edit means: an import that nothing uses any more went with its last use, and one that is
//! still used stayed. Read line by line, so that it works on files that do not parse. It must never decide anything by
//! itself: it is evidence among other evidence.

use std::collections::HashSet;

use redraft_grammars::Language;

use super::OutputLine;
use super::lines::tokens;
use super::names::defined_name;

/// How a language writes its imports.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    /// `from a import b as c`
    Python,
    /// `use a::{b, c as d};`
    Rust,
    /// `import { a as b } from "c"`
    Ecma,
    /// `import ( a "b/c" )`
    Go,
    /// `import a.b.C`
    Path,
}

impl Form {
    fn of(language: Language) -> Option<Form> {
        match language.name() {
            "python" => Some(Form::Python),
            "rust" => Some(Form::Rust),
            "javascript" | "jsx" | "typescript" | "tsx" | "vue" | "svelte" => Some(Form::Ecma),
            "go" => Some(Form::Go),
            "java" | "kotlin" | "scala" | "csharp" | "php" | "swift" => Some(Form::Path),
            _ => None,
        }
    }

    fn starts_import(self, line: &str) -> bool {
        let text = line.trim_start();
        match self {
            Form::Python => {
                text.starts_with("import ") || (text.starts_with("from ") && text.contains(" import"))
            }
            Form::Rust => text.starts_with("use ") || text.starts_with("extern crate "),
            Form::Ecma => {
                let declares = ["const ", "let ", "var "].iter().any(|word| text.starts_with(word));
                text.starts_with("import ")
                    || text.starts_with("import{")
                    || (declares && text.contains("require("))
            }
            Form::Go => text.starts_with("import "),
            // In the body of a PHP class, `use` takes a trait in; in C#, `using` may open a block.
            Form::Path => {
                text.starts_with("import ")
                    || (text.len() == line.len() && text.starts_with("use "))
                    || (text.starts_with("using ") && !text.contains(['(', '=']))
            }
        }
    }

    /// Calls `bind` with each name that a line of an import binds.
    fn bound<'t>(self, line: &'t str, bind: &mut dyn FnMut(&'t str)) {
        let comment = if self == Form::Python { "#" } else { "//" };
        let text = match self {
            // A path has slashes.
            Form::Go | Form::Ecma => line,
            _ => line.split(comment).next().unwrap_or(line),
        };
        match self {
            Form::Go => {
                let mut parts = text.split('"');
                let (Some(before), Some(path)) = (parts.next(), parts.next()) else { return };
                let alias =
                    before.split_whitespace().last().filter(|word| *word != "import" && is_name(word));
                bind(alias.unwrap_or_else(|| path.rsplit('/').next().unwrap_or(path)));
            }
            Form::Python => {
                let names = match text.split_once("import ") {
                    Some((_, names)) => names,
                    None => text,
                };
                for part in names.split(',') {
                    let part =
                        part.trim_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '\\'));
                    let name = match part.split_once(" as ") {
                        Some((_, alias)) => alias.trim(),
                        None => part.split('.').next().unwrap_or(part),
                    };
                    if is_name(name) {
                        bind(name);
                    }
                }
            }
            Form::Ecma => {
                let end = text.find("from ").or_else(|| text.find("require(")).unwrap_or(text.len());
                last_of_paths(&text[..end], &[], bind);
            }
            Form::Rust => last_of_paths(text, &["::"], bind),
            Form::Path => last_of_paths(text, &[".", "\\"], bind),
        }
    }
}

/// Whether a word of a line belongs to what stands before it: `a.word`, `a::word`, but not `..word`.
fn is_member(line: &str, word: &str) -> bool {
    let before = &line[..word.as_ptr() as usize - line.as_ptr() as usize];
    before.ends_with("::") || (before.ends_with('.') && !before.ends_with(".."))
}

/// Words of an import that are no names.
const WORDS: [&str; 16] = [
    "import", "use", "using", "extern", "crate", "self", "super", "type", "typeof", "const", "let", "var",
    "default", "static", "function", "_",
];

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Calls `bind` with the words that none of `separators` follows; of `a as b`, with `b`.
fn last_of_paths<'t>(text: &'t str, separators: &[&str], bind: &mut dyn FnMut(&'t str)) {
    let mut last: Option<&str> = None;
    for word in tokens(text).filter(|word| is_name(word)) {
        if word == "as" {
            last = None;
            continue;
        }
        if let Some(name) = last.take() {
            bind(name);
        }
        let end = word.as_ptr() as usize - text.as_ptr() as usize + word.len();
        let goes_on = separators.iter().any(|separator| text[end..].trim_start().starts_with(separator));
        last = (!WORDS.contains(&word) && !goes_on).then_some(word);
    }
    if let Some(name) = last {
        bind(name);
    }
}

/// The imports of a file and which of them it uses.
pub(super) struct Imports<'a> {
    form: Option<Form>,
    bound: HashSet<&'a str>,
    used: HashSet<&'a str>,
}

impl<'a> Imports<'a> {
    /// Reads a file's.
    pub(super) fn new(text: &[&'a str], language: Option<Language>) -> Imports<'a> {
        let form = language.and_then(Form::of);
        let mut imports = Imports { form, bound: HashSet::new(), used: HashSet::new() };
        let Some(form) = form else { return imports };
        let mut bound = HashSet::new();
        read(form, text.iter().copied(), |line| form.bound(line, &mut |name| _ = bound.insert(name)), |_| ());
        imports.bound = bound;
        let seen = imports.look(form, text.iter().copied());
        imports.used = imports.bound.iter().copied().filter(|name| seen.used.contains(name)).collect();
        imports
    }

    /// Of an edited file: how many imports it keeps that were used and no longer are, and how many names it uses whose
    /// import has gone.
    pub(super) fn compare(&self, output: &[OutputLine]) -> (usize, usize) {
        let Some(form) = self.form.filter(|_| !self.bound.is_empty()) else { return (0, 0) };
        let seen = self.look(form, output.iter().map(|line| line.text.as_str()));
        let orphaned =
            self.used.iter().filter(|name| seen.bound.contains(*name) && !seen.used.contains(*name));
        let missing = self.bound.iter().filter(|name| {
            !seen.bound.contains(*name) && !seen.defined.contains(*name) && seen.used.contains(*name)
        });
        (orphaned.count(), missing.count())
    }

    /// What a text does with the names that the file imports.
    fn look<'t>(&self, form: Form, lines: impl Iterator<Item = &'t str>) -> Seen<'t> {
        let (mut bound, mut used, mut defined) = (HashSet::new(), HashSet::new(), HashSet::new());
        let known = |name: &str| self.bound.contains(name);
        let on_import = |line: &'t str| {
            form.bound(line, &mut |name| {
                if known(name) {
                    bound.insert(name);
                }
            });
        };
        let on_other = |line: &'t str| {
            used.extend(tokens(line).filter(|word| known(word) && !is_member(line, word)));
            defined.extend(defined_name(line.trim()).filter(|name| known(name)));
        };
        read(form, lines, on_import, on_other);
        Seen { bound, used, defined }
    }
}

/// What a text does with names that a file imports.
struct Seen<'t> {
    bound: HashSet<&'t str>,
    used: HashSet<&'t str>,
    defined: HashSet<&'t str>,
}

/// Tells the lines of imports from the others. An import goes on until its brackets are closed.
fn read<'t>(
    form: Form,
    lines: impl Iterator<Item = &'t str>,
    mut on_import: impl FnMut(&'t str),
    mut on_other: impl FnMut(&'t str),
) {
    let depth_of = |line: &str| {
        let count = |wanted: [char; 2]| line.chars().filter(|c| wanted.contains(c)).count();
        count(['(', '{']).cast_signed() - count([')', '}']).cast_signed()
    };
    let mut depth = 0;
    for line in lines {
        if depth > 0 || form.starts_import(line) {
            on_import(line);
            depth = (depth + depth_of(line)).max(0);
        } else {
            on_other(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use redraft_grammars::Language;

    use super::{Imports, OutputLine};

    /// What is orphaned and missing after an edit.
    fn check(language: &str, before: &str, after: &str, expected: (usize, usize)) {
        let before: Vec<&str> = before.lines().collect();
        let after: Vec<OutputLine> = after.lines().map(|line| OutputLine::added(0, line)).collect();
        let found = Imports::new(&before, Language::by_name(language)).compare(&after);
        assert_eq!(found, expected, "{language}");
    }

    #[test]
    fn an_import_that_lost_its_last_use_is_orphaned_and_one_that_went_too_early_is_missing() {
        for (language, import, usage) in [
            ("python", "from a.b import other, Thing", "x = Thing()"),
            ("python", "import a.b", "x = a.b.c"),
            ("python", "from a import (\n    Long as Thing,\n)", "x = Thing()"),
            ("rust", "use a::b::{self, Thing};", "let x = Thing::new();"),
            ("rust", "use a::{\n    Long as Thing,\n};", "let x: Thing = y();"),
            ("typescript", "import { Long as Thing } from './long'", "const x = new Thing()"),
            ("javascript", "const { Thing } = require('./thing')", "f(Thing)"),
            ("javascript", "import Thing from './thing'", "f(Thing)"),
            ("go", "import (\n\t\"a/b\"\n\tthing \"c/d\"\n)", "x := thing.New()"),
            ("go", "import \"a/thing\"", "x := thing.New()"),
            ("java", "import a.b.Thing;", "Thing x = null;"),
            ("kotlin", "import a.b.Long as Thing", "val x = Thing()"),
            ("php", "use A\\B\\Thing;", "$x = new Thing();"),
        ] {
            let before = format!("{import}\n\n{usage}\nrest();\n");
            check(language, &before, &before, (0, 0));
            check(language, &before, &format!("{import}\n\nrest();\n"), (1, 0));
            check(language, &before, &format!("{usage}\nrest();\n"), (0, 1));
            check(language, &before, "rest();\n", (0, 0));
        }
    }

    #[test]
    fn what_was_never_used_or_is_defined_now_is_neither() {
        check("python", "import thing\n\nx = 1\n", "import thing\n\nx = 2\n", (0, 0));
        let after = "class Thing:\n    pass\n\nx = Thing()\n";
        check("python", "from a import Thing\n\nx = Thing()\n", after, (0, 0));
        check("python", "from a import wait\n\nwait()\n", "import b\n\nb.wait()\n", (0, 0));
        check("javascript", "import { rest } from './a'\n\nf(rest)\n", "f(...rest)\n", (0, 1));
        check("c", "#include <thing.h>\n\nthing();\n", "#include <thing.h>\n", (0, 0));
    }
}
