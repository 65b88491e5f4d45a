//! Writes an edit as an assistant would suggest it: as a snippet with markers for what is left out, as whole items with and
//! without markers, as search/replace blocks, as a diff with wrong line numbers, or with small liberties.
//!
//! Each line that the edit adds stands in the suggestion, and what places a change stands in the file once.

use std::ops::Range;

use redraft_grammars::ItemKind;

use super::choose::Chosen;
use super::hunks::Hunk;
use crate::cli::bench::random::Random;

/// Unchanged lines around a change, at most before more are needed.
const CONTEXT: usize = 4;
/// Most lines of context, however ambiguous they are.
const MOST_CONTEXT: usize = 30;
/// Longer items are shown in part.
const LONGEST_ITEM: usize = 60;

const MARKERS: [&str; 6] = [
    "... existing code ...",
    "... existing code ...",
    "... existing code ...",
    "... rest of the code ...",
    "... (unchanged) ...",
    "rest of the code remains the same",
];
const BEFORE: [&str; 4] = [
    "Here's the updated code:",
    "Sure! Here is the change:",
    "I've made the edit below.",
    "Update the file like this:",
];
const AFTER: [&str; 4] = [
    "Let me know if you'd like me to add tests for this.",
    "This keeps everything else as it is.",
    "Make sure to run the tests afterwards.",
    "The rest of the file stays the same.",
];

/// What a line of a suggestion is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Unchanged.
    Kept,
    /// New.
    Added,
    /// A marker.
    Marker,
}

/// The name of the style that was drawn, and the suggestion.
pub(super) fn write(edit: &Chosen<'_>, random: &mut Random) -> (&'static str, String) {
    // The shares of the styles: 40, 20, 10, 10, 10 and 10 of 100.
    match random.below(10) {
        0..=3 => ("lazy", plain(edit, lazy(edit, random), random)),
        4 | 5 => ("items", plain(edit, items(edit, random), random)),
        6 => match bare(edit) {
            Some(lines) => ("bare", plain(edit, lines, random)),
            None => ("lazy", plain(edit, lazy(edit, random), random)),
        },
        7 => ("search", search(edit, random)),
        8 => ("udiff", unified(edit, random)),
        _ => ("messy", messy(edit, random)),
    }
}

type Snippet = Vec<(String, Kind)>;

/// The changed regions with context, joined where they meet; lines of the old text and of the new one.
fn regions(edit: &Chosen<'_>, random: &mut Random) -> Vec<Hunk> {
    let mut regions: Vec<Hunk> = Vec::new();
    for hunk in &edit.hunks {
        let wanted = 1 + random.below(CONTEXT);
        let start = hunk.old.start - context(edit, hunk, wanted, true);
        let end = hunk.old.end + context(edit, hunk, wanted, false);
        // All of a change, or nothing of it.
        let cut = |at: &usize| edit.hunks.iter().find(|hunk| hunk.old.start < *at && *at < hunk.old.end);
        let start = cut(&start).map_or(start, |hunk| hunk.old.start);
        let end = cut(&end).map_or(end, |hunk| hunk.old.end);
        let region = Hunk { old: start..end, new: new_line(edit, start, false)..new_line(edit, end, true) };
        while regions.last().is_some_and(|last| last.old.start >= region.old.start) {
            regions.pop();
        }
        match regions.last_mut() {
            Some(last) if region.old.start <= last.old.end => {
                last.old.end = last.old.end.max(region.old.end);
                last.new.end = last.new.end.max(region.new.end);
            }
            _ => regions.push(region),
        }
    }
    regions
}

/// Where the line `at` of the old text, which is in no change, is in the new one; `after` what is added right before it
/// or, if not, before that.
fn new_line(edit: &Chosen<'_>, at: usize, after: bool) -> usize {
    let before = |hunk: &&Hunk| hunk.old.end < at || hunk.old.end == at && (after || !hunk.old.is_empty());
    let (removed, added) = edit
        .hunks
        .iter()
        .filter(before)
        .fold((0, 0), |sum, hunk| (sum.0 + hunk.old.len(), sum.1 + hunk.new.len()));
    at - removed + added
}

/// How many lines before or after a change must be shown, `wanted` or more: so many that they stand in the file once.
fn context(edit: &Chosen<'_>, hunk: &Hunk, wanted: usize, before: bool) -> usize {
    let room = if before { hunk.old.start } else { edit.old.len() - hunk.old.end };
    let shown = |count: usize| {
        if before {
            &edit.old[hunk.old.start - count..hunk.old.start]
        } else {
            &edit.old[hunk.old.end..][..count]
        }
    };
    let mut count = wanted.min(room);
    while count < room.min(MOST_CONTEXT) {
        let lines = shown(count);
        let says_something = lines.iter().any(|line| line.trim().len() > 3);
        if says_something && edit.old.windows(count).filter(|window| *window == lines).count() == 1 {
            break;
        }
        count += 1;
    }
    count
}

/// The lines of a region as they are afterwards.
fn afterwards(edit: &Chosen<'_>, new: &Range<usize>) -> Snippet {
    let is_new = |at: usize| edit.hunks.iter().any(|hunk| hunk.new.contains(&at));
    let kind = |at| if is_new(at) { Kind::Added } else { Kind::Kept };
    new.clone().map(|at| (edit.new[at].to_owned(), kind(at))).collect()
}

/// The snippet of these stretches of the new text, markers for what is between them.
fn marked(edit: &Chosen<'_>, stretches: &[Range<usize>], random: &mut Random) -> Snippet {
    let words = *random.one_of(&MARKERS);
    let marker = |next: &str| {
        let indent = &next[..next.len() - next.trim_start().len()];
        let comment = match (edit.language.line_comments(), edit.language.block_comments()) {
            ([sign, ..], _) => format!("{sign} {words}"),
            ([], [(open, close), ..]) => format!("{open} {words} {close}"),
            ([], []) => words.to_owned(),
        };
        (format!("{indent}{comment}"), Kind::Marker)
    };
    let mut snippet = Vec::new();
    let mut end = 0;
    for stretch in stretches {
        if stretch.start > end {
            snippet.push(marker(edit.new.get(stretch.start).copied().unwrap_or_default()));
        }
        snippet.extend(afterwards(edit, stretch));
        end = stretch.end;
    }
    if end < edit.new.len() {
        snippet.push(marker(edit.new[end]));
    }
    snippet
}

fn lazy(edit: &Chosen<'_>, random: &mut Random) -> Snippet {
    let stretches: Vec<_> = regions(edit, random).into_iter().map(|region| region.new).collect();
    marked(edit, &stretches, random)
}

/// The items that the edit changes, each whole; nothing where a change is in none, or takes one away.
fn changed_items(edit: &Chosen<'_>) -> Option<Vec<Range<usize>>> {
    let tree = edit.language.parse(edit.text, None)?;
    let items = edit.language.items(&tree, edit.text);
    let line_of = |byte: usize| edit.text[..byte].matches('\n').count();
    let lines: Vec<Range<usize>> = items
        .iter()
        .filter(|item| !matches!(item.kind, ItemKind::Import | ItemKind::Field | ItemKind::Variant))
        .map(|item| line_of(item.full_range.start)..line_of(item.byte_range.end.max(1) - 1) + 1)
        .collect();
    let mut found: Vec<Range<usize>> = Vec::new();
    for hunk in &edit.hunks {
        // Something of the item was there before, which says where it is.
        let covers = |item: &&Range<usize>| {
            let inside = item.start < hunk.new.start && hunk.new.end < item.end;
            let within = item.start <= hunk.new.start && hunk.new.end <= item.end;
            inside || within && !hunk.new.is_empty() && hunk.new.len() < item.len()
        };
        let item = lines.iter().filter(covers).min_by_key(|item| item.len())?;
        match found.last() {
            Some(last) if last.end > item.start => {
                let joined = last.start.min(item.start)..last.end.max(item.end);
                found.pop();
                found.push(joined);
            }
            _ => found.push(item.clone()),
        }
    }
    found.iter().all(|item| item.len() <= LONGEST_ITEM).then_some(found)
}

fn items(edit: &Chosen<'_>, random: &mut Random) -> Snippet {
    match changed_items(edit) {
        Some(items) => marked(edit, &items, random),
        None => lazy(edit, random),
    }
}

fn bare(edit: &Chosen<'_>) -> Option<Snippet> {
    let mut snippet = Vec::new();
    for item in changed_items(edit)? {
        if !snippet.is_empty() {
            snippet.push((String::new(), Kind::Kept));
        }
        snippet.extend(afterwards(edit, &item));
    }
    Some(snippet)
}

fn text(lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

fn plain(edit: &Chosen<'_>, snippet: Snippet, random: &mut Random) -> String {
    let code = text(snippet.into_iter().map(|(line, _)| line));
    if random.once_in(2) { code } else { fenced(edit, &code, random) }
}

fn fenced(edit: &Chosen<'_>, code: &str, random: &mut Random) -> String {
    let path = if random.once_in(4) { format!(" {}", edit.path) } else { String::new() };
    format!("```{}{path}\n{code}```\n", edit.language.name())
}

fn search(edit: &Chosen<'_>, random: &mut Random) -> String {
    let (open, close) =
        *random.one_of(&[("<<<<<<< SEARCH", ">>>>>>> REPLACE"), ("<<<<<<< ORIGINAL", ">>>>>>> UPDATED")]);
    let mut blocks = Vec::new();
    for region in regions(edit, random) {
        let old = text(edit.old[region.old].iter().map(|line| (*line).to_owned()));
        let new = text(edit.new[region.new].iter().map(|line| (*line).to_owned()));
        blocks.push(format!("{open}\n{old}=======\n{new}{close}\n"));
    }
    match random.below(3) {
        0 => blocks.join("\n"),
        1 => blocks.iter().map(|block| format!("```\n{block}```\n")).collect::<Vec<_>>().join("\n"),
        _ => {
            let block = |block: &String| format!("{}\n```{}\n{block}```\n", edit.path, edit.language.name());
            blocks.iter().map(block).collect::<Vec<_>>().join("\n")
        }
    }
}

fn unified(edit: &Chosen<'_>, random: &mut Random) -> String {
    let numbers = random.below(8);
    let mut out = String::new();
    if random.once_in(2) {
        out += &format!("--- a/{0}\n+++ b/{0}\n", edit.path);
    }
    for region in regions(edit, random) {
        let off = random.below(9);
        out += &match numbers {
            0 => format!(
                "@@ -{},{} +{},{} @@\n",
                region.old.start + 1,
                region.old.len(),
                region.new.start + 1,
                region.new.len()
            ),
            1..=3 => "@@ ... @@\n".to_owned(),
            4 => "@@\n".to_owned(),
            _ => format!("@@ -{off},{} +{off},{} @@\n", region.old.len(), region.new.len() + off % 2),
        };
        let mut at = region.old.start;
        for hunk in edit
            .hunks
            .iter()
            .filter(|hunk| region.old.start <= hunk.old.start && hunk.old.end <= region.old.end)
        {
            out += &signed(' ', &edit.old[at..hunk.old.start]);
            out += &signed('-', &edit.old[hunk.old.clone()]);
            out += &signed('+', &edit.new[hunk.new.clone()]);
            at = hunk.old.end;
        }
        out += &signed(' ', &edit.old[at..region.old.end]);
    }
    if random.once_in(2) { out } else { format!("```diff\n{out}```\n") }
}

fn signed(sign: char, lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{sign}{line}\n")).collect()
}

/// As `lazy` or `items`, with prose around it, and with other blanks in lines that are not the edit's.
fn messy(edit: &Chosen<'_>, random: &mut Random) -> String {
    let mut snippet = if random.once_in(3) { items(edit, random) } else { lazy(edit, random) };
    for (line, kind) in &mut snippet {
        if *kind == Kind::Kept && !line.trim().is_empty() && random.once_in(5) {
            *line += *random.one_of(&[" ", "  "]);
        }
    }
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let common =
        snippet.iter().filter(|(line, _)| !line.trim().is_empty()).map(|(line, _)| indent(line)).min();
    match random.below(3) {
        0 => {
            for (line, _) in &mut snippet {
                *line = line.get(common.unwrap_or(0)..).unwrap_or_default().to_owned();
            }
        }
        1 => snippet.iter_mut().for_each(|(line, _)| *line = line.replace('\t', "    ")),
        _ => {}
    }
    let code = fenced(edit, &text(snippet.into_iter().map(|(line, _)| line)), random);
    format!("{}\n\n{code}\n{}\n", random.one_of(&BEFORE), random.one_of(&AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::mine::{Edit, choose::Chooser};

    const FILE: &str = "use std::fmt;\n\nstruct A;\n\nimpl A {\n    fn one(&self) -> u32 {\n        1\n    }\n\n    fn two(&self) -> u32 {\n        let x = 1;\n        let y = 2;\n        x + y\n    }\n}\n";

    /// Writes the edit of `FILE` that replaces `from` by `to` in every style many times, and hands each over.
    fn each(from: &str, to: &str, check: &mut dyn FnMut(&Edit, &str, &str)) {
        let tail: String = (0..60).map(|n| format!("fn f{n}() {{}}\n")).collect();
        let before = format!("{FILE}{tail}");
        let edit =
            Edit { path: "src/a.rs".into(), after: before.replace(from, to), before, ..Edit::default() };
        for seed in 0u8..100 {
            let mut random = Random::new(&[&[seed]]);
            let Ok(chosen) = Chooser::new(20..=400).choose(&edit, &mut random) else { continue };
            let (style, suggestion) = write(&chosen, &mut random);
            check(&edit, style, &suggestion);
        }
    }

    #[test]
    fn what_is_added_stands_in_every_suggestion_and_every_style_is_drawn() {
        let mut styles = std::collections::BTreeSet::new();
        let new = "        let x = 3;\n        let z = x * 7;\n        let w = z;\n        let v = w;\n        let u = v;\n";
        each("        let x = 1;\n", new, &mut |_, style, suggestion| {
            for line in new.lines() {
                assert!(suggestion.contains(line.trim()), "{style}: {suggestion}");
            }
            styles.insert(style.to_owned());
        });
        assert_eq!(styles.into_iter().collect::<Vec<_>>().join(" "), "bare items lazy messy search udiff");
    }

    #[test]
    fn context_may_reach_over_other_changes() {
        // Lines that stand in many places need so much context that it meets the change before.
        let same = "    }\n}\n\n".repeat(8);
        let before: String = format!("fn a() {{}}\n{same}let x = 1;\n{same}fn b() {{}}\n{same}");
        let after = format!("use one;\nuse two;\nfn a() {{}}\n{same}let y = 2;\nlet z = 3;\n{same}{same}");
        let edit = Edit { path: "a.rs".into(), before, after, ..Edit::default() };
        for seed in 0u8..200 {
            let mut random = Random::new(&[&[seed]]);
            let Ok(chosen) = Chooser::new(20..=400).choose(&edit, &mut random) else { continue };
            let found = regions(&chosen, &mut random);
            assert!(found.windows(2).all(|two| two[0].old.end < two[1].old.start), "{found:?}");
            for region in &found {
                let inside = chosen
                    .hunks
                    .iter()
                    .filter(|hunk| region.old.start <= hunk.old.start && hunk.old.end <= region.old.end);
                let grown: isize = inside.map(|hunk| hunk.new.len() as isize - hunk.old.len() as isize).sum();
                assert_eq!(region.new.len() as isize - region.old.len() as isize, grown, "{found:?}");
            }
            let (_, suggestion) = write(&chosen, &mut random);
            assert!(["use one;", "let z = 3;"].iter().all(|line| suggestion.contains(line)), "{suggestion}");
        }
    }

    #[test]
    fn what_is_written_is_read_back_as_the_edit() {
        let new = "        let x = 3;\n        let z = x * 7;\n        let w = z;\n        let v = w;\n        let u = v;\n";
        let (mut right, mut all) = (0, 0);
        each("        let x = 1;\n", new, &mut |edit, style, suggestion| {
            let request = crate::apply::ApplyRequest {
                path: Some(edit.path.clone()),
                original: edit.before.clone(),
                suggestion: suggestion.to_owned(),
                ..Default::default()
            };
            let options = crate::apply::ApplyOptions {
                route: crate::apply::Route::Deterministic,
                ..Default::default()
            };
            let applied = crate::apply::apply(&request, &options, None, &Default::default(), &mut |_| {});
            let output = applied.map(|applied| applied.output).unwrap_or_default();
            all += 1;
            right += usize::from(output == edit.after);
            assert!(output == edit.after || style == "messy", "{style}: {suggestion}\n{output}");
        });
        assert!(all > 20 && right * 10 > all * 9, "{right} of {all}");
    }
}
