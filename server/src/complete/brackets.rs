//! Brackets outside of strings and comments, told from the text alone: the text around a cursor is rarely whole enough
//! for a tree, and the model's text never is.

use redraft_grammars::Language;

/// What a language's strings and comments look like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lexer {
    language: Option<Language>,
}

/// What a text ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    Code,
    Comment,
    String,
}

/// A bracket and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bracket {
    pub(super) at: usize,
    pub(super) character: char,
}

impl Bracket {
    pub(super) fn opens(self) -> bool {
        matches!(self.character, '(' | '[' | '{')
    }
}

/// The bracket that closes an opening one.
pub(super) fn closer(opener: char) -> char {
    match opener {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

impl Lexer {
    pub(super) fn new(language: Option<Language>) -> Lexer {
        Lexer { language }
    }

    fn line_comments(self) -> &'static [&'static str] {
        self.language.map_or(&["//", "#"], Language::line_comments)
    }

    fn block_comments(self) -> &'static [(&'static str, &'static str)] {
        self.language.map_or(&[("/*", "*/")], Language::block_comments)
    }

    fn is(self, name: &str) -> bool {
        self.language.is_some_and(|language| language.name() == name)
    }

    /// The brackets of a text that begins in code, in order, and what it ends in.
    pub(super) fn scan(self, text: &str) -> (Vec<Bracket>, Inside) {
        let mut brackets = Vec::new();
        let mut at = 0;
        while let Some(character) = text[at..].chars().next() {
            let rest = &text[at..];
            if self.line_comments().iter().any(|start| rest.starts_with(start)) {
                let Some(end) = rest.find('\n') else { return (brackets, Inside::Comment) };
                at += end;
                continue;
            }
            if let Some((open, close)) = self.block_comments().iter().find(|(open, _)| rest.starts_with(open))
            {
                let Some(end) = rest[open.len()..].find(close) else { return (brackets, Inside::Comment) };
                at += open.len() + end + close.len();
                continue;
            }
            if let Some(quoted) = self.quoted(rest) {
                let Some(length) = quoted else { return (brackets, Inside::String) };
                at += length;
                continue;
            }
            if matches!(character, '(' | ')' | '[' | ']' | '{' | '}') {
                brackets.push(Bracket { at, character });
            }
            at += character.len_utf8();
        }
        (brackets, Inside::Code)
    }

    /// The length of the string that the text begins with: nothing if there is none, nothing inside if it does not end.
    fn quoted(self, text: &str) -> Option<Option<usize>> {
        let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
        if quote == '\'' && self.is("rust") {
            // A lifetime, unless a quote follows the one character.
            let mut characters = text[1..].chars();
            let first = characters.next()?;
            if first != '\\' && characters.next() != Some('\'') {
                return None;
            }
        }
        let triple: &str = match quote {
            '"' => "\"\"\"",
            '\'' => "'''",
            _ => "```",
        };
        if quote != '`' && text.starts_with(triple) {
            return Some(text[3..].find(triple).map(|end| end + 6));
        }
        // These go on over lines.
        let many_lines = quote == '`' || (quote == '"' && self.is("rust"));
        let mut escaped = false;
        for (at, character) in text.char_indices().skip(1) {
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '\n' if !many_lines => return Some(Some(at)),
                _ if character == quote => return Some(Some(at + 1)),
                _ => {}
            }
        }
        Some(None)
    }

    /// The brackets that a text opens and does not close, the outermost first.
    pub(super) fn unclosed(self, text: &str) -> Vec<char> {
        let mut open = Vec::new();
        for bracket in self.scan(text).0 {
            if bracket.opens() {
                open.push(bracket.character);
            } else if open.last().map(|last| closer(*last)) == Some(bracket.character) {
                open.pop();
            }
        }
        open
    }

    /// The closing brackets of a text whose opening ones stand before it, in order.
    pub(super) fn unopened(self, text: &str) -> Vec<Bracket> {
        let (mut depth, mut closers) = (0_usize, Vec::new());
        for bracket in self.scan(text).0 {
            if bracket.opens() {
                depth += 1;
            } else if depth > 0 {
                depth -= 1;
            } else {
                closers.push(bracket);
            }
        }
        closers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(language: &str, text: &str, unclosed: &str, unopened: &str, inside: Inside) {
        let lexer = Lexer::new(Language::by_name(language));
        assert_eq!(lexer.unclosed(text).into_iter().collect::<String>(), unclosed);
        let closers: String = lexer.unopened(text).iter().map(|bracket| bracket.character).collect();
        assert_eq!((closers.as_str(), lexer.scan(text).1), (unopened, inside));
    }

    #[test]
    fn strings_and_comments_hold_no_brackets() {
        check("rust", "fn a<'a>(x: &'a str) { f(\"(\", '[', '\\'', /* { */ g", "{(", "", Inside::Code);
        check("rust", "a(b[c // )]", "([", "", Inside::Comment);
        check("rust", "x = \"abc\\\"(", "", "", Inside::String);
        check("python", "def f(a):\n    '''(\n''' # [\n    g({", "({", "", Inside::Code);
        check("python", "x = 'it\nf(", "(", "", Inside::Code);
        check("javascript", "`a ${b} (` + f(", "(", "", Inside::Code);
    }

    #[test]
    fn what_closes_without_an_opener_is_told() {
        check("rust", "); }\nfn b() { c() }\n}", "", ")}}", Inside::Code);
        check("rust", "", "", "", Inside::Code);
    }
}
