//! Undoing what copying through a chat does to a snippet as a whole: lost indentation, tabs turned into spaces.

use super::lines::{Line, indent_of};
use super::snippet::{File, Piece};

/// Gives a snippet the file's tabs and indentation where it plainly lost them.
pub(super) fn prepare(file: &File<'_>, pieces: Vec<Piece>) -> Vec<Piece> {
    let pieces = restore_tabs(file, pieces);
    let mut output = Vec::with_capacity(pieces.len());
    let mut block: Vec<Piece> = Vec::new();
    for piece in pieces {
        if piece.starts_block {
            output.extend(restore_indent(file, std::mem::take(&mut block)));
        }
        block.push(piece);
    }
    output.extend(restore_indent(file, block));
    output
}

fn leading(text: &str) -> &str {
    &text[..text.len() - text.trim_start_matches([' ', '\t']).len()]
}

/// The file is indented with tabs, the snippet with spaces: finds how many spaces stand for a tab.
fn restore_tabs(file: &File<'_>, pieces: Vec<Piece>) -> Vec<Piece> {
    let tabbed = file.text.iter().filter(|line| line.starts_with('\t')).count();
    let spaced = file.text.iter().filter(|line| line.starts_with("  ")).count();
    if tabbed <= spaced || pieces.iter().any(|piece| piece.text.starts_with('\t')) {
        return pieces;
    }
    let convert = |text: &str, unit: usize| {
        let spaces = leading(text).len();
        format!("{}{}{}", "\t".repeat(spaces / unit), " ".repeat(spaces % unit), &text[spaces..])
    };
    let exact: std::collections::HashSet<&str> = file.text.iter().map(|line| line.trim_end()).collect();
    let hits = |unit: usize| {
        pieces
            .iter()
            .filter(|piece| {
                piece.text.starts_with(' ') && exact.contains(convert(&piece.text, unit).trim_end())
            })
            .count()
    };
    let Some(unit) =
        [4, 2, 8, 3].into_iter().rev().max_by_key(|unit| hits(*unit)).filter(|unit| hits(*unit) > 0)
    else {
        return pieces;
    };
    pieces.into_iter().map(|piece| with_text(&piece, convert(&piece.text, unit))).collect()
}

fn with_text(piece: &Piece, text: String) -> Piece {
    Piece { line: Line::new(&text), text, ..piece.clone() }
}

/// A block that was dedented as a whole: most of its lines are in the file with the same further indentation.
fn restore_indent(file: &File<'_>, block: Vec<Piece>) -> Vec<Piece> {
    let mut votes: Vec<(&str, f32)> = Vec::new();
    for piece in block.iter().filter(|piece| !piece.marker && piece.line.weight >= 0.6) {
        let alike = file.alike(&piece.line);
        let mut shifts: Vec<&str> = alike
            .iter()
            .filter_map(|&at| leading(file.text[at as usize]).strip_suffix(leading(&piece.text)))
            .collect();
        shifts.sort_unstable();
        shifts.dedup();
        for shift in &shifts {
            let vote = piece.line.weight / shifts.len() as f32;
            match votes.iter_mut().find(|(text, _)| text == shift) {
                Some((_, sum)) => *sum += vote,
                None => votes.push((shift, vote)),
            }
        }
    }
    let total: f32 = votes.iter().map(|(_, sum)| sum).sum();
    let Some(&(shift, sum)) = votes.iter().max_by(|a, b| a.1.total_cmp(&b.1)) else { return block };
    let none = votes.iter().find(|(text, _)| text.is_empty()).map_or(0.0, |(_, sum)| *sum);
    if shift.is_empty() || sum < 0.6 * total || none > 0.2 * total {
        return block;
    }
    debug_assert!(indent_of(shift) > 0);
    block
        .into_iter()
        .map(|piece| {
            let text = if piece.line.blank { piece.text.clone() } else { format!("{shift}{}", piece.text) };
            with_text(&piece, text)
        })
        .collect()
}
