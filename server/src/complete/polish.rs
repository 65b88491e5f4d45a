//! What of a model's text is shown: cut where it ends, fitted to what follows the cursor, and nothing at all where the
//! model is not sure or says what stands there already.

use super::brackets::Lexer;
use super::place::{Extent, Place, Rest};
use super::rules::{Cut, end, significant};
use super::{Options, Rejected, Written};

/// A completion as it would be typed, before it is fitted to the closing brackets behind the cursor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Polished {
    pub(super) text: String,
    pub(super) confidence: f32,
}

/// What of `written` is worth showing.
pub(super) fn polish(place: &Place, written: &Written, options: &Options) -> Result<Polished, Rejected> {
    let cut = if options.guards { end(place, &written.text) } else { None };
    let mut text = match cut {
        // Of a statement that does not come to its end the first line is as good as any.
        Some(Cut { at, whole: false }) if place.extent == Extent::Statement => {
            written.text[..at].lines().next().unwrap_or_default()
        }
        Some(Cut { at, .. }) => &written.text[..at],
        // Of a block that is not finished the last line is rarely whole.
        None if written.unfinished && options.guards => {
            written.text.rfind('\n').map_or(written.text.as_str(), |at| &written.text[..at])
        }
        None => written.text.as_str(),
    }
    .trim_end();
    if text.is_empty() {
        return Err(Rejected::Empty);
    }
    let mut confidence = written.confidence(text.len());
    if !options.guards {
        return Ok(Polished { text: text.to_owned(), confidence });
    }
    if confidence < options.min_confidence && place.extent == Extent::Block {
        // The first line may be sure where the rest is not.
        let blank = text.len() - text.trim_start().len();
        let first = text[blank..].find('\n').map_or(text.len(), |at| blank + at);
        text = &text[..first];
        confidence = written.confidence(first);
    }
    if confidence < options.min_confidence {
        return Err(Rejected::Unsure { confidence });
    }
    if repeats(place, text) {
        return Err(Rejected::Repeats);
    }
    Ok(Polished { text: text.to_owned(), confidence })
}

/// What of a text that is still being written can be shown already: whole words, and no line that may become one of
/// those around it.
pub(super) fn so_far(place: &Place, written: &Written, options: &Options) -> Option<Polished> {
    let begun = if end(place, &written.text).is_some() {
        ""
    } else {
        let words = written.text.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
        &written.text[words.len()..]
    };
    let text = written.text.strip_suffix(begun).unwrap_or_default().to_owned();
    let last = text.lines().next_back().unwrap_or_default();
    let (line, [below, above]) = (line_of(place, &text), [&place.next_line, above(place, &text)]);
    if !text.contains('\n') && significant(&line) && (below.starts_with(&line) || above.starts_with(&line))
        || significant(last) && place.next_line.starts_with(last.trim())
    {
        return None;
    }
    polish(place, &Written { text, tokens: written.tokens.clone(), ..Written::default() }, options).ok()
}

/// Whether the line that comes of it stands right above or below.
fn repeats(place: &Place, text: &str) -> bool {
    let line = line_of(place, text);
    significant(&line) && (line == place.next_line || line == above(place, text))
}

/// The first line that comes of a completion, without its indentation.
fn line_of(place: &Place, text: &str) -> String {
    let own_line = if text.starts_with('\n') { "" } else { place.line.as_str() };
    let first = text.trim_start_matches('\n').lines().next().unwrap_or_default();
    let line = format!("{own_line}{first}{}", if place.rest == Rest::Text { &place.rest_text } else { "" });
    line.trim().to_owned()
}

/// The line above that one.
fn above<'t>(place: &'t Place, text: &str) -> &'t str {
    if text.starts_with('\n') { place.line.trim() } else { &place.previous_line }
}

/// Fits a completion to the rest of the cursor's line: the text to insert, and how much of the rest it replaces.
pub(super) fn fit(text: &str, place: &Place) -> (String, usize) {
    if place.rest != Rest::Closers {
        return (text.to_owned(), 0);
    }
    let rest = place.rest_text.trim_end();
    // What the text closes of the rest's brackets, in order.
    let closed = Lexer::new(place.language).unopened(text).len();
    let mut used = rest
        .char_indices()
        .filter(|(_, c)| matches!(c, ')' | ']' | '}'))
        .take(closed)
        .last()
        .map_or(0, |(at, _)| at + 1);
    if used == 0 && !text.contains('\n') && !ends_as_begun(text, rest) {
        return (text.to_owned(), 0);
    }
    // A semicolon or quote that the text has as well.
    if ends_as_begun(text, &rest[used..]) {
        used = rest.len();
    }
    (format!("{text}{}", &rest[used..]), rest.len())
}

/// Whether a text ends with all of what is left of the line.
fn ends_as_begun(text: &str, left: &str) -> bool {
    !left.is_empty() && text.ends_with(left)
}
