//! A file's text as lines, and back: what must survive an edit besides the lines themselves (encoding mark, line
//! endings, a missing final newline) is kept here, so that merging sees clean lines only.

use similar::DiffOp;

use crate::merge::OutputLine;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A file split into lines whose endings are remembered one by one.
#[derive(Debug)]
pub struct FileText<'a> {
    byte_order_mark: bool,
    lines: Vec<(&'a str, &'static str)>,
    /// The ending that new lines get: the file's most frequent one.
    ending: &'static str,
    final_newline: bool,
}

impl<'a> FileText<'a> {
    /// Splits `text`. A carriage return alone ends a line only in files that have no line feed at all.
    pub fn new(text: &'a str) -> Self {
        let (byte_order_mark, mut rest) = match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let separator = if !rest.contains('\n') && rest.contains('\r') { '\r' } else { '\n' };
        let mut lines = Vec::new();
        while let Some(at) = rest.find(separator) {
            let line = &rest[..at];
            lines.push(match (separator, line.strip_suffix('\r')) {
                ('\n', Some(line)) => (line, "\r\n"),
                ('\n', None) => (line, "\n"),
                _ => (line, "\r"),
            });
            rest = &rest[at + 1..];
        }
        let final_newline = rest.is_empty();
        if !final_newline {
            lines.push((rest, ""));
        }
        let count = |wanted: &str| lines.iter().filter(|(_, ending)| *ending == wanted).count();
        let (lf, crlf) = (count("\n"), count("\r\n"));
        let ending = match separator {
            '\r' => "\r",
            _ if crlf > lf => "\r\n",
            _ => "\n",
        };
        FileText { byte_order_mark, lines, ending, final_newline }
    }

    /// The lines without their endings.
    pub fn lines(&self) -> Vec<&'a str> {
        self.lines.iter().map(|(line, _)| *line).collect()
    }

    /// The text with line feeds only and without encoding mark, as a model reads it.
    pub fn plain(&self) -> String {
        let mut text = self.lines().join("\n");
        if self.final_newline && !self.lines.is_empty() {
            text.push('\n');
        }
        text
    }

    /// Gives text with line feeds only this file's encoding mark, line endings and final newline.
    pub fn adopt(&self, text: &str) -> String {
        self.rebuild(&self.aligned(text))
    }

    /// The lines of `text`, those that a shortest diff keeps with their place in this file.
    pub(super) fn aligned(&self, text: &str) -> Vec<OutputLine> {
        let (old, new) = (self.lines(), text.lines().collect::<Vec<_>>());
        let mut output = Vec::with_capacity(new.len());
        for op in similar::capture_diff_slices(similar::Algorithm::Myers, &old, &new) {
            match op {
                DiffOp::Equal { old_index, len, .. } => {
                    output.extend(
                        (old_index..old_index + len).map(|index| OutputLine::kept(index, old[index])),
                    );
                }
                DiffOp::Insert { new_index, new_len, .. } | DiffOp::Replace { new_index, new_len, .. } => {
                    output.extend(
                        new[new_index..new_index + new_len].iter().map(|line| OutputLine::added(0, line)),
                    );
                }
                DiffOp::Delete { .. } => {}
            }
        }
        output
    }

    /// Puts an edited file together: kept lines keep their own ending, new ones get the file's usual one, and the
    /// file ends with a newline exactly if it did before.
    pub fn rebuild(&self, output: &[OutputLine]) -> String {
        let size = output.iter().map(|line| line.text.len() + 2).sum();
        let mut text = String::with_capacity(size);
        if self.byte_order_mark {
            text.push(BYTE_ORDER_MARK);
        }
        for (position, line) in output.iter().enumerate() {
            text.push_str(&line.text);
            let own = line.original.map_or("", |index| self.lines[index].1);
            if position + 1 < output.len() || self.final_newline {
                text.push_str(if own.is_empty() { self.ending } else { own });
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(text: &str) {
        let file = FileText::new(text);
        let output: Vec<OutputLine> =
            file.lines().iter().enumerate().map(|(index, line)| OutputLine::kept(index, line)).collect();
        assert_eq!(file.rebuild(&output), text);
    }

    #[test]
    fn unchanged_lines_rebuild_the_same_bytes() {
        for text in [
            "",
            "\n",
            "a",
            "a\n",
            "a\r\nb\nc",
            "\u{feff}a\r\n",
            "a\rb\r",
            "a\rb",
            "a\rb\nc\r\n",
            "\n\n\n",
            "\r\n",
        ] {
            keep(text);
        }
    }

    #[test]
    fn new_lines_get_the_usual_ending() {
        let file = FileText::new("a\r\nb\r\nc\n");
        let mut output: Vec<OutputLine> =
            file.lines().iter().enumerate().map(|(index, line)| OutputLine::kept(index, line)).collect();
        output.insert(1, OutputLine::added(0, "new"));
        assert_eq!(file.rebuild(&output), "a\r\nnew\r\nb\r\nc\n");
    }

    #[test]
    fn adopted_text_takes_over_the_files_ways() {
        let file = FileText::new("\u{feff}a\r\nb\nc");
        assert_eq!(file.adopt("a\nnew\nb\nc\n"), "\u{feff}a\r\nnew\nb\nc");
        assert_eq!(file.adopt(&file.plain()), "\u{feff}a\r\nb\nc");
    }

    #[test]
    fn a_missing_final_newline_stays_missing() {
        let file = FileText::new("a\nb");
        let output = vec![OutputLine::kept(0, "a"), OutputLine::kept(1, "b"), OutputLine::added(0, "c")];
        assert_eq!(file.rebuild(&output), "a\nb\nc");
    }
}
