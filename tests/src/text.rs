//! Positions and edits the way an editor without any cleverness does them, written from the specification only.

use serde_json::Value;

/// The unit of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// Code units of UTF-16.
    Utf16,
    /// Characters.
    Utf32,
}

impl Encoding {
    /// By its name in the protocol.
    pub fn by_name(name: &str) -> Self {
        match name {
            "utf-8" => Self::Utf8,
            "utf-16" => Self::Utf16,
            "utf-32" => Self::Utf32,
            other => panic!("no encoding {other}"),
        }
    }

    fn width(self, character: char) -> u64 {
        let width = match self {
            Self::Utf8 => character.len_utf8(),
            Self::Utf16 => character.len_utf16(),
            Self::Utf32 => 1,
        };
        width as u64
    }

    /// The byte offset of a position, which must exist.
    pub fn to_byte(self, text: &str, position: &Value) -> usize {
        let (mut line, mut column) =
            (position["line"].as_u64().unwrap(), position["character"].as_u64().unwrap());
        for (at, character) in text.char_indices() {
            if line == 0 && column == 0 {
                return at;
            }
            let ends_line = character == '\n' || (character == '\r' && !text[at..].starts_with("\r\n"));
            if line > 0 {
                line -= u64::from(ends_line);
                continue;
            }
            assert!(!matches!(character, '\n' | '\r'), "the position {position} is past the end of its line");
            column = column.checked_sub(self.width(character)).expect("a position inside a character");
        }
        assert!(line == 0 && column == 0, "the position {position} is past the end of the text");
        text.len()
    }

    /// The position of a byte offset.
    pub fn to_position(self, text: &str, byte: usize) -> Value {
        let (mut line, mut column) = (0_u64, 0_u64);
        for (at, character) in text[..byte].char_indices() {
            let ends_line = character == '\n' || (character == '\r' && !text[at..].starts_with("\r\n"));
            if ends_line {
                (line, column) = (line + 1, 0);
            } else {
                column += self.width(character);
            }
        }
        serde_json::json!({"line": line, "character": column})
    }
}

/// Makes the edits of a `TextEdit[]`, all for the same text.
pub fn apply(text: &str, edits: &[Value], encoding: Encoding) -> String {
    let byte = |edit: &Value, end| encoding.to_byte(text, &edit["range"][end]);
    let mut edits: Vec<(usize, usize, &str)> = edits
        .iter()
        .map(|edit| (byte(edit, "start"), byte(edit, "end"), edit["newText"].as_str().unwrap()))
        .collect();
    edits.sort_by_key(|edit| edit.0);
    let mut new = String::new();
    let mut at = 0;
    for (start, end, insert) in edits {
        assert!(start >= at && end >= start, "edits overlap or run backwards");
        new.push_str(&text[at..start]);
        new.push_str(insert);
        at = end;
    }
    new.push_str(&text[at..]);
    new
}
