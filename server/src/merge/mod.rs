//! The deterministic merge: from a file's lines and a typed suggestion to the edited file, without any model.
//!
//! It returns every plausible merge, the best first, with a reason and a confidence. It must never invent text: each
//! line of a merge comes from the file or from the suggestion.

mod align;
mod hunks;
mod lines;
mod prepare;
mod snippet;

use thiserror::Error;

use crate::suggestion::{Body, Suggestion};

/// One line of an edited file, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputLine {
    /// The text without its ending.
    pub text: String,
    /// The file's line that it is, if it was kept.
    pub original: Option<usize>,
    /// The suggestion's row that it is, if it is new.
    pub row: Option<usize>,
}

impl OutputLine {
    /// A line of the file.
    pub fn kept(index: usize, text: &str) -> Self {
        OutputLine { text: text.to_string(), original: Some(index), row: None }
    }

    /// A line of the suggestion.
    pub fn added(row: usize, text: &str) -> Self {
        OutputLine { text: text.to_string(), original: None, row: Some(row) }
    }
}

/// One way to merge.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The edited file.
    pub lines: Vec<OutputLine>,
    /// How this merge reads the suggestion, in one sentence.
    pub reason: String,
    /// How likely it is what the suggestion means, from 0 to 1.
    pub confidence: f64,
}

/// Why there is no merge.
#[derive(Debug, Error, PartialEq)]
pub enum MergeError {
    /// A block's text is not in the file.
    #[error("the text to be replaced in block {block} of the suggestion is not in the file: {first_line:?}")]
    NotFound {
        /// 1-based.
        block: usize,
        /// The first line looked for.
        first_line: String,
    },
    /// Nothing of the snippet is in the file.
    #[error("nothing in the suggestion matches this file: it is probably meant for another one")]
    NoPlace,
}

/// Prices of the aligner, in units of one ordinary new line. Tuned by search on the training edits.
#[derive(Debug, Clone, Copy)]
pub struct Costs {
    pub(crate) insert: f32,
    pub(crate) insert_blank: f32,
    pub(crate) insert_known: f32,
    pub(crate) edge_known: f32,
    pub(crate) delete: f32,
    pub(crate) delete_blank: f32,
    pub(crate) blank_drift: f32,
    pub(crate) blank_sloppy: f32,
    pub(crate) open: f32,
    pub(crate) open_edit: f32,
    pub(crate) drift: f32,
    pub(crate) drift_sloppy: f32,
    pub(crate) change: f32,
    pub(crate) change_slope: f32,
    pub(crate) change_least: f32,
    pub(crate) marker_indent: f32,
    pub(crate) marker_deeper: f32,
    pub(crate) hanging: f32,
    pub(crate) slide: f32,
    pub(crate) marker_empty: f32,
    pub(crate) jump: f32,
    pub(crate) jump_inside: f32,
    pub(crate) jump_end: f32,
    pub(crate) jump_end_bare: f32,
    pub(crate) one_sided: f32,
    pub(crate) edge: f32,
    pub(crate) weak_edge: f32,
    pub(crate) end_edit: f32,
    pub(crate) edge_bare: f32,
    pub(crate) insert_defined: f32,
    pub(crate) strong: f32,
}

impl Default for Costs {
    fn default() -> Self {
        Costs {
            insert: 0.384,
            insert_blank: 0.23,
            insert_known: 0.4,
            edge_known: 1.5,
            delete: 0.056,
            delete_blank: 0.133,
            blank_drift: 0.7,
            blank_sloppy: 0.25,
            open: 1.085,
            open_edit: 1.33,
            drift: 0.225,
            drift_sloppy: 0.025,
            change: 0.333,
            change_slope: 0.487,
            change_least: 0.85,
            marker_indent: 0.1,
            marker_deeper: 0.665,
            hanging: 2.0,
            slide: 0.4,
            marker_empty: 2.0,
            jump: 1.2,
            jump_inside: 1.5,
            jump_end: 0.562,
            jump_end_bare: 0.25,
            one_sided: 1.6,
            edge: 1.5,
            edge_bare: 0.2,
            insert_defined: 3.0,
            end_edit: 1.0,
            weak_edge: 0.225,
            strong: 0.6,
        }
    }
}

/// Merges `suggestion` into `original` in every plausible way, the best first; never an empty list.
pub fn merge(original: &[&str], suggestion: &Suggestion) -> Result<Vec<Merge>, MergeError> {
    merge_with(original, suggestion, &Costs::default())
}

/// [`merge`] with other prices.
pub fn merge_with(
    original: &[&str],
    suggestion: &Suggestion,
    costs: &Costs,
) -> Result<Vec<Merge>, MergeError> {
    let file = snippet::File::new(original);
    match &suggestion.body {
        Body::Hunks(found) => hunks::merge(&file, found),
        Body::Snippets(blocks) => {
            let pieces = prepare::prepare(&file, snippet::pieces(blocks));
            let sloppy = suggestion.chatty;
            let problem = snippet::problem(&file, &pieces, sloppy, costs);
            let table = problem.solve();
            let mut steps = snippet::keep_blank_lines(&file, &pieces, table.steps(), sloppy);
            snippet::replace_item_heads(&file, &pieces, &mut steps);
            if !steps
                .iter()
                .any(|step| matches!(step, align::Step::Same { row, .. } if pieces[*row].line.weight > 0.5))
            {
                return Err(MergeError::NoPlace);
            }
            if std::env::var("DBG").is_ok() { for s in &steps { eprintln!("{s:?}"); } eprintln!("sloppy {sloppy}"); }
            let lines = snippet::assemble(&file, &pieces, &steps, sloppy);
            Ok(vec![Merge { lines, reason: "the snippet was aligned with the file".into(), confidence: 0.5 }])
        }
    }
}
