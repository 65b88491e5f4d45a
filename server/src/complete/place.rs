//! Where the cursor stands, as far as a completion depends on it.

use redraft_grammars::{Language, Tree};

use super::brackets::{Inside, Lexer, closer};

/// Text further away than this plays no part in counting brackets.
const REACH: usize = 20_000;

/// What follows the cursor in its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Blanks at most.
    Nothing,
    /// Closing brackets and quotes, as editors put them there by themselves.
    Closers,
    /// Something that a person wrote.
    Text,
}

/// How much may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// The statement that was begun.
    Statement,
    /// A block, up to its end or to a blank line.
    Block,
}

/// The cursor's surroundings.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The line up to the cursor.
    pub(super) line: String,
    pub(super) rest: Rest,
    /// The line from the cursor on.
    pub(super) rest_text: String,
    pub(super) extent: Extent,
    /// Brackets open at the cursor for which nothing that follows is the closing one, the outermost first.
    pub(super) missing: Vec<char>,
    /// The next line with anything in it, without its indentation.
    pub(super) next_line: String,
    /// The line before the cursor's with anything in it, without its indentation.
    pub(super) previous_line: String,
    pub(super) language: Option<Language>,
}

impl Place {
    /// The surroundings of a byte of a text with line feeds only.
    pub(super) fn new(text: &str, cursor: usize, language: Option<Language>) -> Place {
        let start = line_start(text, cursor);
        let end = text[cursor..].find('\n').map_or(text.len(), |at| cursor + at);
        let (line, rest_text) = (&text[start..cursor], &text[cursor..end]);
        let rest = match rest_text.trim() {
            "" => Rest::Nothing,
            rest if rest
                .chars()
                .all(|c| matches!(c, ')' | ']' | '}' | '>' | '"' | '\'' | '`' | ';' | ',' | ':')) =>
            {
                Rest::Closers
            }
            _ => Rest::Text,
        };
        let begun = line.trim_end();
        let opened = ["{", "(", "[", ":", ";", "}", ",", "=>", "->", " do", " then", "else", ">"]
            .iter()
            .any(|end| begun.ends_with(end));
        let extent = if rest == Rest::Nothing && (begun.is_empty() || opened) {
            Extent::Block
        } else {
            Extent::Statement
        };
        let lexer = Lexer::new(language);
        let from = line_start(text, floor(text, cursor.saturating_sub(REACH)));
        let until = floor(text, (end + REACH).min(text.len()));
        let mut missing = lexer.unclosed(&text[from..cursor]);
        for bracket in lexer.unopened(&text[cursor..until]) {
            // The outer ones are closed for sure; what was just typed is not, as a rule.
            if let Some(at) = missing.iter().position(|open| closer(*open) == bracket.character) {
                missing.remove(at);
            }
        }
        let filled = |line: &&str| !line.trim().is_empty();
        Place {
            line: line.to_owned(),
            rest,
            rest_text: rest_text.to_owned(),
            extent,
            missing,
            next_line: text[end..].lines().find(filled).unwrap_or_default().trim().to_owned(),
            previous_line: text[..start].lines().rev().find(filled).unwrap_or_default().trim().to_owned(),
            language,
        }
    }

    /// What begins the text that the model is shown behind the hole: the editor's own closing brackets are no part of it,
    /// so that it stays what it is when one is typed.
    pub(super) fn after_from(&self, cursor: usize) -> usize {
        match self.rest {
            Rest::Text => cursor,
            Rest::Nothing | Rest::Closers => cursor + self.rest_text.len(),
        }
    }
}

/// Where the line of a byte begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |at| at + 1)
}

/// The next place at or before `at` that is between two characters.
pub(super) fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Whether a byte lies in a comment or a string: by the tree, and by the line where the tree cannot tell.
pub(super) fn inside(text: &str, cursor: usize, language: Option<Language>, tree: Option<&Tree>) -> Inside {
    if let Some(tree) = tree {
        let before = cursor.saturating_sub(1);
        let mut node = tree.root_node().descendant_for_byte_range(before, cursor);
        while let Some(found) = node {
            let (kind, range) = (found.kind(), found.byte_range());
            if kind.contains("interpolation") || kind.contains("substitution") {
                return Inside::Code;
            }
            let within = range.start < cursor && cursor < range.end;
            let line_end = range.start < cursor && cursor == range.end && !text[..cursor].ends_with('\n');
            if kind.contains("comment") && (within || (line_end && !text[range].ends_with("*/"))) {
                return Inside::Comment;
            }
            if within && (kind.contains("string") || kind == "char_literal") {
                return Inside::String;
            }
            node = found.parent();
        }
    }
    Lexer::new(language).scan(&text[line_start(text, cursor)..cursor]).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(marked: &str) -> (String, usize) {
        (marked.replace("$0", ""), marked.find("$0").expect("a cursor"))
    }

    #[track_caller]
    fn check(language: &str, marked: &str, rest: Rest, extent: Extent, missing: &str) {
        let (text, cursor) = cut(marked);
        let place = Place::new(&text, cursor, Language::by_name(language));
        let found = (place.rest, place.extent, place.missing.iter().collect::<String>());
        assert_eq!(found, (rest, extent, missing.to_owned()), "{marked}");
    }

    #[test]
    fn the_line_says_how_much_is_wanted() {
        check("rust", "fn a() {\n    $0\n}\n", Rest::Nothing, Extent::Block, "");
        check("rust", "fn a() {\n    let x = $0\n}\n", Rest::Nothing, Extent::Statement, "");
        check("rust", "fn a() {\n    f($0);\n}\n", Rest::Closers, Extent::Statement, "");
        check("rust", "fn a() {\n    f($0, b);\n}\n", Rest::Text, Extent::Statement, "");
        check("python", "def f(x):$0\n", Rest::Nothing, Extent::Block, "");
    }

    #[test]
    fn a_bracket_that_nothing_closes_is_missing() {
        check("rust", "fn a() {\n    if b {$0\n}\n", Rest::Nothing, Extent::Block, "{");
        check("rust", "fn a() {\n    f(g($0\n}\n", Rest::Nothing, Extent::Block, "((");
        check("rust", "fn a() {$0", Rest::Nothing, Extent::Block, "{");
    }

    #[track_caller]
    fn check_inside(language: &str, marked: &str, expected: Inside) {
        let (text, cursor) = cut(marked);
        let language = Language::by_name(language);
        let tree = language.and_then(|language| language.parse(&text, None));
        assert_eq!(inside(&text, cursor, language, tree.as_ref()), expected, "{marked}");
    }

    #[test]
    fn comments_and_strings_are_known() {
        check_inside("rust", "// a $0\nfn b() {}\n", Inside::Comment);
        check_inside("rust", "// a\n$0fn b() {}\n", Inside::Code);
        check_inside("rust", "/* a */$0\n", Inside::Code);
        check_inside("rust", "fn a() { f(\"x $0 y\") }\n", Inside::String);
        check_inside("rust", "fn a() { f(\"x\"$0) }\n", Inside::Code);
        check_inside("rust", "fn a() {\n    f(\"x $0\n", Inside::String);
        check_inside("python", "def f():\n    \"\"\"a\n    $0\n    \"\"\"\n", Inside::String);
        check_inside("python", "x = f\"a {b$0} c\"\n", Inside::Code);
        check_inside("python", "x = 1 # $0\n", Inside::Comment);
        check_inside("none of ours", "x = 1 // $0\n", Inside::Comment);
    }
}
