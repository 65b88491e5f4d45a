//! Line and column in the encodings of the Language Server Protocol, to and from byte offsets in a rope.
//!
//! The specification (3.17, "Text Documents"): "Position in a text document expressed as zero-based line and zero-based
//! character offset. [...] The meaning of this offset is determined by the negotiated `PositionEncodingKind`. If the
//! character value is greater than the line length it defaults back to the line length." Lines end with `\n`, `\r\n` or
//! `\r`, which is what ropey counts when it is built with `cr_lines` and without `unicode_lines`.
//!
//! What the specification leaves open is settled so that nothing panics: a line past the end is the end of the text,
//! and a column inside a character is the start of that character.

use ropey::{Rope, RopeSlice};

/// The unit in which columns are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PositionEncoding {
    /// Bytes of UTF-8.
    Utf8,
    /// Code units of UTF-16, which every client understands.
    #[default]
    Utf16,
    /// Unicode scalar values.
    Utf32,
}

/// A zero-based line and column, the column counted in some [`PositionEncoding`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineColumn {
    /// Zero-based line.
    pub line: u32,
    /// Zero-based column.
    pub column: u32,
}

impl PositionEncoding {
    /// The byte offset of a position, clamped into the text.
    pub fn to_byte(self, rope: &Rope, position: LineColumn) -> usize {
        let line = position.line as usize;
        if line >= rope.len_lines() {
            return rope.len_bytes();
        }
        let start = rope.line_to_byte(line);
        let content = without_line_end(rope.line(line));
        let column = position.column as usize;
        let within = match self {
            Self::Utf8 => {
                let column = column.min(content.len_bytes());
                content.char_to_byte(content.byte_to_char(column))
            }
            Self::Utf16 => {
                let column = column.min(content.len_utf16_cu());
                content.char_to_byte(content.utf16_cu_to_char(column))
            }
            Self::Utf32 => content.char_to_byte(column.min(content.len_chars())),
        };
        start + within
    }

    /// The position of a byte offset; one past the end is the end, one inside a character is that character's start.
    pub fn from_byte(self, rope: &Rope, byte: usize) -> LineColumn {
        let char = rope.byte_to_char(byte.min(rope.len_bytes()));
        let line = rope.char_to_line(char);
        let start = rope.line_to_char(line);
        let column = match self {
            Self::Utf8 => rope.char_to_byte(char) - rope.char_to_byte(start),
            Self::Utf16 => rope.char_to_utf16_cu(char) - rope.char_to_utf16_cu(start),
            Self::Utf32 => char - start,
        };
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        LineColumn { line: short(line), column: short(column) }
    }
}

/// A line without the `\n`, `\r\n` or `\r` that ends it.
fn without_line_end(line: RopeSlice<'_>) -> RopeSlice<'_> {
    let mut end = line.len_chars();
    if end > 0 && line.char(end - 1) == '\n' {
        end -= 1;
    }
    if end > 0 && line.char(end - 1) == '\r' {
        end -= 1;
    }
    line.slice(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [PositionEncoding; 3] =
        [PositionEncoding::Utf8, PositionEncoding::Utf16, PositionEncoding::Utf32];

    fn at(line: u32, column: u32) -> LineColumn {
        LineColumn { line, column }
    }

    #[test]
    fn columns_are_counted_in_the_encoding() {
        let rope = Rope::from_str("a\t😀é\r\n中b");
        // byte 6 is after the emoji, byte 8 after é
        for (encoding, after_emoji, after_accent) in
            [(PositionEncoding::Utf8, 6, 8), (PositionEncoding::Utf16, 4, 5), (PositionEncoding::Utf32, 3, 4)]
        {
            assert_eq!(encoding.to_byte(&rope, at(0, after_emoji)), 6);
            assert_eq!(encoding.to_byte(&rope, at(0, after_accent)), 8);
            assert_eq!(encoding.from_byte(&rope, 6), at(0, after_emoji));
            assert_eq!(encoding.from_byte(&rope, 8), at(0, after_accent));
            assert_eq!(encoding.to_byte(&rope, at(1, 0)), 10);
        }
    }

    #[test]
    fn positions_past_the_end_are_clamped() {
        for encoding in ALL {
            for text in ["ab\r\ncd\n", "ab\ncd\n", "ab\rcd\r"] {
                let rope = Rope::from_str(text);
                assert_eq!(encoding.to_byte(&rope, at(0, 99)), 2, "{text:?}");
                assert_eq!(encoding.to_byte(&rope, at(2, 0)), text.len(), "{text:?}");
                assert_eq!(encoding.to_byte(&rope, at(99, 0)), text.len(), "{text:?}");
                assert_eq!(encoding.to_byte(&rope, at(u32::MAX, u32::MAX)), text.len(), "{text:?}");
                assert_eq!(encoding.from_byte(&rope, 999), at(2, 0), "{text:?}");
            }
            assert_eq!(encoding.to_byte(&Rope::from_str(""), at(3, 3)), 0);
        }
    }

    #[test]
    fn a_column_inside_a_character_is_its_start() {
        let rope = Rope::from_str("x😀y");
        for column in 1..5 {
            assert_eq!(PositionEncoding::Utf8.to_byte(&rope, at(0, column)), 1);
        }
        assert_eq!(PositionEncoding::Utf16.to_byte(&rope, at(0, 2)), 1);
        assert_eq!(PositionEncoding::Utf16.from_byte(&rope, 3), at(0, 1));
    }

    #[test]
    fn only_the_line_ends_of_the_protocol_end_lines() {
        let rope = Rope::from_str("a\u{b}b\u{2028}c\u{85}d\ne");
        assert_eq!(PositionEncoding::Utf32.from_byte(&rope, rope.len_bytes()), at(1, 1));
    }

    fn text() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a", "\t", "é", "中", "😀", "e\u{301}", "\u{2028}", "\r\n", "\n", "\r", " ",
        ]);
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    /// The slow way, written from the specification: lines, then units of one line.
    fn slow_position(encoding: PositionEncoding, text: &str, byte: usize) -> LineColumn {
        let mut line_start = 0;
        let mut line = 0;
        let bytes = text.as_bytes();
        for at in 0..byte {
            let ends = bytes[at] == b'\n' || (bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
            if ends {
                line += 1;
                line_start = at + 1;
            }
        }
        let before = &text[line_start..byte];
        let column = match encoding {
            PositionEncoding::Utf8 => before.len(),
            PositionEncoding::Utf16 => before.encode_utf16().count(),
            PositionEncoding::Utf32 => before.chars().count(),
        };
        at(line, u32::try_from(column).unwrap())
    }

    proptest! {
        #[test]
        fn every_boundary_round_trips(text in text()) {
            let rope = Rope::from_str(&text);
            for encoding in ALL {
                for (byte, _) in text.char_indices().chain([(text.len(), ' ')]) {
                    let position = encoding.from_byte(&rope, byte);
                    prop_assert_eq!(position, slow_position(encoding, &text, byte));
                    let inside_crlf = byte > 0 && text[..byte].ends_with('\r') && text[byte..].starts_with('\n');
                    let expected = if inside_crlf { byte - 1 } else { byte };
                    prop_assert_eq!(encoding.to_byte(&rope, position), expected);
                }
            }
        }

        #[test]
        fn any_position_is_a_boundary_of_its_line(text in text(), line in 0u32..70, column in 0u32..90) {
            let rope = Rope::from_str(&text);
            for encoding in ALL {
                let byte = encoding.to_byte(&rope, at(line, column));
                prop_assert!(text.is_char_boundary(byte));
                let back = encoding.from_byte(&rope, byte);
                prop_assert!(back <= at(line, column));
                if (line as usize) < rope.len_lines() {
                    prop_assert_eq!(back.line, line);
                }
            }
        }
    }
}
