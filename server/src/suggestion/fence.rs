//! Fences and prose: finding the code in a chat answer.

use super::SuggestionError;

/// The code of an answer.
#[derive(Debug)]
pub(super) struct Document<'a> {
    /// The fenced blocks, or the whole text where there is no fence.
    pub(super) chunks: Vec<Chunk<'a>>,
    /// Sentences stand around the code.
    pub(super) chatty: bool,
    /// The path of the file that the answer is about, if it names one.
    pub(super) target: Option<String>,
}

/// One block of code.
#[derive(Debug)]
pub(super) struct Chunk<'a> {
    pub(super) lines: Vec<&'a str>,
    /// The path that this block names, from its info string or the lines before it.
    path: Option<String>,
    /// 0-based line of the text where it starts.
    pub(super) start: usize,
    /// Shell commands and output are no edits.
    shell: bool,
}

/// An opening fence: indentation, character, length, info string.
struct Open<'a> {
    indent: usize,
    character: char,
    length: usize,
    info: &'a str,
}

/// Splits an answer into code and prose; where blocks name several files, those for `path` are kept.
pub(super) fn split<'a>(lines: &[&'a str], path: Option<&str>) -> Result<Document<'a>, SuggestionError> {
    let (mut chunks, outside) = fenced_chunks(lines);
    if chunks.is_empty() || !outside.iter().all(|line| !looks_like_code(line)) {
        if looks_like_prose_only(lines) {
            return Err(SuggestionError::ProseOnly);
        }
        let (start, target) = leading_path(lines);
        let chunk = Chunk { lines: lines[start..].to_vec(), path: target.clone(), start, shell: false };
        return Ok(Document { chunks: vec![chunk], chatty: false, target });
    }
    if chunks.iter().any(|chunk| !chunk.shell) {
        chunks.retain(|chunk| !chunk.shell);
    }
    chunks.retain(|chunk| chunk.lines.iter().any(|line| !line.trim().is_empty()));
    if chunks.is_empty() {
        return Err(SuggestionError::EmptyBlock);
    }
    if let Some(path) = path {
        let fits = |chunk: &Chunk<'_>| chunk.path.as_deref().is_some_and(|named| same_file(named, path));
        let foreign = |chunk: &Chunk<'_>| chunk.path.as_deref().is_some_and(|named| !same_file(named, path));
        if chunks.iter().any(fits) && chunks.iter().any(foreign) {
            chunks.retain(|chunk| !foreign(chunk));
        }
    }
    let chatty = outside.iter().any(|line| is_sentence(line));
    let target = chunks.iter().find_map(|chunk| chunk.path.clone());
    Ok(Document { chunks, chatty, target })
}

/// Whether two paths can mean the same file: one is the tail of the other.
pub(super) fn same_file(a: &str, b: &str) -> bool {
    let parts = |path: &str| -> Vec<String> {
        path.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").map(str::to_string).collect()
    };
    let (a, b) = (parts(a), parts(b));
    a.iter().rev().zip(b.iter().rev()).all(|(x, y)| x == y)
}

fn fenced_chunks<'a>(lines: &[&'a str]) -> (Vec<Chunk<'a>>, Vec<&'a str>) {
    let (mut chunks, mut outside) = (Vec::new(), Vec::new());
    let mut heading: Option<String> = None;
    let mut at = 0;
    while at < lines.len() {
        let Some(open) = opening(lines[at]) else {
            if let Some(path) = path_in_prose(lines[at]) {
                heading = Some(path);
            }
            outside.push(lines[at]);
            at += 1;
            continue;
        };
        let (end, next) = closing(lines, at, &open);
        let body: Vec<&str> =
            lines[at + 1..end.min(lines.len())].iter().map(|line| strip_indent(line, open.indent)).collect();
        let (language, path) = read_info(open.info);
        let shell = matches!(language, "sh" | "bash" | "shell" | "console" | "zsh" | "powershell" | "output");
        chunks.push(Chunk { lines: body, path: path.or_else(|| heading.take()), start: at + 1, shell });
        heading = None;
        at = next;
    }
    (chunks, outside)
}

fn opening(line: &str) -> Option<Open<'_>> {
    let trimmed = line.trim_start();
    let indent = line.len() - trimmed.len();
    let character = trimmed.chars().next().filter(|c| *c == '`' || *c == '~')?;
    let length = trimmed.chars().take_while(|c| *c == character).count();
    let info = trimmed[length..].trim();
    (length >= 3 && indent <= 8 && !info.contains('`')).then_some(Open { indent, character, length, info })
}

/// Where a fence's block ends, and where to go on reading. Assistants nest fences of the same length: an inner line with
/// an info string opens one more level, provided that enough closing lines follow.
fn closing(lines: &[&str], start: usize, open: &Open<'_>) -> (usize, usize) {
    let is_close = |line: &str| {
        opening(line).is_some_and(|close| {
            close.character == open.character
                && close.length >= open.length
                && close.info.is_empty()
                && close.indent <= open.indent + 3
        })
    };
    let candidates: Vec<usize> = (start + 1..lines.len()).filter(|index| is_close(lines[*index])).collect();
    let unclosed = candidates.last().map_or((lines.len(), lines.len()), |last| (*last, last + 1));
    if open.info.starts_with("markdown") || open.info.starts_with("md") {
        return unclosed;
    }
    let mut depth = 0_usize;
    let mut closed = 0;
    for (index, line) in lines.iter().enumerate().skip(start + 1) {
        if candidates.get(closed) == Some(&index) {
            closed += 1;
            if depth == 0 {
                return (index, index + 1);
            }
            depth -= 1;
        } else if let Some(inner) = opening(line)
            && inner.character == open.character
            && inner.length == open.length
            && inner.indent == open.indent
        {
            if candidates.len() - closed >= depth + 2 {
                depth += 1;
            } else {
                // The next block starts although this one was never closed.
                return (index, index);
            }
        }
    }
    unclosed
}

fn strip_indent(line: &str, indent: usize) -> &str {
    let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
    &line[blank.min(indent)..]
}

/// `rust:src/a.rs`, `rust src/a.rs`, `rust title="src/a.rs"`, `src/a.rs`.
fn read_info(info: &str) -> (&str, Option<String>) {
    let language = info.split([' ', ':', ',', '{']).next().unwrap_or("");
    let path = info
        .split([' ', ',', '{', '}'])
        .flat_map(|word| {
            let word = word.split_once('=').map_or(word, |(_, value)| value);
            [word.trim_matches(['"', '\'']), word.split_once(':').map_or("", |(_, rest)| rest)]
        })
        .find(|word| looks_like_path(word));
    (language, path.map(|path| strip_position(path).to_string()))
}

/// `src/a.rs:10-20` names `src/a.rs`.
fn strip_position(path: &str) -> &str {
    match path.rsplit_once(':') {
        Some((head, tail)) if tail.starts_with(|c: char| c.is_ascii_digit()) => head,
        _ => path,
    }
}

/// A path needs an extension or a slash, and none of the characters that code is made of.
pub(super) fn looks_like_path(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_alphanumeric() || "/\\._-+@:[]() ".contains(c));
    let name = word.rsplit(['/', '\\']).next().unwrap_or("");
    let extension = name.rsplit_once('.').is_some_and(|(stem, extension)| {
        (!stem.is_empty() || word.contains('/'))
            && (1..=10).contains(&extension.len())
            && extension.chars().all(|c| c.is_ascii_alphanumeric())
            && extension.chars().any(|c| c.is_ascii_alphabetic())
    });
    plain
        && !word.is_empty()
        && !word.contains(' ')
        && !word.contains("..")
        && !word.ends_with("()")
        && (extension || (word.contains('/') && !word.contains("//")))
}

/// A path in a heading or sentence: in backticks, bold, or alone on its line.
fn path_in_prose(line: &str) -> Option<String> {
    let trimmed = line.trim().trim_start_matches(['#', '-', '*', '>', ' ']).trim();
    let alone = trimmed.trim_matches(|c: char| "*`:_ \"".contains(c));
    if looks_like_path(alone) {
        return Some(strip_position(alone).to_string());
    }
    if let Some(rest) = ["File:", "file:", "Path:", "path:", "In ", "// File:", "File "]
        .iter()
        .find_map(|s| alone.strip_prefix(s))
        && let Some(word) = rest.split_whitespace().next()
        && looks_like_path(word.trim_matches(['`', '*', ':', ',']))
    {
        return Some(word.trim_matches(['`', '*', ':', ',']).to_string());
    }
    trimmed
        .split('`')
        .skip(1)
        .step_by(2)
        .find(|word| looks_like_path(word))
        .map(|path| strip_position(path).to_string())
}

/// A path alone on the first line, before unfenced code.
fn leading_path(lines: &[&str]) -> (usize, Option<String>) {
    let first = lines.iter().position(|line| !line.trim().is_empty()).unwrap_or(0);
    let word = lines[first].trim().trim_matches(|c: char| "*`: ".contains(c));
    let next_is_block = lines[first + 1..].iter().find(|line| !line.trim().is_empty()).is_some_and(|line| {
        super::blocks::opens_block(line) || line.starts_with("@@") || line.starts_with("--- ")
    });
    if next_is_block && looks_like_path(word) { (first + 1, Some(word.to_string())) } else { (0, None) }
}

/// A line outside any fence that is clearly code: then the "fences" are part of the code.
fn looks_like_code(line: &str) -> bool {
    let trimmed = line.trim();
    if trimmed.is_empty() || path_in_prose(line).is_some() {
        return false;
    }
    if super::marker::read_marker(line, None).is_some() {
        return true;
    }
    let ends = trimmed.ends_with(['{', '}', ';', '(', '='])
        || trimmed.ends_with("*/")
        || trimmed.ends_with("\"\"\"");
    let starts = [
        "///", "//!", "//", "/*", "import ", "from ", "def ", "fn ", "use ", "#[", "#!", "package ",
        "\"\"\"", "class ", "@",
    ]
    .iter()
    .any(|start| trimmed.starts_with(start) && !trimmed.ends_with(['.', ':', '!']));
    ends || starts
}

fn is_sentence(line: &str) -> bool {
    let trimmed = line.trim();
    trimmed.split_whitespace().count() >= 3 && trimmed.ends_with(['.', ':', '!', '?', '…'])
}

fn looks_like_prose_only(lines: &[&str]) -> bool {
    let mut sentences = 0;
    for line in lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        let words = line.split_whitespace().count();
        let code = line.chars().any(|c| "{}=;<>[]@#\\|$_".contains(c))
            || line.contains("()")
            || words < 3
            || super::marker::read_marker(line, None).is_some();
        let starts = line.starts_with(|c: char| c.is_uppercase()) || sentences > 0;
        if code || !starts {
            return false;
        }
        sentences += usize::from(is_sentence(line));
    }
    sentences > 0
}
