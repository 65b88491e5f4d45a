//! Turning blocks of code into snippets or hunks.

use super::fence::{Chunk, Document};
use super::{Body, Element, Hunk, HunkLine, Marker, Suggestion, SuggestionError, demand, marker};

const SEARCH: [&str; 7] = ["SEARCH", "ORIGINAL", "OLD", "BEFORE", "HEAD", "FIND", "search"];
const REPLACE: [&str; 7] = ["REPLACE", "UPDATED", "NEW", "AFTER", "MODIFIED", "replace", "EDITED"];

/// Reads the code blocks of an answer.
pub(super) fn read(document: Document<'_>, language: Option<&str>) -> Result<Suggestion, SuggestionError> {
    let Document { chunks, chatty, mut target } = document;
    let mut hunks = Vec::new();
    let mut snippets = Vec::new();
    for chunk in &chunks {
        if let Some(found) = search_replace(chunk)? {
            hunks.extend(found);
        } else if let Some((found, path)) = unified_diff(chunk) {
            hunks.extend(found);
            target = target.or(path);
        } else {
            snippets.push(elements(&chunk.lines, language));
        }
    }
    let body = if hunks.is_empty() {
        if snippets.iter().flatten().all(|element| match element {
            Element::Line(text) => text.trim().is_empty(),
            Element::Marker(marker) => !marker.maybe_code,
        }) {
            return Err(SuggestionError::OnlyMarkers);
        }
        Body::Snippets(snippets)
    } else {
        Body::Hunks(hunks)
    };
    Ok(Suggestion { target, body, chatty })
}

/// Whether a line starts a search/replace block.
pub(super) fn opens_block(line: &str) -> bool {
    fence_word(line, &["<", "-"]).is_some_and(|word| SEARCH.contains(&word))
}

/// `<<<<<<< SEARCH` gives `SEARCH`.
fn fence_word<'a>(line: &'a str, signs: &[&str]) -> Option<&'a str> {
    let line = line.trim_end();
    let sign = signs.iter().find(|sign| line.starts_with(**sign))?;
    let rest = line.trim_start_matches(sign);
    (line.len() - rest.len() >= 5).then(|| rest.trim().trim_end_matches(':'))
}

fn is_divider(line: &str) -> bool {
    let line = line.trim_end();
    line.len() >= 5 && line.len() <= 12 && line.chars().all(|c| c == '=')
}

fn closes_block(line: &str) -> bool {
    fence_word(line, &[">", "+"]).is_some_and(|word| REPLACE.contains(&word))
}

fn search_replace(chunk: &Chunk<'_>) -> Result<Option<Vec<Hunk>>, SuggestionError> {
    if !chunk.lines.iter().any(|line| opens_block(line)) {
        return Ok(None);
    }
    let mut hunks = Vec::new();
    let mut at = 0;
    while at < chunk.lines.len() {
        if !opens_block(chunk.lines[at]) {
            at += 1;
            continue;
        }
        let truncated = |missing| SuggestionError::Truncated { line: chunk.start + at + 1, missing };
        let rest = &chunk.lines[at + 1..];
        let close =
            rest.iter().position(|line| closes_block(line)).ok_or_else(|| truncated(">>>>>>> REPLACE"))?;
        let divider =
            rest[..close].iter().position(|line| is_divider(line)).ok_or_else(|| truncated("======="))?;
        let removed = rest[..divider].iter().map(|line| HunkLine::Removed((*line).to_string()));
        let added = rest[divider + 1..close].iter().map(|line| HunkLine::Added((*line).to_string()));
        hunks.push(Hunk { lines: removed.chain(added).collect(), line_hint: None, section: None });
        at += close + 2;
    }
    Ok(Some(hunks))
}

/// Reads a unified diff, however careless its headers: `@@ -1,2 +3,4 @@ section`, `@@ ... @@`, `@@`, or none.
fn unified_diff(chunk: &Chunk<'_>) -> Option<(Vec<Hunk>, Option<String>)> {
    let lines = &chunk.lines;
    let has_header = lines.iter().any(|line| is_hunk_header(line));
    if !has_header && !is_headerless_diff(lines) {
        return None;
    }
    let mut target = None;
    let mut hunks: Vec<Hunk> = Vec::new();
    let mut current: Option<Hunk> = (!has_header).then(Hunk::default);
    for (index, line) in lines.iter().enumerate() {
        let line = line.trim_end_matches('\r');
        if is_hunk_header(line) {
            hunks.extend(current.take());
            current = Some(read_hunk_header(line));
            continue;
        }
        let header_next =
            |offset: usize| lines.get(index + offset).is_some_and(|next| next.starts_with("+++ "));
        if (line.starts_with("--- ") && header_next(1))
            || (line.starts_with("+++ ") && index > 0 && lines[index - 1].starts_with("--- "))
        {
            if has_header {
                hunks.extend(current.take());
            }
            let path = line[4..].split('\t').next().unwrap_or("").trim();
            let path = path.strip_prefix("a/").or_else(|| path.strip_prefix("b/")).unwrap_or(path);
            if path != "/dev/null" && !path.is_empty() {
                target = Some(path.to_string());
            }
            continue;
        }
        if ["diff --git ", "index ", "new file mode", "similarity index", "old mode", "new mode", "*** "]
            .iter()
            .any(|s| line.starts_with(s))
        {
            if has_header {
                hunks.extend(current.take());
            }
            continue;
        }
        if line.starts_with("\\ No newline") {
            continue;
        }
        if let Some(hunk) = &mut current {
            hunk.lines.push(match line.chars().next() {
                Some('+') => HunkLine::Added(line[1..].to_string()),
                Some('-') => HunkLine::Removed(line[1..].to_string()),
                Some(' ') => HunkLine::Context(line[1..].to_string()),
                _ => HunkLine::Context(line.to_string()),
            });
        }
    }
    hunks.extend(current);
    for hunk in &mut hunks {
        while matches!(hunk.lines.last(), Some(HunkLine::Context(text)) if text.is_empty()) {
            hunk.lines.pop();
        }
    }
    hunks.retain(|hunk| hunk.lines.iter().any(|line| !matches!(line, HunkLine::Context(_))));
    (!hunks.is_empty()).then_some((hunks, target))
}

fn is_hunk_header(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("@@") else { return false };
    rest.trim().is_empty()
        || rest.starts_with([' ', '.', '…', '-']) && (rest.contains("@@") || rest.starts_with(" -"))
        || rest.trim_start().starts_with("...")
}

fn read_hunk_header(line: &str) -> Hunk {
    let rest = line.trim_start_matches("@@");
    let (range, section) = rest.split_once("@@").unwrap_or((rest, ""));
    let digits: String =
        range.chars().skip_while(|c| *c != '-').skip(1).take_while(char::is_ascii_digit).collect();
    let section = section.trim();
    Hunk {
        lines: Vec::new(),
        line_hint: digits.parse().ok(),
        section: (!section.is_empty()).then(|| section.to_string()),
    }
}

/// A diff without any `@@`: every line starts with a sign or a space, and both kinds of sign or a file header occur.
fn is_headerless_diff(lines: &[&str]) -> bool {
    let header =
        lines.iter().zip(lines.iter().skip(1)).any(|(a, b)| a.starts_with("--- ") && b.starts_with("+++ "));
    let signed = lines.iter().filter(|line| line.starts_with(['+', '-'])).count();
    let plain =
        lines.iter().filter(|line| !line.is_empty() && !line.starts_with(['+', '-', ' ', '\\'])).count();
    let both =
        lines.iter().any(|line| line.starts_with('+')) && lines.iter().any(|line| line.starts_with('-'));
    header || (plain == 0 && both && signed > 0)
}

/// Code lines and markers; blank lines at either end are dropped.
fn elements(lines: &[&str], language: Option<&str>) -> Vec<Element> {
    let blank = |line: &&str| line.trim().is_empty();
    let start = lines.iter().position(|line| !blank(line)).unwrap_or(lines.len());
    let end = lines.iter().rposition(|line| !blank(line)).map_or(start, |last| last + 1);
    let read = |line: &str| marker::read_marker(line.trim_end_matches('\r'), language);
    // Who writes markers as comments does not write them as dots alone: those are text that has such dots in it.
    let commented = lines.iter().any(|line| read(line).is_some_and(|marker| !marker.bare));
    let mut elements = Vec::with_capacity(end - start);
    for index in start..end {
        let line = lines[index].trim_end_matches('\r');
        if demand::is_demand(&lines[start..end], index - start) {
            let text = line.to_string();
            elements.push(Element::Marker(Marker { text, bare: false, maybe_code: false, demand: true }));
            continue;
        }
        elements.push(match read(line) {
            Some(marker) if marker.bare && commented => Element::Line(line.to_string()),
            Some(marker) if !(marker.maybe_code && is_lone_body(&lines[start..end], index - start)) => {
                Element::Marker(marker)
            }
            _ => Element::Line(line.to_string()),
        });
    }
    elements
}

/// Python's `...` as the whole body of a function or class: the line before opens a body, the line after leaves it.
fn is_lone_body(lines: &[&str], index: usize) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut before = lines[..index].iter().rev().filter(|line| !line.trim().is_empty());
    let after = lines[index + 1..].iter().find(|line| !line.trim().is_empty());
    before.next().is_some_and(|line| line.trim_end().ends_with(':') && indent(line) < indent(lines[index]))
        && after.is_none_or(|line| indent(line) < indent(lines[index]))
}
