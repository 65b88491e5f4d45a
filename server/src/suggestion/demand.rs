//! Comments of a suggestion that ask for more than it shows: `// same for the other three cases`.
//!
//! Such a line is written to the reader, not for the file. Only its wording and its place among the lines are judged
//! here; whether the file holds the same comment is for those to ask who know the file.

use super::marker::{comment_body, words};

/// What a demand may begin with before it says anything.
const FILLERS: [&str; 9] = ["and", "then", "now", "please", "also", "just", "you", "can", "the"];

/// How demands begin.
const BEGINNINGS: [&str; 38] = [
    "same for",
    "same in",
    "same with",
    "same goes",
    "same applies",
    "same here",
    "same thing",
    "same change",
    "same changes",
    "same edit",
    "same fix",
    "same pattern",
    "same treatment",
    "same update",
    "do same",
    "do the same",
    "do likewise",
    "do this for",
    "apply same",
    "apply the same",
    "apply similar",
    "apply this",
    "apply these",
    "make the same",
    "make similar",
    "add the same",
    "follow the same",
    "repeat for",
    "repeat this",
    "repeat these",
    "repeat the same",
    "repeat the above",
    "similarly",
    "similar changes",
    "likewise",
    "ditto",
    "so on",
    "analogously",
];

/// What a change to places not shown begins with, where it says that they are to follow.
const CHANGES: [&str; 9] =
    ["update", "change", "replace", "rename", "adjust", "convert", "fix", "modify", "migrate"];
const FOLLOWING: [&str; 5] = ["accordingly", "the same way", "likewise", "similarly", "as well"];

/// Places that are not shown.
const OTHERS: [&str; 4] = ["other", "others", "rest", "remaining"];

/// Words of lines that say that code stays as it is.
const STAYS: [&str; 10] =
    ["unchanged", "remain", "remains", "stay", "stays", "existing", "omitted", "keep", "keeps", "before"];

/// Whether line `index` of a piece of code asks the reader to do more of what the piece shows.
pub(super) fn is_demand(lines: &[&str], index: usize) -> bool {
    let line = lines[index].trim();
    let (body, commented) = comment_body(line);
    if !commented || line.len() > 120 {
        return false;
    }
    let words = words(body);
    if words.iter().any(|word| STAYS.contains(&word.as_str())) {
        return false;
    }
    let said = words.iter().skip_while(|word| FILLERS.contains(&word.as_str()));
    let said: Vec<&str> = said.map(String::as_str).collect();
    let sentence = said.join(" ");
    let begins = |with: &&str| {
        sentence.strip_prefix(*with).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let others = said.iter().any(|word| OTHERS.contains(word));
    let follows = CHANGES.iter().any(&begins) && FOLLOWING.iter().any(|how| sentence.contains(how));
    let dots = body.contains("...") || body.contains('…');
    others && follows || BEGINNINGS.iter().any(&begins) && (others || dots || ends_code(lines, index))
}

/// Whether the comment at `index` stands after code and says nothing of code below it: there is none, or it lies outside.
fn ends_code(lines: &[&str], index: usize) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let told = |line: &&&str| !line.trim().is_empty();
    let after = lines[index + 1..].iter().find(told);
    lines[..index].iter().any(|line| !line.trim().is_empty())
        && after.is_none_or(|line| {
            indent(line) < indent(lines[index]) || line.trim_start().starts_with(['}', ')', ']'])
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The demands of a piece of code.
    fn check(code: &str, wanted: &[&str]) {
        let lines: Vec<&str> = code.lines().collect();
        let found: Vec<&str> = (0..lines.len())
            .filter(|index| is_demand(&lines, *index))
            .map(|index| lines[index].trim())
            .collect();
        assert_eq!(found, wanted, "{code}");
    }

    #[test]
    fn a_comment_that_asks_for_more_is_a_demand() {
        for comment in [
            "// same for the other three cases",
            "# The same goes for the remaining fields",
            "// ... do the same for Square, Rectangle and Triangle",
            "/* repeat this for the other handlers */",
            "// Apply the same change to all others",
            "// and so on for the rest of the methods...",
            "# similarly for the other endpoints",
            "-- update the remaining queries accordingly",
            "// Rename the other callers as well",
        ] {
            check(&format!("first();\n{comment}\nsecond();"), &[comment]);
        }
    }

    #[test]
    fn without_a_word_of_other_places_it_must_end_the_code() {
        let arm = "match shape {\n    Circle => {\n        debug();\n    }\n    // same for squares";
        check(&format!("{arm}\n}}"), &["// same for squares"]);
        check(arm, &["// same for squares"]);
        check(&format!("{arm}\n    Square => {{}}\n}}"), &[]);
        check("def f():\n    g()\n    # likewise below\n\nh()", &["# likewise below"]);
        check("# same for squares", &[]);
    }

    #[test]
    fn comments_for_the_file_and_markers_are_none() {
        for comment in [
            "// same as before",
            "// ... rest of the code remains the same for the others ...",
            "// the other cases stay unchanged",
            "// Samesite cookies for other hosts",
            "// handles the remaining bytes",
            "// update the remaining counters",
            "# repeats the others",
            "same for the others",
            "// TODO: same for the others",
        ] {
            check(&format!("first();\n{comment}\nsecond();"), &[]);
        }
        check("// repeat the string\nlet line = text.repeat(4);", &[]);
        check("x();\n// likewise for widths\nlet w = 1;", &[]);
    }
}
