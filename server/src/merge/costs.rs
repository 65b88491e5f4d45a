//! What the aligner pays for each kind of edit.
//!
//! The figures were found by coordinate search on samples of the training edits (exact matches counted), starting from
//! plain guesses; each was kept only if it raised the count. `scope_item` was set by hand: the samples show what stands on
//! either side of a new item, people often do not.

/// Prices of the aligner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    /// A new line.
    pub(crate) insert: f32,
    /// A new blank line.
    pub(crate) insert_blank: f32,
    /// Further price of a new line that stands in the file already.
    pub(crate) insert_known: f32,
    /// Further price of such a line next to a gap, where context stands as a rule.
    pub(crate) edge_known: f32,
    /// A removed line.
    pub(crate) delete: f32,
    /// Further price of removing the first line of a function, a type or the like.
    pub(crate) delete_item: f32,
    /// A removed blank line.
    pub(crate) delete_blank: f32,
    /// A blank line more or less between unchanged lines.
    pub(crate) blank_drift: f32,
    /// The same in a careless suggestion.
    pub(crate) blank_sloppy: f32,
    /// Starting a stretch of new lines.
    pub(crate) open: f32,
    /// Starting a stretch with removed or changed lines.
    pub(crate) open_edit: f32,
    /// A line that differs in whitespace or quotes only.
    pub(crate) drift: f32,
    /// The same in a careless suggestion.
    pub(crate) drift_sloppy: f32,
    /// A changed line.
    pub(crate) change: f32,
    /// Further price of a changed line that has nothing in common with the old one.
    pub(crate) change_slope: f32,
    /// How alike a changed line must be to its old one.
    pub(crate) change_least: f32,
    /// A gap that starts at a line less indented than its marker.
    pub(crate) marker_indent: f32,
    /// A gap that starts at a line deeper than its marker.
    pub(crate) marker_deeper: f32,
    /// A gap beside which text hangs deeper than what comes before or after.
    pub(crate) hanging: f32,
    /// A gap that splits new text from the blank line or bracket that belongs to it.
    pub(crate) slide: f32,
    /// A marker that stands for nothing.
    pub(crate) marker_empty: f32,
    /// A gap without a marker between two items.
    pub(crate) jump: f32,
    /// A gap without a marker inside an item.
    pub(crate) jump_inside: f32,
    /// A gap without a marker at the start or end of a suggestion that has markers.
    pub(crate) jump_end: f32,
    /// The same in a suggestion without markers.
    pub(crate) jump_end_bare: f32,
    /// New lines that touch a gap.
    pub(crate) one_sided: f32,
    /// Removed or changed lines that touch a gap.
    pub(crate) edge: f32,
    /// The share of these when only brackets and blank lines lie between.
    pub(crate) weak_edge: f32,
    /// Removed or changed lines at the very end of the file.
    pub(crate) end_edit: f32,
    /// The share of `one_sided` and `edge` in a suggestion without markers.
    pub(crate) edge_bare: f32,
    /// A new definition of a name that the file defines at the same depth.
    pub(crate) insert_defined: f32,
    /// Going against the outline: a line that names or closes an item of the file is new, or stands for another line.
    pub(crate) bind: f32,
    /// A header that stands in place of another item's.
    pub(crate) rename: f32,
    /// A line shown in one item stands for a line outside it.
    pub(crate) scope: f32,
    /// The same after a marker: the lines there may be another item's whose header is not shown.
    pub(crate) scope_far: f32,
    /// A marker shown in one item stands for lines outside it.
    pub(crate) scope_gap: f32,
    /// A new item shown in one item that stands outside it, after a marker.
    pub(crate) scope_item: f32,
    /// A gap after an item shown to its end that starts inside it.
    pub(crate) scope_tail: f32,
    /// The same of a gap that no marker shows.
    pub(crate) scope_tail_jump: f32,
    /// The same in a suggestion without markers.
    pub(crate) scope_tail_bare: f32,
    /// One of two blank lines in a row less.
    pub(crate) blank_double: f32,
    /// A gap that no marker shows inside an item that the suggestion shows.
    pub(crate) jump_item: f32,
    /// The share of its price that a new line costs in an item whose name the file does not have.
    pub(crate) insert_fresh: f32,
    /// A line in such an item that stands for a line of another one.
    pub(crate) scope_fresh: f32,
    /// A blank line more beside a marker.
    pub(crate) blank_marker: f32,
    /// A gap that starts or ends inside an item that the text beside it is not in.
    pub(crate) split_item: f32,
    /// Removing the header of an item whose name the suggestion does not show.
    pub(crate) delete_unnamed: f32,
    /// How much a line must say to count as context.
    pub(crate) strong: f32,
}

impl Default for Costs {
    fn default() -> Self {
        Costs {
            insert: 0.511,
            insert_blank: 0.086,
            insert_known: 0.1,
            edge_known: 2.8,
            delete: 0.028,
            delete_item: 0.0,
            delete_blank: 0.067,
            blank_drift: 1.98,
            blank_sloppy: 0.25,
            open: 0.814,
            open_edit: 1.33,
            drift: 0.599,
            drift_sloppy: 0.025,
            change: 0.333,
            change_slope: 1.948,
            change_least: 0.85,
            marker_indent: 0.05,
            marker_deeper: 0.499,
            hanging: 2.0,
            slide: 0.4,
            marker_empty: 1.2,
            jump: 1.2,
            jump_inside: 1.5,
            jump_end: 0.562,
            jump_end_bare: 0.25,
            one_sided: 1.6,
            edge: 1.5,
            edge_bare: 0.2,
            insert_defined: 1.8,
            end_edit: 1.0,
            weak_edge: 0.225,
            bind: 3.0,
            rename: 0.5,
            scope: 0.9,
            scope_far: 0.108,
            scope_gap: 1.5,
            scope_item: 1.0,
            scope_tail: 2.0,
            scope_tail_jump: 0.5,
            scope_tail_bare: 1.5,
            jump_item: 1.5,
            insert_fresh: 0.5,
            scope_fresh: 0.05,
            blank_double: 0.5,
            blank_marker: 0.5,
            split_item: 1.0,
            delete_unnamed: 0.324,
            strong: 0.6,
        }
    }
}

impl Costs {
    /// Other views of what an edit looks like. Where they lead to another merge, the suggestion has more than one
    /// plausible reading.
    pub(crate) fn views() -> Vec<Costs> {
        let usual = Costs::default();
        vec![
            Costs { delete: usual.delete * 4.0, delete_blank: usual.delete_blank * 2.0, ..usual },
            Costs { insert: usual.insert * 2.0, insert_blank: usual.insert_blank * 1.5, ..usual },
            Costs { insert_known: 0.0, edge_known: usual.edge_known * 0.3, insert_defined: 0.5, ..usual },
            Costs { open_edit: usual.open_edit * 0.5, edge: usual.edge * 0.4, ..usual },
            Costs { one_sided: usual.one_sided * 0.3, edge: usual.edge * 2.0, ..usual },
            Costs { jump_end: usual.jump_end * 4.0, jump_end_bare: 1.5, jump: usual.jump * 2.0, ..usual },
            Costs {
                jump_end: 0.0,
                jump_end_bare: 0.0,
                jump: usual.jump * 0.5,
                hanging: usual.hanging * 0.3,
                ..usual
            },
            // The outline counts for more, for less, for nothing.
            Costs {
                bind: usual.bind * 2.0,
                scope: usual.scope * 3.0,
                scope_far: usual.scope_far * 5.0,
                scope_gap: usual.scope_gap * 2.0,
                delete_unnamed: usual.delete_unnamed * 4.0,
                split_item: usual.split_item * 2.0,
                ..usual
            },
            Costs {
                bind: usual.bind * 0.4,
                scope: usual.scope * 0.3,
                scope_far: 0.0,
                delete_unnamed: 0.1,
                ..usual
            },
            Costs { scope_tail: usual.scope_tail * 2.5, marker_deeper: usual.marker_deeper * 2.0, ..usual },
            // New items rather than renamed ones.
            Costs {
                insert: usual.insert * 0.4,
                insert_known: 0.0,
                edge_known: usual.edge_known * 0.3,
                change: usual.change * 3.0,
                rename: 4.0,
                delete: usual.delete * 6.0,
                delete_unnamed: usual.delete_unnamed * 4.0,
                ..usual
            },
        ]
    }
}
