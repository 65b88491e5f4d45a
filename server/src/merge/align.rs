//! Global alignment of a snippet with a file by dynamic programming.
//!
//! The whole suggestion is aligned at once: a wrong early match costs later, so that an earlier look-alike does not
//! win as it would in a greedy search. Costs are counted per line; what a snippet leaves out at a marker is free, what
//! it leaves out silently is a deletion and is paid for.

const FAR: f32 = 1.0e9;

/// One row of the snippet.
#[derive(Debug, Clone)]
pub(super) enum Row {
    /// A line: `insert` is the price of taking it as new.
    Line {
        /// Price of the line being new.
        insert: f32,
        /// Price of standing for each line of the file, `None` where it cannot.
        pairs: Vec<Pair>,
    },
    /// An elision: prices of its gap starting and ending at each line of the file.
    Gap(Gap),
}

/// What it costs that a row's line is the file's line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    /// The file's line.
    pub(super) at: u32,
    /// The price.
    pub(super) cost: f32,
    /// The same line (perhaps with drift), not a changed one.
    pub(super) same: bool,
}

/// Prices of leaving out the file's lines `start..end`.
#[derive(Debug, Clone)]
pub(super) struct Gap {
    /// Price of starting before line i.
    pub(super) start: Vec<f32>,
    /// Price of ending before line i.
    pub(super) end: Vec<f32>,
    /// Price of leaving out nothing.
    pub(super) empty: f32,
}

/// A snippet to be aligned.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    /// Number of lines in the file.
    pub(super) size: usize,
    /// The snippet's rows.
    pub(super) rows: Vec<Row>,
    /// Gap that may open before row j although no marker says so; one more than rows, the ends included.
    pub(super) jumps: Vec<Option<Gap>>,
    /// Price of deleting each line of the file.
    pub(super) delete: Vec<f32>,
    /// Price of starting an edited stretch.
    pub(super) open: f32,
}

/// One step of an alignment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// Row and file line are the same.
    Same { row: usize, at: usize },
    /// The row stands in place of the file's line.
    Change { row: usize, at: usize },
    /// The row is new.
    Insert { row: usize },
    /// The file's line goes.
    Delete { at: usize },
    /// The file's lines are kept unseen; `marked` when a marker says so.
    Keep { start: usize, end: usize, marked: bool },
}

/// How a state was reached.
#[derive(Debug, Clone, Copy, PartialEq)]
enum From {
    None,
    Same,
    Change,
    Insert,
    Delete,
    Jump,
    Marker,
}

#[derive(Debug, Clone, Copy)]
struct Back {
    from: From,
    edited: bool,
}

const NOWHERE: Back = Back { from: From::None, edited: false };

/// Prices of every state: after `row` rows and `at` file lines, in a clean stretch or an edited one.
pub(super) struct Table {
    width: usize,
    clean: Vec<f32>,
    edited: Vec<f32>,
    clean_back: Vec<Back>,
    edited_back: Vec<Back>,
    /// For each row boundary, where the jump that ends at i began; likewise for marker rows.
    jump_start: Vec<Vec<u32>>,
    marker_start: Vec<Vec<u32>>,
}

impl Problem {
    /// Fills the table; the end state's price is `table.total()`.
    pub(super) fn solve(&self) -> Table {
        let width = self.size + 1;
        let height = self.rows.len() + 1;
        let mut table = Table {
            width,
            clean: vec![FAR; width * height],
            edited: vec![FAR; width * height],
            clean_back: vec![NOWHERE; width * height],
            edited_back: vec![NOWHERE; width * height],
            jump_start: vec![Vec::new(); height],
            marker_start: vec![Vec::new(); height],
        };
        table.clean[0] = 0.0;
        for row in 0..height {
            self.finish_row(&mut table, row);
            if row + 1 < height {
                self.next_row(&mut table, row);
            }
        }
        table
    }

    /// Deletions and jumps within boundary `row`.
    fn finish_row(&self, table: &mut Table, row: usize) {
        let base = row * table.width;
        self.delete_along(table, base);
        if let Some(gap) = &self.jumps[row] {
            let before: Vec<(f32, bool)> = (0..table.width).map(|at| table.best(base + at)).collect();
            let (costs, starts) = gap.spread(&before);
            for at in 0..table.width {
                if costs[at] < table.clean[base + at] {
                    table.clean[base + at] = costs[at];
                    table.clean_back[base + at] =
                        Back { from: From::Jump, edited: before[starts[at] as usize].1 };
                }
            }
            table.jump_start[row] = starts;
        }
    }

    fn delete_along(&self, table: &mut Table, base: usize) {
        for at in 0..self.size {
            let (clean, edited) = (table.clean[base + at] + self.open, table.edited[base + at]);
            let (cost, from_edited) = if edited <= clean { (edited, true) } else { (clean, false) };
            let cost = cost + self.delete[at];
            if cost < table.edited[base + at + 1] {
                table.edited[base + at + 1] = cost;
                table.edited_back[base + at + 1] = Back { from: From::Delete, edited: from_edited };
            }
        }
    }

    fn next_row(&self, table: &mut Table, row: usize) {
        let (base, next) = (row * table.width, (row + 1) * table.width);
        match &self.rows[row] {
            Row::Gap(gap) => {
                let before: Vec<(f32, bool)> = (0..table.width).map(|at| table.best(base + at)).collect();
                let (costs, starts) = gap.spread(&before);
                for at in 0..table.width {
                    table.clean[next + at] = costs[at];
                    table.clean_back[next + at] =
                        Back { from: From::Marker, edited: before[starts[at] as usize].1 };
                }
                table.marker_start[row] = starts;
            }
            Row::Line { insert, pairs } => {
                for at in 0..table.width {
                    let (clean, edited) = (table.clean[base + at] + self.open, table.edited[base + at]);
                    let (cost, from_edited) = if edited <= clean { (edited, true) } else { (clean, false) };
                    table.edited[next + at] = cost + insert;
                    table.edited_back[next + at] = Back { from: From::Insert, edited: from_edited };
                }
                for pair in pairs {
                    let at = pair.at as usize;
                    let (clean, edited) = (table.clean[base + at], table.edited[base + at]);
                    if pair.same {
                        let (cost, from_edited) =
                            if edited < clean { (edited, true) } else { (clean, false) };
                        if cost + pair.cost < table.clean[next + at + 1] {
                            table.clean[next + at + 1] = cost + pair.cost;
                            table.clean_back[next + at + 1] = Back { from: From::Same, edited: from_edited };
                        }
                    } else {
                        let clean = clean + self.open;
                        let (cost, from_edited) =
                            if edited <= clean { (edited, true) } else { (clean, false) };
                        if cost + pair.cost < table.edited[next + at + 1] {
                            table.edited[next + at + 1] = cost + pair.cost;
                            table.edited_back[next + at + 1] =
                                Back { from: From::Change, edited: from_edited };
                        }
                    }
                }
            }
        }
    }
}

impl Gap {
    /// For each end, the cheapest price of a gap that ends there, and where it starts.
    fn spread(&self, before: &[(f32, bool)]) -> (Vec<f32>, Vec<u32>) {
        let mut costs = Vec::with_capacity(before.len());
        let mut starts = Vec::with_capacity(before.len());
        let (mut best, mut best_at) = (FAR, 0_u32);
        for (at, (cost, _)) in before.iter().enumerate() {
            let empty = cost + self.empty;
            let long = best + self.end[at];
            if empty <= long {
                costs.push(empty);
                starts.push(at as u32);
            } else {
                costs.push(long);
                starts.push(best_at);
            }
            if cost + self.start[at] < best {
                best = cost + self.start[at];
                best_at = at as u32;
            }
        }
        (costs, starts)
    }
}

impl Table {
    fn best(&self, index: usize) -> (f32, bool) {
        if self.edited[index] < self.clean[index] {
            (self.edited[index], true)
        } else {
            (self.clean[index], false)
        }
    }

    /// The steps of the cheapest alignment.
    pub(super) fn steps(&self) -> Vec<Step> {
        let height = self.clean.len() / self.width;
        let (row, at) = (height - 1, self.width - 1);
        let edited = self.best(row * self.width + at).1;
        let mut steps = self.steps_to(row, at, edited);
        steps.reverse();
        steps
    }

    /// The steps to one state, last first.
    pub(super) fn steps_to(&self, mut row: usize, mut at: usize, mut edited: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        loop {
            let index = row * self.width + at;
            let back = if edited { self.edited_back[index] } else { self.clean_back[index] };
            match back.from {
                From::None => break,
                From::Same => {
                    row -= 1;
                    at -= 1;
                    steps.push(Step::Same { row, at });
                }
                From::Change => {
                    row -= 1;
                    at -= 1;
                    steps.push(Step::Change { row, at });
                }
                From::Insert => {
                    row -= 1;
                    steps.push(Step::Insert { row });
                }
                From::Delete => {
                    at -= 1;
                    steps.push(Step::Delete { at });
                }
                From::Jump => {
                    let start = self.jump_start[row][at] as usize;
                    steps.push(Step::Keep { start, end: at, marked: false });
                    at = start;
                }
                From::Marker => {
                    row -= 1;
                    let start = self.marker_start[row][at] as usize;
                    steps.push(Step::Keep { start, end: at, marked: true });
                    at = start;
                }
            }
            edited = back.edited;
        }
        steps
    }
}
