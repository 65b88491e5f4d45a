//! The items of a file by lines: which one holds a change, and the headers that say where one is.

use std::collections::BTreeMap;
use std::ops::Range;

use redraft_grammars::{Item, Language};

/// A header of more lines is cut.
const LONGEST_HEADER: usize = 6;
/// Headers of other items, the nearest ones.
const OUTLINE: usize = 12;

/// The items of a file by lines.
pub(super) struct Outline {
    items: Vec<Item>,
    /// Start of every line in bytes.
    starts: Vec<usize>,
    text: String,
}

impl Outline {
    /// Reads the items; without a grammar there are none.
    pub(super) fn new(lines: &[&str], language: Option<Language>) -> Outline {
        let mut text = String::new();
        let mut starts = Vec::with_capacity(lines.len());
        for line in lines {
            starts.push(text.len());
            text += line;
            text.push('\n');
        }
        let tree = language.and_then(|language| Some((language, language.parse(&text, None)?)));
        let items = tree.map_or_else(Vec::new, |(language, tree)| language.items(&tree, &text));
        Outline { items, starts, text }
    }

    fn line_of(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    fn lines(&self, bytes: &Range<usize>) -> Range<usize> {
        self.line_of(bytes.start)..self.line_of(bytes.end.saturating_sub(1).max(bytes.start)) + 1
    }

    /// Items with a body around `range`, and their places in the list.
    fn holding<'a>(&'a self, range: &'a Range<usize>) -> impl Iterator<Item = usize> + 'a {
        (0..self.items.len()).filter(move |index| {
            let item = &self.items[*index];
            let own = self.lines(&item.full_range);
            item.body.is_some() && own.start <= range.start && range.end <= own.end
        })
    }

    /// The lines of the smallest item around `range`.
    pub(super) fn enclosing(&self, range: &Range<usize>) -> Option<Range<usize>> {
        self.holding(range).map(|index| self.lines(&self.items[index].full_range)).min_by_key(Range::len)
    }

    /// An item's lines up to where its body starts.
    fn header(&self, index: usize) -> Range<usize> {
        let item = &self.items[index];
        let start = self.line_of(item.name_range.start);
        let Some(body) = &item.body else { return start..start + 1 };
        let end = self.line_of(body.start);
        let body_alone = self.text[self.starts[end]..body.start].trim().is_empty();
        start..(if body_alone { end } else { end + 1 }).clamp(start + 1, start + LONGEST_HEADER)
    }

    /// The headers of the items around `touched`, with the lines that close them, and the headers of the nearest others
    /// beside them.
    pub(super) fn around(&self, touched: &[Range<usize>]) -> Vec<Range<usize>> {
        let mut headers = Vec::new();
        let mut beside: BTreeMap<usize, usize> = BTreeMap::new();
        for range in touched {
            let outer: Vec<usize> = self.holding(range).collect();
            for &index in &outer {
                let own = self.lines(&self.items[index].full_range);
                headers.extend([self.header(index), own.end - 1..own.end]);
            }
            for (index, item) in self.items.iter().enumerate().filter(|(_, item)| item.body.is_some()) {
                let within = item.parent.is_none_or(|parent| outer.contains(&parent));
                if within && !outer.contains(&index) {
                    let at = self.line_of(item.name_range.start);
                    let distance = beside.entry(index).or_insert(usize::MAX);
                    *distance = at.abs_diff(range.start).min(*distance);
                }
            }
        }
        let mut beside: Vec<(usize, usize)> = beside.into_iter().map(|(index, far)| (far, index)).collect();
        beside.sort_unstable();
        headers.extend(beside.iter().take(OUTLINE).map(|(_, index)| self.header(*index)));
        headers
    }
}
