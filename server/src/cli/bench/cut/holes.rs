//! Places of a file where something can be cut out that a person might have been about to type.

use std::ops::Range;

use redraft_grammars::Language;

use super::Kind;

/// Longest block in lines.
const BLOCK: usize = 8;

/// All holes of a kind. `is_elsewhere` says whether another file defines what is called at the end of a text.
pub(super) fn holes(
    kind: Kind,
    text: &str,
    language: Language,
    is_elsewhere: &dyn Fn(&str) -> bool,
) -> Vec<Range<usize>> {
    let comments = language.parse(text, None).map_or_else(Vec::new, |tree| language.comments(&tree, text));
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        lines.push(start..start + line.trim_end().len());
        start += line.len();
    }
    let is_code = |line: &Range<usize>| {
        let indent = text[line.clone()].len() - text[line.clone()].trim_start().len();
        let at = line.start + indent;
        text[line.clone()].chars().filter(|c| c.is_alphanumeric()).count() >= 4
            && !comments.iter().any(|comment| comment.contains(&at))
    };
    let mut holes = Vec::new();
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| is_code(line)) {
        let content = text[line.clone()].trim_start();
        let from = line.end - content.len();
        match kind {
            Kind::Line => holes.push(from..line.end),
            Kind::Statement => {
                // After a word or an operator, with something said and something to say.
                let cuts = content.char_indices().filter(|(at, c)| {
                    matches!(c, ' ' | '.' | '(' | '=') && *at >= 3 && content.len() - at >= 5
                });
                holes.extend(cuts.map(|(at, c)| from + at + c.len_utf8()..line.end));
            }
            Kind::Argument => holes.extend(calls(content, from).filter(|hole| hole.len() >= 3)),
            Kind::Across | Kind::AcrossName => {
                for hole in calls(content, from) {
                    let called = &text[..hole.start];
                    let named = if kind == Kind::AcrossName { callee(called).len() + 1 } else { 0 };
                    if is_elsewhere(called) && !defines(content) {
                        holes.push(hole.start - named..line.end);
                    }
                }
            }
            Kind::Block => {
                let indent = line.end - line.start - content.len();
                let inner = lines[number + 1..].iter().take_while(|inner| {
                    let inside = &text[(*inner).clone()];
                    inside.trim().is_empty() || inside.len() - inside.trim_start().len() > indent
                });
                let body: Vec<&Range<usize>> = inner.collect();
                let last = body.iter().rposition(|line| !line.is_empty());
                if let (true, Some(last @ 1..BLOCK)) = (content.ends_with(['{', ':']), last) {
                    holes.push(line.end..body[last].end);
                }
            }
        }
    }
    holes
}

fn defines(line: &str) -> bool {
    ["fn ", "def ", "class ", "struct ", "function ", "func "].iter().any(|word| line.contains(word))
}

/// The name before the parenthesis that a text ends with.
pub(super) fn callee(text: &str) -> &str {
    let text = text.strip_suffix('(').unwrap_or(text);
    let start = text.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_').len();
    &text[start..]
}

/// What stands in the parentheses of the calls of a line that begins at `from`.
fn calls(line: &str, from: usize) -> impl Iterator<Item = Range<usize>> {
    line.match_indices('(').filter_map(move |(open, _)| {
        if callee(&line[..=open]).is_empty() {
            return None;
        }
        let mut depth = 0;
        let close = line[open..].char_indices().find(|(_, c)| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        })?;
        (close.0 > 1).then(|| from + open + 1..from + open + close.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, expected: &[&str]) {
        let text = "// call it (now)\nfn area(w: u32) -> u32 {\n    let twice = grown(w, 2);\n\n    twice.pow(w)\n}\n";
        let holes =
            holes(kind, text, Language::by_name("rust").unwrap(), &|before| before.ends_with(" grown("));
        let found: Vec<&str> = holes.into_iter().map(|hole| &text[hole]).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn each_kind_finds_its_places() {
        check(Kind::Line, &["fn area(w: u32) -> u32 {", "let twice = grown(w, 2);", "twice.pow(w)"]);
        check(Kind::Block, &["\n    let twice = grown(w, 2);\n\n    twice.pow(w)"]);
        check(Kind::Argument, &["w: u32", "w, 2"]);
        check(Kind::Across, &["w, 2);"]);
        check(Kind::AcrossName, &["grown(w, 2);"]);
        let statement = ["twice = grown(w, 2);", "= grown(w, 2);", " grown(w, 2);", "grown(w, 2);", "w, 2);"];
        let text = "    let twice = grown(w, 2);\n";
        let holes = holes(Kind::Statement, text, Language::by_name("rust").unwrap(), &|_| false);
        assert_eq!(holes.into_iter().map(|hole| &text[hole]).collect::<Vec<_>>(), statement);
    }
}
