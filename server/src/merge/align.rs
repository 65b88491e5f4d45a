//! Global alignment of a snippet with a file by dynamic programming.
//!
//! The whole suggestion is aligned at once: a wrong early match costs later, so that an earlier look-alike does not
//! win as it would in a greedy search. Costs are counted per line; what a snippet leaves out at a marker is free, what
//! it leaves out silently is a deletion and is paid for. An edit that touches a gap is dearer than one with context on
//! both sides, because people and assistants show what stands around a change.

/// A price that no alignment pays.
pub(super) const FAR: f32 = 1.0e9;

/// One row of the snippet.
#[derive(Debug, Clone)]
pub(super) enum Row {
    /// A line: `insert` is the price of taking it as new.
    Line {
        /// Price of the line being new.
        insert: f32,
        /// Of a row without text: the price of its being no edit between unchanged lines.
        extra: Option<f32>,
        /// Price of standing for each line of the file.
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
    /// What the two lines are to each other.
    pub(super) kind: PairKind,
}

/// What a row's line is to a file's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PairKind {
    /// The same line (perhaps with drift), and it says something.
    Strong,
    /// The same line, but one of a kind that stands everywhere.
    Weak,
    /// Changed, but it defines the same name.
    Renewed,
    /// Changed.
    Changed,
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
    /// Of each blank line of the file, the price of its missing between unchanged lines.
    pub(super) spare: Vec<Option<f32>>,
    /// Price of starting a stretch of new lines.
    pub(super) open: f32,
    /// Price of starting a stretch with removed or changed lines.
    pub(super) open_edit: f32,
    /// Further price when new lines touch a gap.
    pub(super) one_sided: f32,
    /// Further price when removed or changed lines touch a gap.
    pub(super) edge: f32,
    /// The share of these two that is due when only lines that stand everywhere lie between edit and gap.
    pub(super) weak_edge: f32,
    /// Further price when removed or changed lines are the last of the file.
    pub(super) end_edit: f32,
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
    /// The file's blank line is missing in the snippet, between lines that stand unchanged.
    SpareBlank { at: usize },
    /// The snippet has a blank line more between lines that stand unchanged.
    ExtraBlank { row: usize },
    /// The file's lines are kept unseen; `marked` when a marker says so.
    Keep { start: usize, end: usize, marked: bool },
}

/// Unchanged so far, with context that says something.
const CLEAN: usize = 0;
/// Right after a gap.
const FRESH: usize = 1;
/// In a stretch of new lines.
const NEW: usize = 2;
/// In a stretch of new lines that touches the gap before it.
const NEW_FRESH: usize = 3;
/// In a stretch with removed or changed lines.
const EDIT: usize = 4;
/// After new lines, with only lines that stand everywhere since.
const NEW_WEAK: usize = 5;
/// After removed or changed lines, with only lines that stand everywhere since.
const EDIT_WEAK: usize = 6;
/// After a gap and only lines that stand everywhere.
const FRESH_WEAK: usize = 7;
const STATES: usize = 8;

/// The states outside any edited stretch.
const SETTLED: [usize; 5] = [CLEAN, FRESH, FRESH_WEAK, NEW_WEAK, EDIT_WEAK];

/// The state that a line that stands everywhere leads to.
const WEAKLY: [usize; STATES] =
    [CLEAN, FRESH_WEAK, NEW_WEAK, NEW_WEAK, EDIT_WEAK, NEW_WEAK, EDIT_WEAK, FRESH_WEAK];

/// How a state was reached, and from which.
#[derive(Debug, Clone, Copy, PartialEq)]
enum From {
    None,
    Same,
    Change,
    Insert,
    Delete,
    SpareBlank,
    ExtraBlank,
    Jump,
    Marker,
}

#[derive(Debug, Clone, Copy)]
struct Back {
    from: From,
    state: u8,
}

const NOWHERE: Back = Back { from: From::None, state: 0 };

/// Prices of every state after so many rows and so many file lines.
pub(super) struct Table {
    width: usize,
    height: usize,
    cost: Vec<[f32; STATES]>,
    back: Vec<[Back; STATES]>,
    /// For each row boundary, where the jump that ends at i began; likewise for marker rows.
    jump_start: Vec<Vec<u32>>,
    marker_start: Vec<Vec<u32>>,
    exit: [f32; STATES],
}

impl Problem {
    fn exit(&self) -> [f32; STATES] {
        let weak = self.weak_edge;
        let (new, edit) = (self.one_sided, self.edge);
        [0.0, 0.0, new, new, edit, new * weak, edit * weak, 0.0]
    }

    /// Fills the table.
    pub(super) fn solve(&self) -> Table {
        let (width, height) = (self.size + 1, self.rows.len() + 1);
        let mut table = Table {
            width,
            height,
            cost: vec![[FAR; STATES]; width * height],
            back: vec![[NOWHERE; STATES]; width * height],
            jump_start: vec![Vec::new(); height],
            marker_start: vec![Vec::new(); height],
            exit: self.exit(),
        };
        table.cost[0][CLEAN] = 0.0;
        for row in 0..height {
            self.finish_row(&mut table, row);
            if row + 1 < height {
                self.next_row(&mut table, row);
            }
        }
        let last = table.cost.len() - 1;
        table.cost[last][EDIT] += self.end_edit;
        table
    }

    /// Deletions and jumps within boundary `row`.
    fn finish_row(&self, table: &mut Table, row: usize) {
        let base = row * table.width;
        for at in 0..self.size {
            let (cost, state) = self.start_edit(&table.cost[base + at]);
            table.offer(base + at + 1, EDIT, cost + self.delete[at], From::Delete, state);
            if let Some(spare) = self.spare[at] {
                for state in SETTLED {
                    let cost = table.cost[base + at][state] + spare;
                    table.offer(base + at + 1, state, cost, From::SpareBlank, state);
                }
            }
        }
        if let Some(gap) = &self.jumps[row] {
            let before: Vec<(f32, usize)> = (0..table.width).map(|at| table.leave(base + at)).collect();
            let (costs, starts) = gap.spread(&before);
            for at in 0..table.width {
                table.offer(base + at, FRESH, costs[at], From::Jump, before[starts[at] as usize].1);
            }
            table.jump_start[row] = starts;
        }
    }

    /// The cheapest way to go on with a removed or changed line.
    fn start_edit(&self, cost: &[f32; STATES]) -> (f32, usize) {
        let more = (self.open_edit - self.open).max(0.0);
        let ways = [
            cost[CLEAN] + self.open_edit,
            cost[FRESH] + self.open_edit + self.edge,
            cost[NEW] + more,
            cost[NEW_FRESH] + more + (self.edge - self.one_sided).max(0.0),
            cost[EDIT],
            cost[NEW_WEAK] + self.open_edit,
            cost[EDIT_WEAK] + self.open_edit,
            cost[FRESH_WEAK] + self.open_edit + self.edge * self.weak_edge,
        ];
        cheapest(&ways)
    }

    fn next_row(&self, table: &mut Table, row: usize) {
        let (base, next) = (row * table.width, (row + 1) * table.width);
        match &self.rows[row] {
            Row::Gap(gap) => {
                let before: Vec<(f32, usize)> = (0..table.width).map(|at| table.leave(base + at)).collect();
                let (costs, starts) = gap.spread(&before);
                for at in 0..table.width {
                    table.offer(next + at, FRESH, costs[at], From::Marker, before[starts[at] as usize].1);
                }
                table.marker_start[row] = starts;
            }
            Row::Line { insert, pairs, extra } => {
                for at in 0..table.width {
                    self.insert_line(table, base + at, next + at, *insert);
                    if let Some(extra) = extra {
                        for state in SETTLED {
                            let cost = table.cost[base + at][state] + extra;
                            table.offer(next + at, state, cost, From::ExtraBlank, state);
                        }
                    }
                }
                for pair in pairs {
                    let at = pair.at as usize;
                    self.pair_line(table, base + at, next + at + 1, *pair);
                }
            }
        }
    }

    fn insert_line(&self, table: &mut Table, here: usize, there: usize, insert: f32) {
        let cost = table.cost[here];
        let new = cheapest_of(&cost, &[(CLEAN, self.open), (NEW, 0.0), (NEW_WEAK, self.open)]);
        let fresh = cheapest_of(
            &cost,
            &[
                (FRESH, self.open + self.one_sided),
                (NEW_FRESH, 0.0),
                (FRESH_WEAK, self.open + self.one_sided * self.weak_edge),
            ],
        );
        let edit = cheapest_of(&cost, &[(EDIT, 0.0), (EDIT_WEAK, self.open)]);
        table.offer(there, NEW, new.0 + insert, From::Insert, new.1);
        table.offer(there, NEW_FRESH, fresh.0 + insert, From::Insert, fresh.1);
        table.offer(there, EDIT, edit.0 + insert, From::Insert, edit.1);
    }

    fn pair_line(&self, table: &mut Table, here: usize, there: usize, pair: Pair) {
        let cost = table.cost[here];
        match pair.kind {
            PairKind::Strong => {
                let (before, state) = cheapest(&cost);
                table.offer(there, CLEAN, before + pair.cost, From::Same, state);
            }
            PairKind::Weak => {
                for state in 0..STATES {
                    table.offer(there, WEAKLY[state], cost[state] + pair.cost, From::Same, state);
                }
            }
            PairKind::Renewed => {
                let (before, state) = cheapest(&cost);
                table.offer(there, CLEAN, before + self.open_edit + pair.cost, From::Change, state);
            }
            PairKind::Changed => {
                let (before, state) = self.start_edit(&cost);
                table.offer(there, EDIT, before + pair.cost, From::Change, state);
            }
        }
    }
}

fn cheapest(ways: &[f32; STATES]) -> (f32, usize) {
    let mut best = (ways[0], 0);
    for (state, cost) in ways.iter().enumerate().skip(1) {
        if *cost < best.0 {
            best = (*cost, state);
        }
    }
    best
}

fn cheapest_of(cost: &[f32; STATES], ways: &[(usize, f32)]) -> (f32, usize) {
    let mut best = (FAR, 0);
    for (state, extra) in ways {
        if cost[*state] + extra < best.0 {
            best = (cost[*state] + extra, *state);
        }
    }
    best
}

impl Gap {
    /// For each end, the cheapest price of a gap that ends there, and where it starts.
    fn spread(&self, before: &[(f32, usize)]) -> (Vec<f32>, Vec<u32>) {
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
    fn offer(&mut self, index: usize, state: usize, cost: f32, from: From, before: usize) {
        if cost < self.cost[index][state] {
            self.cost[index][state] = cost;
            self.back[index][state] = Back { from, state: before as u8 };
        }
    }

    /// The cheapest way to leave a state for a gap.
    fn leave(&self, index: usize) -> (f32, usize) {
        let mut ways = self.cost[index];
        for (way, exit) in ways.iter_mut().zip(self.exit) {
            *way += exit;
        }
        cheapest(&ways)
    }

    /// The cheapest price of the whole alignment.
    pub(super) fn total(&self) -> f32 {
        cheapest(&self.cost[self.cost.len() - 1]).0
    }

    /// The steps of the cheapest alignment.
    pub(super) fn steps(&self) -> Vec<Step> {
        let (mut row, mut at) = (self.height - 1, self.width - 1);
        let mut state = cheapest(&self.cost[self.cost.len() - 1]).1;
        let mut steps = Vec::new();
        loop {
            let back = self.back[row * self.width + at][state];
            match back.from {
                From::None => break,
                From::Same | From::Change => {
                    row -= 1;
                    at -= 1;
                    steps.push(if back.from == From::Same {
                        Step::Same { row, at }
                    } else {
                        Step::Change { row, at }
                    });
                }
                From::Insert => {
                    row -= 1;
                    steps.push(Step::Insert { row });
                }
                From::Delete => {
                    at -= 1;
                    steps.push(Step::Delete { at });
                }
                From::SpareBlank => {
                    at -= 1;
                    steps.push(Step::SpareBlank { at });
                }
                From::ExtraBlank => {
                    row -= 1;
                    steps.push(Step::ExtraBlank { row });
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
            state = back.state as usize;
        }
        steps.reverse();
        steps
    }
}
