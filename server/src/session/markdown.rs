//! Fenced blocks in Markdown, and which file each is meant for.
//!
//! Only the text is looked at. A path found here is a hint: whether such a file exists, and whether it may be touched,
//! is decided by the targets beside it.

use std::ops::Range;

use redraft_grammars::Language;

/// A fenced block of a Markdown text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// From the opening fence to the end of the closing one, in bytes.
    pub range: Range<usize>,
    /// The lines inside, in bytes; empty when there are none.
    pub content: Range<usize>,
    /// How far the opening fence is indented; content lines lose as much.
    pub indent: usize,
    /// What stands after the opening fence.
    pub info: String,
}

impl Fence {
    /// The block's text, without the indentation of its fence.
    pub fn text(&self, markdown: &str) -> String {
        let strip = |line: &str| {
            let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
            line[blank.min(self.indent)..].to_owned()
        };
        markdown[self.content.clone()].split_inclusive('\n').map(strip).collect()
    }

    /// The language that the info string names.
    pub fn language(&self) -> Option<Language> {
        let word = self.info.split([' ', ':', ',', '{', '\t']).find(|word| !word.is_empty())?;
        Language::by_name(word)
    }
}

/// The fenced blocks of a text, in order. An open one reaches to the end of the text, as CommonMark says.
pub fn fences(markdown: &str) -> Vec<Fence> {
    let mut found: Vec<Fence> = Vec::new();
    let mut open: Option<(char, usize)> = None;
    let mut at = 0;
    for line in markdown.split_inclusive('\n') {
        let end = at + line.len();
        let bare = line.trim_end_matches(['\n', '\r']);
        let trimmed = bare.trim_start_matches([' ', '\t', '>']);
        let mark = trimmed.chars().next().filter(|c| matches!(c, '`' | '~'));
        let length = mark.map_or(0, |mark| trimmed.chars().take_while(|c| *c == mark).count());
        let info = &trimmed[length..];
        match (open, mark) {
            (Some((opened, least)), _) => {
                let closes = mark == Some(opened) && length >= least && info.trim().is_empty();
                if let Some(fence) = found.last_mut() {
                    fence.range.end = if closes { at + bare.len() } else { end };
                    if !closes {
                        fence.content.end = end;
                    }
                }
                if closes {
                    open = None;
                }
            }
            (None, Some(mark)) if length >= 3 && !(mark == '`' && info.contains('`')) => {
                open = Some((mark, length));
                found.push(Fence {
                    range: at..end,
                    content: end..end,
                    indent: bare.len() - trimmed.len(),
                    info: info.trim().to_owned(),
                });
            }
            _ => {}
        }
        at = end;
    }
    found
}

/// Paths that a block may be meant for, the likeliest first: from its info string, from the lines right before it, and
/// from a comment on its first line.
pub fn path_hints(markdown: &str, fence: &Fence) -> Vec<String> {
    let mut hints = Vec::new();
    let mut add = |words: Vec<&str>| {
        for word in words {
            let word = without_position(word);
            if looks_like_path(word) && !hints.iter().any(|hint| hint == word) {
                hints.push(word.to_owned());
            }
        }
    };
    add(words(&fence.info));
    let above = &markdown[..fence.range.start];
    // Up to three lines of text above; a fence in between belongs to another block.
    let lines: Vec<&str> =
        above.lines().rev().take_while(|line| !line.trim_start().starts_with("```")).collect();
    for line in lines.into_iter().filter(|line| !line.trim().is_empty()).take(3) {
        let quoted: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        add(quoted);
        add(words(line));
    }
    let first = markdown[fence.content.clone()].lines().next().unwrap_or_default().trim();
    if let Some(comment) =
        ["//", "#", "--", "/*", "<!--", ";"].iter().find_map(|token| first.strip_prefix(token))
    {
        add(words(comment));
    }
    hints
}

/// The words of a line that could be paths: quotes, brackets and `key=` taken off.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in line.split(|c: char| c.is_whitespace() || "{},()[]<>\"'`*".contains(c)) {
        let value = word
            .rsplit_once('=')
            .map_or(word, |(_, value)| value)
            .trim_end_matches([':', '.', ';', '!', '?']);
        if value.contains("://") {
            continue;
        }
        // `rust:src/a.rs` and `12:30:src/a.rs`, but not `src/a.rs:12` and `C:\a.rs`
        words.push(match value.rsplit_once(':') {
            Some((head, tail)) if head.len() > 1 && !tail.starts_with(|c: char| c.is_ascii_digit()) => tail,
            _ => value,
        });
    }
    words
}

/// `src/a.rs:10-20`, `src/a.rs:7` and `src/a.rs#L3` name `src/a.rs`.
fn without_position(word: &str) -> &str {
    let word = word.split_once("#L").map_or(word, |(path, _)| path);
    match word.rsplit_once(':') {
        Some((path, tail)) if tail.starts_with(|c: char| c.is_ascii_digit()) => without_position(path),
        _ => word,
    }
}

/// A name with an extension that we know, or that has a folder before it. Addresses on the web are none.
fn looks_like_path(word: &str) -> bool {
    let name = word.rsplit(['/', '\\']).next().unwrap_or_default();
    let known = Language::from_path(name).is_some();
    let folder = name.len() < word.len() && name.contains('.') && !name.ends_with('.');
    word.len() < 300 && !word.contains("//") && !name.starts_with('.') && (known || folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = "Change `src/queue.rs`:\n\n```rust\nfn a() {}\n```\n\nand\n\n  ~~~py title=\"app/main.py\"\n  x = 1\n    y = 2\n  ~~~\n\n```\nlast";

    #[test]
    fn blocks_are_found_with_their_content() {
        let found = fences(CHAT);
        let texts: Vec<String> = found.iter().map(|fence| fence.text(CHAT)).collect();
        assert_eq!(texts, ["fn a() {}\n", "x = 1\n  y = 2\n", "last"]);
        assert!(CHAT[found[0].range.clone()].starts_with("```rust"));
        assert!(CHAT[found[0].range.clone()].ends_with("```"));
        assert_eq!(found[1].language(), Language::by_name("python"));
    }

    #[test]
    fn a_longer_fence_holds_a_shorter_one() {
        let text = "````md\n```rust\nx\n```\n````\n";
        let found = fences(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text(text), "```rust\nx\n```\n");
        assert_eq!(fences("``` not a fence ``` here\n"), []);
    }

    fn hints(text: &str) -> Vec<String> {
        path_hints(text, fences(text).last().unwrap())
    }

    #[test]
    fn the_path_comes_from_where_assistants_put_it() {
        for text in [
            "```rust src/a.rs\nx\n```\n",
            "```rust:src/a.rs\nx\n```\n",
            "```12:30:src/a.rs\nx\n```\n",
            "```rust title=\"src/a.rs\"\nx\n```\n",
            "```rust {file=src/a.rs}\nx\n```\n",
            "In `src/a.rs`:\n\n```rust\nx\n```\n",
            "**src/a.rs**\n```rust\nx\n```\n",
            "### src/a.rs:10-20\n\n```rust\nx\n```\n",
            "Change src/a.rs, please.\nLike this:\n```rust\nx\n```\n",
            "```rust\n// src/a.rs\nx\n```\n",
        ] {
            assert_eq!(hints(text), ["src/a.rs"], "{text:?}");
        }
    }

    #[test]
    fn what_is_no_path_is_no_hint() {
        for text in [
            "See https://example.org/a.rs for e.g. this:\n```rust\nx\n```\n",
            "```rust\nfn x() {}\n```\n",
            "`src/other.rs`\n```rust\ny\n```\nThen:\n```rust\nx\n```\n",
        ] {
            assert_eq!(hints(text), Vec::<String>::new(), "{text:?}");
        }
    }
}
