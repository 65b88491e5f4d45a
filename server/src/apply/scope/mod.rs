//! The part of a file that a model is given to rewrite, and one marker line for each stretch that is left out. A model as
//! it comes gets the items that the edit touches and the headers of what is around them and beside them; one that was
//! trained for this gets the edit's places alone.
//!
//! What is left out must come back byte for byte, whatever becomes of its marker in the answer.

mod outline;
mod shown;
#[cfg(test)]
mod tests;

use std::ops::Range;

use redraft_grammars::Language;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::merge::{Merge, OutputLine};

/// Shorter stretches are not left out.
const SHORTEST: usize = 4;

/// Which lines of a file are shown, and which are left out.
#[derive(Debug)]
pub(super) struct Scope {
    /// In order, without holes.
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq)]
struct Part {
    lines: Range<usize>,
    /// The line that stands for it where it is left out.
    marker: Option<String>,
}

impl Scope {
    /// The items that `merges` touch; nothing where the whole file would be hardly longer.
    pub(super) fn of_items(lines: &[&str], merges: &[Merge], language: Option<Language>) -> Option<Scope> {
        let scope = Scope::new(lines, &shown::items(lines, merges, language), language)?;
        let hidden: usize = scope.markers().map(|(range, _)| range.len()).sum();
        (!merges.is_empty() && hidden * 2 >= lines.len()).then_some(scope)
    }

    /// What `merges` change and what `suggestion` quotes of the file; nothing where that is all of it.
    pub(super) fn of_edits(
        lines: &[&str],
        merges: &[Merge],
        suggestion: &str,
        language: Option<Language>,
    ) -> Option<Scope> {
        let scope = Scope::new(lines, &shown::edits(lines, merges, suggestion), language)?;
        (!merges.is_empty() && scope.markers().next().is_some()).then_some(scope)
    }

    /// Nothing where the file has a line like a marker.
    fn new(lines: &[&str], shown: &[bool], language: Option<Language>) -> Option<Scope> {
        let mut parts: Vec<Part> = Vec::new();
        for (at, shown) in shown.iter().enumerate() {
            match parts.last_mut() {
                Some(last) if last.marker.is_none() == *shown => last.lines.end = at + 1,
                _ => parts.push(Part { lines: at..at + 1, marker: (!shown).then(String::new) }),
            }
        }
        // What is too short to be left out joins what is shown around it.
        let mut joined: Vec<Part> = Vec::new();
        for mut part in parts {
            part.marker.take_if(|_| part.lines.len() < SHORTEST);
            match joined.last_mut() {
                Some(last) if last.marker.is_none() && part.marker.is_none() => {
                    last.lines.end = part.lines.end;
                }
                _ => joined.push(part),
            }
        }
        for part in joined.iter_mut().filter(|part| part.marker.is_some()) {
            part.marker = Some(marker(lines, &part.lines, language)?);
        }
        Some(Scope { parts: joined })
    }

    /// The file's text in this scope, markers for what is left out.
    pub(super) fn excerpt(&self, lines: &[&str]) -> String {
        let mut text = String::new();
        for part in &self.parts {
            match &part.marker {
                Some(marker) => text += &format!("{marker}\n"),
                None => lines[part.lines.clone()].iter().for_each(|line| text += &format!("{line}\n")),
            }
        }
        text
    }

    /// The same of an edited file; it must keep what is left out.
    pub(super) fn excerpt_of(&self, merged: &[OutputLine]) -> String {
        let hidden = |at: usize| {
            let part = self.parts.partition_point(|part| part.lines.end <= at);
            self.parts.get(part).filter(|part| part.marker.is_some())
        };
        let mut text = String::new();
        for line in merged {
            match line.original.and_then(|at| Some((at, hidden(at)?))) {
                Some((at, part)) if at == part.lines.start => {
                    text += part.marker.as_deref().unwrap_or_default();
                    text.push('\n');
                }
                Some(_) => {}
                None => text += &format!("{}\n", line.text),
            }
        }
        text
    }

    /// The edited file whose text in this scope is `answer`. Where the answer has lost a marker, or moved it, what it
    /// stands for stays in its place.
    pub(super) fn restore(&self, lines: &[&str], answer: &str) -> Vec<OutputLine> {
        let keep = |part: &Part, output: &mut Vec<OutputLine>| {
            output.extend(part.lines.clone().map(|at| OutputLine::kept(at, lines[at])));
        };
        // Each line of the excerpt: a line of the file, or a part that is left out.
        let mut shown: Vec<(&str, Option<&Part>, usize)> = Vec::new();
        for part in &self.parts {
            match &part.marker {
                Some(marker) => shown.push((marker.trim(), Some(part), part.lines.start)),
                None => shown.extend(part.lines.clone().map(|at| (lines[at], None, at))),
            }
        }
        let old: Vec<&str> = shown.iter().map(|(text, ..)| *text).collect();
        let new: Vec<&str> =
            answer.lines().map(|line| if self.is_marker(line) { line.trim() } else { line }).collect();
        let mut output = Vec::with_capacity(lines.len());
        for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
            let gone = &shown[op.old_range()];
            if let DiffOp::Equal { .. } = op {
                for (text, part, at) in gone {
                    match part {
                        Some(part) => keep(part, &mut output),
                        None => output.push(OutputLine::kept(*at, text)),
                    }
                }
                continue;
            }
            // New text stands before what is left out, unless that begins what it replaces.
            let before = gone.iter().take_while(|(_, part, _)| part.is_some()).count();
            let parts = |range: &[(&str, Option<&'_ Part>, usize)], output: &mut Vec<OutputLine>| {
                range.iter().filter_map(|(_, part, _)| *part).for_each(|part| keep(part, output));
            };
            parts(&gone[..before], &mut output);
            let added = new[op.new_range()].iter().filter(|line| !self.is_marker(line));
            output.extend(added.map(|line| OutputLine::added(0, line)));
            parts(&gone[before..], &mut output);
        }
        output
    }

    fn is_marker(&self, line: &str) -> bool {
        self.markers().any(|(_, marker)| marker.trim() == line.trim())
    }

    fn markers(&self) -> impl Iterator<Item = (&Range<usize>, &str)> {
        self.parts.iter().filter_map(|part| Some((&part.lines, part.marker.as_deref()?)))
    }
}

/// An answer as it arrives, with what was left out in the place of its markers; what it will be in the end is for
/// [`Scope::restore`] to say.
pub(super) struct Filling<'a> {
    scope: &'a Scope,
    lines: &'a [&'a str],
    /// Markers seen.
    seen: usize,
    /// The line that is arriving.
    partial: String,
}

impl<'a> Filling<'a> {
    pub(super) fn new(scope: &'a Scope, lines: &'a [&'a str]) -> Self {
        Filling { scope, lines, seen: 0, partial: String::new() }
    }

    /// Takes the next piece of the answer; gives the lines of the file that it makes.
    pub(super) fn push(&mut self, text: &str) -> String {
        let mut filled = String::new();
        for piece in text.split_inclusive('\n') {
            self.partial += piece;
            if piece.ends_with('\n') {
                let line = std::mem::take(&mut self.partial);
                match self.scope.markers().nth(self.seen).filter(|(_, marker)| marker.trim() == line.trim()) {
                    Some((range, _)) => {
                        self.seen += 1;
                        self.lines[range.clone()].iter().for_each(|line| filled += &format!("{line}\n"));
                    }
                    None => filled += &line,
                }
            }
        }
        filled
    }
}

/// A comment that says how many lines it stands for; unlike any line of the file.
fn marker(lines: &[&str], hidden: &Range<usize>, language: Option<Language>) -> Option<String> {
    let text = format!("... lines {} to {} ...", hidden.start + 1, hidden.end);
    let (line, block) = language.map_or((&[][..], &[][..]), |it| (it.line_comments(), it.block_comments()));
    let comment = match (line, block) {
        ([sign, ..], _) => format!("{sign} {text}"),
        ([], [(open, close), ..]) => format!("{open} {text} {close}"),
        ([], []) => text,
    };
    let first =
        lines[hidden.clone()].iter().find(|line| !line.trim().is_empty()).copied().unwrap_or_default();
    let indent = &first[..first.len() - first.trim_start().len()];
    (!lines.iter().any(|line| line.trim() == comment)).then(|| format!("{indent}{comment}"))
}
