//! The items of a file and of a snippet, by names and indentation: which function, class or block a line belongs to.
//!
//! Works on lines alone, so that it holds for every language that people indent, for snippets with holes in them, and
//! for files that do not parse. It must never be taken for certain: whoever uses it pays a price to go against it.

use std::collections::HashMap;
use std::ops::Range;

use super::lines::Line;
use super::snippet::{File, Piece};

/// An item: a header that names it and what hangs below.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    /// The line that names it.
    pub(super) header: usize,
    /// The line after its last one.
    pub(super) end: usize,
    /// Columns of the header's indentation.
    pub(super) indent: usize,
    /// Hash of its name.
    pub(super) name: u32,
    /// Its last line closes it.
    pub(super) closed: bool,
    /// The innermost item around it.
    pub(super) parent: Option<usize>,
}

/// A line as the outline sees it; a marker counts for its indentation only.
struct Seen<'a> {
    line: &'a Line,
    text: &'a str,
    marker: bool,
}

/// The items of a file.
pub(super) fn of_file(file: &File<'_>) -> Vec<Item> {
    let seen = |(line, text)| Seen { line, text, marker: false };
    outline(&file.lines.iter().zip(file.text.iter().copied()).map(seen).collect::<Vec<_>>())
}

/// The items that a snippet shows, whole or in parts.
pub(super) fn of_pieces(pieces: &[Piece]) -> Vec<Item> {
    outline(
        &pieces
            .iter()
            .map(|piece| Seen { line: &piece.line, text: &piece.text, marker: piece.marker })
            .collect::<Vec<_>>(),
    )
}

fn outline(lines: &[Seen<'_>]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for (header, seen) in lines.iter().enumerate() {
        let Some(name) = seen.line.header.filter(|_| !seen.marker) else { continue };
        let indent = seen.line.indent;
        let (end, closed) = extent(lines, header);
        let parent = items.iter().rposition(|item| item.end > header && item.indent < indent);
        items.push(Item { header, end, indent, name, closed, parent });
    }
    items
}

/// The line after an item's last one, and whether that one closes it.
fn extent(lines: &[Seen<'_>], header: usize) -> (usize, bool) {
    let indent = lines[header].line.indent;
    let mut end = header + 1;
    // After a colon only the indentation tells where the body ends.
    let mut bare = lines[header].text.trim_end().ends_with(':');
    if lines[header].text.trim_end().ends_with([';', '}']) {
        return (end, false);
    }
    for (at, seen) in lines.iter().enumerate().skip(header + 1) {
        if seen.line.blank {
            continue;
        }
        if seen.line.indent > indent {
            end = at + 1;
            continue;
        }
        // A marker to the left of a body in brackets stands inside it as long as they are open.
        if seen.marker && !bare {
            end = at + 1;
            continue;
        }
        if seen.marker || seen.line.indent < indent {
            return (end, false);
        }
        let text = seen.text.trim();
        let opens = text.ends_with(['{', ':', '(', '[', ',']);
        let goes_on = text == "{"
            || text.starts_with("where")
            || (text.starts_with([')', ']']) && opens)
            || text == ">";
        if goes_on {
            end = at + 1;
            bare |= text.ends_with(':');
        } else if !bare && (text.starts_with(['}', ')', ']']) || is_end(text)) {
            return (at + 1, true);
        } else {
            return (end, false);
        }
    }
    (end, false)
}

/// How many lines right above a header belong to it: attributes, decorators, comments of its own depth.
fn heads_above<'a>(header: usize, line: impl Fn(usize) -> (&'a str, usize)) -> usize {
    let indent = line(header).1;
    let is_head = |at: &usize| {
        let (text, own) = line(*at);
        own == indent && is_head(text)
    };
    (0..header).rev().take_while(is_head).count()
}

/// Attributes, decorators, comments.
pub(super) fn is_head(text: &str) -> bool {
    let text = text.trim_start();
    ["#[", "@", "//", "/**", "*", "# "].iter().any(|start| text.starts_with(start))
}

fn is_end(text: &str) -> bool {
    text.strip_prefix("end").is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Which of a file's items the rows of a snippet speak of.
#[derive(Debug, Default, Clone)]
pub(super) struct Binding {
    /// For each row that names or closes an item of the file: the line where that stands.
    pub(super) bound: Vec<Option<usize>>,
    /// For each row: the lines of the file's item that it is shown in.
    pub(super) span: Vec<Option<Range<usize>>>,
    /// For each row: it is part of an item whose name the file does not have.
    pub(super) fresh: Vec<bool>,
    /// For each row: a marker stands between it and the header of the item that it is shown in.
    pub(super) far: Vec<bool>,
    /// For each place between rows right after the end of an item: the lines of the file's item, shown to its end.
    pub(super) ended: Vec<Option<Range<usize>>>,
    /// For each boundary between the file's lines: the indentation of the innermost item that it lies in.
    pub(super) depth: Vec<Option<usize>>,
    /// For each line of the file: it is the header of an item whose name the snippet does not show.
    pub(super) unnamed: Vec<bool>,
}

/// Finds the items of `file` that `pieces` show: by name, depth and the item around them, and only where one fits.
pub(super) fn bind(file: &File<'_>, pieces: &[Piece]) -> Binding {
    let (items, shown) = (of_file(file), of_pieces(pieces));
    let mut by_name: HashMap<(u32, usize), Vec<usize>> = HashMap::new();
    for (index, item) in items.iter().enumerate() {
        by_name.entry((item.name, item.indent)).or_default().push(index);
    }
    let mut found: Vec<Option<usize>> = Vec::with_capacity(shown.len());
    for item in &shown {
        let parent = item.parent.map(|parent| found[parent]);
        let same_text = |index: &usize| file.lines[items[*index].header].key == pieces[item.header].line.key;
        let candidates: Vec<usize> = by_name
            .get(&(item.name, item.indent))
            .into_iter()
            .flatten()
            .copied()
            .filter(|index| match parent {
                // The item around it is new, and so is everything in it.
                Some(None) => false,
                Some(parent) => items[*index].parent == parent,
                None => true,
            })
            .collect();
        let exact: Vec<usize> = candidates.iter().copied().filter(same_text).collect();
        found.push(match (&candidates[..], &exact[..]) {
            ([one], _) | (_, [one]) => Some(*one),
            _ => None,
        });
    }
    // One of the file's items shown twice: the one with the file's own header is it, the other is new.
    for index in 0..found.len() {
        let Some(own) = found[index] else { continue };
        let twice = |other: usize| other != index && found[other] == Some(own);
        if (0..found.len()).any(twice)
            && file.lines[items[own].header].key != pieces[shown[index].header].line.key
        {
            found[index] = None;
        }
    }
    let mut binding = Binding {
        bound: vec![None; pieces.len()],
        span: vec![None; pieces.len()],
        fresh: vec![false; pieces.len()],
        far: vec![false; pieces.len()],
        ended: vec![None; pieces.len() + 1],
        depth: vec![None; file.lines.len() + 1],
        unnamed: vec![false; file.lines.len()],
    };
    for item in &items {
        // Between an item and what heads it nothing can stand either.
        let first = item.header - heads_above(item.header, |at| (file.text[at], file.lines[at].indent));
        for depth in &mut binding.depth[first + 1..item.end] {
            *depth = Some(item.indent);
        }
        binding.unnamed[item.header] = !shown.iter().any(|other| other.name == item.name);
    }
    for (item, own) in shown.iter().zip(found) {
        let Some(own) = own.map(|own| &items[own]) else {
            binding.span[item.header..item.end].fill(None);
            let hole = (item.header..item.end).find(|row| pieces[*row].marker).unwrap_or(item.end);
            let known = items.iter().any(|other| other.name == item.name);
            binding.fresh[item.header..hole].fill(!known);
            continue;
        };
        let hole = (item.header..item.end).find(|row| pieces[*row].marker).unwrap_or(item.end);
        binding.bound[item.header] = Some(own.header);
        let heads =
            own.header - heads_above(own.header, |at| (file.text[at], file.lines[at].indent))..own.header;
        let text = |row: usize| if pieces[row].marker { "" } else { pieces[row].text.as_str() };
        let shown = heads_above(item.header, |row| (text(row), pieces[row].line.indent));
        binding.span[item.header - shown..item.header].fill(Some(heads));
        binding.far[item.header - shown..item.header].fill(false);
        binding.span[item.header + 1..item.end].fill(Some(own.header..own.end));
        binding.far[item.header + 1..hole].fill(false);
        binding.far[hole..item.end].fill(true);
        let next = (item.end..pieces.len()).find(|row| !pieces[*row].line.blank).unwrap_or(pieces.len());
        if !pieces[item.end - 1].marker {
            binding.ended[item.end..=next].fill(Some(own.header..own.end));
        }
        if hole == item.end && item.closed && own.closed && item.end > item.header + 1 {
            binding.bound[item.end - 1] = Some(own.end - 1);
        }
    }
    binding
}

impl Binding {
    /// The part for some rows and some of the file's lines, counted from there.
    pub(super) fn part(&self, rows: Range<usize>, at: Range<usize>) -> Binding {
        let within = |line: usize| at.contains(&line).then(|| line - at.start);
        let clip = |line: usize| line.clamp(at.start, at.end) - at.start;
        let span = |span: &Range<usize>| clip(span.start)..clip(span.end);
        Binding {
            bound: self.bound[rows.clone()].iter().map(|line| line.and_then(within)).collect(),
            span: self.span[rows.clone()].iter().map(|own| own.as_ref().map(span)).collect(),
            fresh: self.fresh[rows.clone()].to_vec(),
            far: self.far[rows.clone()].to_vec(),
            ended: self.ended[rows.start..=rows.end].iter().map(|own| own.as_ref().map(span)).collect(),
            depth: self.depth[at.start..=at.end].to_vec(),
            unnamed: self.unnamed[at.clone()].to_vec(),
        }
    }
}
