//! Elision markers: lines such as `// ... existing code ...` that stand for code left out.

/// A line that stands for code left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Marker {
    /// The line as written; a file may hold such a line itself.
    pub text: String,
    /// Dots alone, without the signs of a comment.
    pub bare: bool,
    /// The line is also plausible as code (Python's Ellipsis).
    pub maybe_code: bool,
    /// It asks for more than the suggestion shows (`// same for the other cases`).
    pub demand: bool,
}

/// Words that stand for left-out code even without dots.
const ELISION_WORDS: [&str; 11] = [
    "existing",
    "unchanged",
    "omitted",
    "remains",
    "remain",
    "rest of",
    "same as",
    "stays",
    "no changes",
    "truncated",
    "snip",
];

/// Words of which a marker with dots may consist; a comment with other words is a comment that trails off.
const MARKER_WORDS: [&str; 74] = [
    "a",
    "above",
    "all",
    "and",
    "any",
    "are",
    "as",
    "attributes",
    "before",
    "below",
    "block",
    "body",
    "class",
    "code",
    "constants",
    "content",
    "declarations",
    "definitions",
    "elided",
    "else",
    "existing",
    "fields",
    "file",
    "for",
    "from",
    "function",
    "functions",
    "goes",
    "here",
    "identical",
    "implementation",
    "imports",
    "in",
    "is",
    "it",
    "items",
    "keep",
    "lines",
    "logic",
    "member",
    "members",
    "method",
    "methods",
    "module",
    "more",
    "no",
    "not",
    "of",
    "omitted",
    "original",
    "other",
    "others",
    "previous",
    "properties",
    "remain",
    "remaining",
    "remains",
    "rest",
    "same",
    "shown",
    "skipped",
    "snip",
    "statements",
    "stays",
    "still",
    "stuff",
    "tests",
    "the",
    "this",
    "truncated",
    "types",
    "unchanged",
    "unmodified",
    "your",
];

/// Reads a line as a marker, if it can be one. `language` decides whether bare dots are code.
pub fn read_marker(line: &str, language: Option<&str>) -> Option<Marker> {
    let trimmed = line.trim();
    if trimmed.is_empty() || trimmed.len() > 120 {
        return None;
    }
    let (body, commented) = comment_body(trimmed);
    let dots = body.contains("...") || body.contains('…');
    let words = words(body);
    let is_marker = if words.is_empty() {
        dots && body.chars().all(|c| ".…[]()<>*-_ ".contains(c))
    } else if dots {
        let edge = body.trim_matches(|c: char| "[](){}<>*-_ ".contains(c));
        let starts = edge.starts_with("...") || edge.starts_with('…');
        let ends = edge.ends_with("...") || edge.ends_with('…');
        let known = words.iter().filter(|word| MARKER_WORDS.contains(&word.as_str())).count();
        let mostly_known = starts && known * 2 >= words.len() && has_elision_word(&words);
        commented && (starts || ends) && (known == words.len() || mostly_known)
    } else {
        commented && words.len() <= 9 && reads_as_elision(&words)
    };
    if !is_marker {
        return None;
    }
    let bare = !commented;
    let maybe_code = bare && matches!(language, Some("python") | None);
    Some(Marker { text: line.to_string(), bare, maybe_code, demand: false })
}

/// The words of a comment, in small letters.
pub(super) fn words(body: &str) -> Vec<String> {
    let words = body.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

fn has_elision_word(words: &[String]) -> bool {
    let sentence = words.join(" ");
    ELISION_WORDS.iter().any(|word| sentence.contains(word))
}

/// `existing code`, `rest of the code remains the same`, `code omitted for brevity`, `unchanged`.
fn reads_as_elision(words: &[String]) -> bool {
    let known = words
        .iter()
        .filter(|word| MARKER_WORDS.contains(&word.as_str()) || *word == "brevity" || *word == "clarity")
        .count();
    known == words.len() && has_elision_word(words)
}

/// The text inside a comment, and whether the line is one.
pub(super) fn comment_body(trimmed: &str) -> (&str, bool) {
    const PAIRS: [(&str, &str); 8] = [
        ("{/*", "*/}"),
        ("/**", "*/"),
        ("/*", "*/"),
        ("<!--", "-->"),
        ("{#", "#}"),
        ("(*", "*)"),
        ("{-", "-}"),
        ("--[[", "]]"),
    ];
    for (open, close) in PAIRS {
        if let Some(rest) = trimmed.strip_prefix(open) {
            return (rest.strip_suffix(close).unwrap_or(rest).trim(), true);
        }
    }
    for open in ["//", "#", "--", ";", "%", "'", "\"\"\""] {
        if let Some(rest) = trimmed.strip_prefix(open) {
            return (rest.trim_start_matches(['/', '#', '-', ';', '%', '!']).trim(), true);
        }
    }
    (trimmed, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_marker(line: &str) -> bool {
        read_marker(line, Some("rust")).is_some()
    }

    #[test]
    fn usual_spellings_are_markers() {
        for line in [
            "// ... existing code ...",
            "# ... rest unchanged",
            "<!-- ... -->",
            "/* ... */",
            "-- ...",
            "...",
            "…",
            "// ...",
            "    # ...",
            "// [...]",
            "// (existing code)",
            "# rest of the code remains the same",
            "{/* ... existing code ... */}",
            "// ... (rest of the method is unchanged)",
            "/* ... code omitted ... */",
            "// unchanged",
            "# ... other imports ...",
            "// … existing code …",
            "// rest of the file stays the same",
            "// code omitted for brevity",
            "; ... existing code ...",
            "// ... same as before ...",
            "[...]",
        ] {
            assert!(is_marker(line), "{line}");
        }
    }

    #[test]
    fn code_and_ordinary_comments_are_not() {
        for line in [
            "// loop over the rest of the file",
            "# existing users keep their password",
            "let x = [...rest];",
            "..default()",
            "    ..",
            "// the code",
            "...args,",
            "// Compile the pattern ...",
            "#include <a.h>",
            "#[derive(Debug)]",
            "# unchanged lines are dropped",
            "",
            "}",
            "---",
            "/* end */",
            "// same",
            "*args",
            "// TODO: handle errors...",
            "/// Reads the existing file ...",
            "--x;",
            "return ...",
        ] {
            assert!(!is_marker(line), "{line}");
        }
    }

    #[test]
    fn bare_dots_may_be_code_in_python() {
        assert!(read_marker("    ...", Some("python")).is_some_and(|marker| marker.maybe_code));
        assert!(read_marker("    # ...", Some("python")).is_some_and(|marker| !marker.maybe_code));
        assert!(read_marker("...", Some("go")).is_some_and(|marker| !marker.maybe_code));
    }
}
