//! Where a completion ends: told from the text so far, so that the model is stopped at the first token too many.

use super::brackets::{Lexer, closer};
use super::place::{Extent, Place, Rest};

/// Lines of a block that are offered at once.
const BLOCK_LINES: usize = 12;
/// Lines over which one statement may go on until its brackets are closed.
const STATEMENT_LINES: usize = 8;
/// The rest of the line is recognised by so many of its characters.
const RECOGNISED: usize = 12;

/// The end of what is worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// The text is kept up to this byte.
    pub(super) at: usize,
    /// Whether it comes to its end there, rather than being too long or going astray.
    pub(super) whole: bool,
}

impl Cut {
    fn whole(at: usize) -> Option<Cut> {
        Some(Cut { at, whole: true })
    }
}

/// Where `text`, written at the cursor, comes to its end; nothing while it may go on.
pub(super) fn end(place: &Place, text: &str) -> Option<Cut> {
    let cuts = [brackets(place, text), rest(place, text), lines(place, text)];
    cuts.into_iter().flatten().min_by_key(|cut| cut.at)
}

/// Ends before a bracket that closes what is closed already.
fn brackets(place: &Place, text: &str) -> Option<Cut> {
    let mut own = Vec::new();
    let mut missing = place.missing.clone();
    let mut rest = place.rest_text.chars().filter(|c| matches!(c, ')' | ']' | '}'));
    for bracket in Lexer::new(place.language).scan(text).0 {
        if bracket.opens() {
            own.push(bracket.character);
            continue;
        }
        if let Some(open) = own.pop() {
            if closer(open) == bracket.character {
                continue;
            }
            return Some(Cut { at: content_end(text, bracket.at), whole: false });
        }
        if place.rest == Rest::Closers && rest.next() == Some(bracket.character) {
            continue;
        }
        match missing.pop() {
            Some(open) if closer(open) == bracket.character => {}
            _ => return Cut::whole(content_end(text, bracket.at)),
        }
    }
    None
}

/// Ends where the rest of the line is said again.
fn rest(place: &Place, text: &str) -> Option<Cut> {
    if place.rest != Rest::Text {
        return None;
    }
    let rest = place.rest_text.trim();
    let shown = rest.char_indices().nth(RECOGNISED).map_or(rest, |(at, _)| &rest[..at]);
    text.find(shown).and_then(|at| Cut::whole(content_end(text, at)))
}

/// Ends with the statement or the block, or where lines begin to repeat.
fn lines(place: &Place, text: &str) -> Option<Cut> {
    let breaks: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    let blank_line = place.line.trim().is_empty();
    let first_indent = blank_line.then(|| width(&place.line) + width(text.trim_start_matches('\n')));
    // The indentation that belongs to the block; a line with less of it stands outside.
    let base = first_indent.unwrap_or_else(|| width(&place.line));
    let mut seen: Vec<&str> = Vec::new();
    let mut start = 0;
    for (number, end) in breaks.iter().copied().chain([text.len()]).enumerate() {
        let (line, complete) = (&text[start..end], end < text.len());
        let said = line.trim();
        let before = start.saturating_sub(1);
        let depth = depth(place, &text[..start]);
        let closes = said.starts_with([')', ']', '}']);
        if number > 0 && place.rest == Rest::Text {
            return Cut::whole(before);
        }
        if number > 0 && !said.is_empty() {
            // In a block that the cursor's line opens the lines stand further in, but for the one that closes it.
            let outside = if blank_line {
                width(line) < base
            } else {
                width(line) < base || opens(place) && width(line) == base
            };
            if outside && !closes && depth <= 0 {
                return Cut::whole(content_end(text, before));
            }
            if place.extent == Extent::Block
                && complete
                && significant(said)
                && said == place.next_line
                && depth <= 0
            {
                return Cut::whole(content_end(text, before));
            }
        }
        if significant(said) && complete {
            let same = seen.iter().rev().take_while(|earlier| **earlier == said).count();
            let often = seen.iter().filter(|earlier| **earlier == said).count();
            if same >= 1 || often >= 2 {
                return Some(Cut { at: content_end(text, before), whole: false });
            }
        }
        seen.push(said);
        if complete && (place.extent == Extent::Statement || seen.iter().any(|line| !line.is_empty())) {
            let depth = self::depth(place, &text[..end]);
            let next_blank = text[end..].starts_with("\n\n");
            let over = match place.extent {
                Extent::Statement => depth + within(place) <= 0 || number + 1 >= STATEMENT_LINES,
                Extent::Block => depth <= 0 && next_blank || number + 1 >= BLOCK_LINES || depth < 0 && closes,
            };
            if over {
                return Some(Cut { at: end, whole: depth + within(place) <= 0 });
            }
        }
        start = end + 1;
    }
    None
}

/// Brackets that a text opens less those it closes, in the completion itself.
fn depth(place: &Place, text: &str) -> isize {
    let brackets = Lexer::new(place.language).scan(text).0;
    brackets.iter().map(|bracket| if bracket.opens() { 1 } else { -1 }).sum()
}

/// How many brackets the cursor stands in that are closed in its line: a statement goes on until they are.
fn within(place: &Place) -> isize {
    let closers = place.rest_text.chars().filter(|c| matches!(c, ')' | ']' | '}')).count();
    if place.rest == Rest::Closers { closers as isize } else { 0 }
}

/// Whether the cursor's line opens a block that is to be written.
fn opens(place: &Place) -> bool {
    place.line.trim_end().ends_with(['{', ':', '(', '['])
}

/// The width of a line's indentation; a tab counts as four.
pub(super) fn width(line: &str) -> usize {
    line.chars().take_while(|c| matches!(c, ' ' | '\t')).map(|c| if c == '\t' { 4 } else { 1 }).sum()
}

/// Whether a line says enough that its coming again means something.
pub(super) fn significant(line: &str) -> bool {
    line.chars().filter(|c| c.is_alphanumeric()).count() >= 3
}

/// The end of what is not blank before a byte.
fn content_end(text: &str, at: usize) -> usize {
    text[..at].trim_end().len()
}
