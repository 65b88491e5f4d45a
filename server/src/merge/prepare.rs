//! Undoing what copying through a chat does to a snippet as a whole: lost indentation, tabs turned into spaces.

use std::collections::HashMap;

use super::lines::Line;
use super::snippet::{File, Piece};

/// Gives a snippet the file's tabs and indentation where it plainly lost them.
pub(super) fn prepare(file: &File<'_>, pieces: Vec<Piece>) -> Vec<Piece> {
    let pieces = restore_tabs(file, pieces);
    let mut output = Vec::with_capacity(pieces.len());
    let mut block: Vec<Piece> = Vec::new();
    for piece in pieces {
        if piece.starts_block {
            output.extend(restore_block(file, std::mem::take(&mut block)));
        }
        block.push(piece);
    }
    output.extend(restore_block(file, block));
    output
}

/// A block is restored as a whole; where its items were dedented each by its own amount, item by item.
fn restore_block(file: &File<'_>, block: Vec<Piece>) -> Vec<Piece> {
    if let Some(shift) = lost_indent(file, &block) {
        return block.into_iter().map(|piece| indented(piece, &shift)).collect();
    }
    if block.iter().any(|piece| piece.marker) {
        return block;
    }
    let base =
        block.iter().filter(|piece| !piece.line.blank).map(|piece| piece.line.indent).min().unwrap_or(0);
    let mut output: Vec<Piece> = Vec::with_capacity(block.len());
    let mut item: Vec<Piece> = Vec::new();
    for piece in block {
        let starts = piece.line.indent == base
            && !piece.line.blank
            && item.last().is_some_and(|last: &Piece| last.line.blank);
        if starts {
            output.extend(restore_item(file, std::mem::take(&mut item)));
        }
        item.push(piece);
    }
    output.extend(restore_item(file, item));
    output
}

fn restore_item(file: &File<'_>, item: Vec<Piece>) -> Vec<Piece> {
    match lost_indent(file, &item) {
        Some(shift) => item.into_iter().map(|piece| indented(piece, &shift)).collect(),
        None => item,
    }
}

fn indented(piece: Piece, shift: &str) -> Piece {
    if piece.line.blank { piece } else { with_text(&piece, format!("{shift}{}", piece.text)) }
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
    // A snippet may have lost some of its indentation besides: the right unit is the one at which most lines miss the
    // same number of tabs.
    let hits = |unit: usize| -> f32 {
        let mut votes: HashMap<usize, f32> = HashMap::new();
        for piece in pieces.iter().filter(|piece| !piece.marker && piece.line.weight >= 0.6) {
            let spaces = leading(&piece.text).len();
            let alike = file.alike(&piece.line);
            if !spaces.is_multiple_of(unit) {
                continue;
            }
            let tabs = |at: &u32| file.text[*at as usize].bytes().take_while(|byte| *byte == b'\t').count();
            let mut missing: Vec<usize> =
                alike.iter().filter_map(|at| tabs(at).checked_sub(spaces / unit)).collect();
            missing.sort_unstable();
            missing.dedup();
            for lost in &missing {
                *votes.entry(*lost).or_insert(0.0) += 1.0 / missing.len() as f32;
            }
        }
        votes.into_values().fold(0.0, f32::max)
    };
    let indented = |piece: &Piece| !piece.line.blank && piece.text.starts_with(' ');
    let best =
        [4, 2, 8, 3].into_iter().rev().map(|unit| (unit, hits(unit))).max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((unit, _)) = best.filter(|(_, hits)| *hits > 0.0 && pieces.iter().any(indented)) else {
        return pieces;
    };
    pieces.into_iter().map(|piece| with_text(&piece, convert(&piece.text, unit))).collect()
}

fn with_text(piece: &Piece, text: String) -> Piece {
    Piece { line: Line::new(&text), text, ..piece.clone() }
}

/// The indentation that `pieces` lost: most of their lines are in the file with the same further indentation.
fn lost_indent(file: &File<'_>, pieces: &[Piece]) -> Option<String> {
    let mut votes: Vec<(&str, f32)> = Vec::new();
    for piece in pieces.iter().filter(|piece| !piece.marker && piece.line.weight >= 0.6) {
        let mut shifts: Vec<&str> = file
            .alike(&piece.line)
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
    let &(shift, sum) = votes.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let none = votes.iter().find(|(text, _)| text.is_empty()).map_or(0.0, |(_, sum)| *sum);
    (!shift.is_empty() && sum >= 0.6 * total && none <= 0.2 * total).then(|| shift.to_string())
}
