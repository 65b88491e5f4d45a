//! The byte-order mark, which is part of a file on disk but not of an editor's buffer.

/// U+FEFF, the byte-order mark.
pub const BOM: &str = "\u{feff}";

/// Splits a byte-order mark off the text of a file: the mark (or nothing) and the rest.
pub fn split_bom(text: &str) -> (&str, &str) {
    text.strip_prefix(BOM).map_or(("", text), |rest| (BOM, rest))
}
