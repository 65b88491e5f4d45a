//! What of a folder's index is kept in memory: a row for each file, and where each name occurs.
//!
//! A file costs about 60 bytes and its name, a name in a file 8 bytes: 100,000 files of 20 definitions are about
//! 25 MB. Everything else is read from the store when it is wanted.

use rustc_hash::FxHashMap;

use super::record::{Head, Stamp, checksum};
use super::store::Place;

/// So many new entries are kept unsorted before they are merged with the rest.
const MAX_RECENT: usize = 8192;

/// A file.
#[derive(Clone, Copy, Debug)]
struct Row {
    dir: u32,
    /// Where its name stands in `names`.
    name: u32,
    name_len: u16,
    live: bool,
    stamp: Stamp,
    place: Place,
}

#[derive(Debug, Default)]
struct Dir {
    /// With a `/` at the end, or empty.
    path: String,
    rows: Vec<u32>,
}

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Row>,
    names: String,
    dirs: Vec<Dir>,
    dir_numbers: FxHashMap<String, u32>,
    /// By the hash of the whole path; two paths with one hash would be read again at every start, no more.
    by_path: FxHashMap<u64, u32>,
    /// Pairs of key and row, sorted.
    postings: Vec<(u32, u32)>,
    /// The same, not sorted yet.
    recent: Vec<(u32, u32)>,
    live: usize,
    live_bytes: u64,
}

impl Table {
    /// Takes in a record: a file's, in place of an earlier one, or that it is gone.
    pub(super) fn take(&mut self, head: &Head, place: Place) {
        self.remove(&head.path);
        let Some(stamp) = head.stamp else { return };
        let (dir, name) = split(&head.path);
        let Ok(name_len) = u16::try_from(name.len()) else { return };
        let dir = self.dir(dir);
        let number = self.rows.len() as u32;
        let at = self.names.len() as u32;
        self.names.push_str(name);
        self.rows.push(Row { dir, name: at, name_len, live: true, stamp, place });
        self.dirs[dir as usize].rows.push(number);
        self.by_path.insert(checksum(head.path.as_bytes()), number);
        self.recent.extend(head.keys.iter().map(|key| (*key, number)));
        self.live += 1;
        self.live_bytes += place.len();
        if self.recent.len() > MAX_RECENT.max(self.postings.len() / 64) {
            self.merge();
        }
    }

    /// Forgets a file; false when there was none.
    pub(super) fn remove(&mut self, path: &str) -> bool {
        let Some(number) = self.row(path) else { return false };
        self.by_path.remove(&checksum(path.as_bytes()));
        let row = &mut self.rows[number as usize];
        row.live = false;
        self.live -= 1;
        self.live_bytes -= row.place.len();
        let rows = &mut self.dirs[row.dir as usize].rows;
        rows.retain(|other| *other != number);
        true
    }

    /// Sorts in what is new, and once half of the rows are dead, leaves those out: then all rows have new numbers.
    pub(super) fn settle(&mut self) {
        if self.rows.len() > self.live * 2 + 1024 {
            self.renumber();
        }
        self.merge();
    }

    fn merge(&mut self) {
        self.postings.append(&mut self.recent);
        // Two sorted runs and a short tail, which this sort merges without comparing all again.
        self.postings.sort();
        self.recent.shrink_to(MAX_RECENT);
    }

    fn renumber(&mut self) {
        let mut numbers = vec![u32::MAX; self.rows.len()];
        let mut fresh = Table { dirs: std::mem::take(&mut self.dirs), ..Table::default() };
        fresh.dir_numbers = std::mem::take(&mut self.dir_numbers);
        for dir in &mut fresh.dirs {
            dir.rows.clear();
        }
        for (old, row) in self.rows.iter().enumerate().filter(|(_, row)| row.live) {
            let number = fresh.rows.len() as u32;
            numbers[old] = number;
            let name = &self.names[row.name as usize..][..usize::from(row.name_len)];
            let at = fresh.names.len() as u32;
            fresh.names.push_str(name);
            let path = format!("{}{name}", fresh.dirs[row.dir as usize].path);
            fresh.by_path.insert(checksum(path.as_bytes()), number);
            fresh.dirs[row.dir as usize].rows.push(number);
            fresh.rows.push(Row { name: at, ..*row });
        }
        let moved = |postings: &mut Vec<(u32, u32)>| {
            postings.retain_mut(|(_, row)| {
                *row = numbers[*row as usize];
                *row != u32::MAX
            });
        };
        (fresh.postings, fresh.recent) =
            (std::mem::take(&mut self.postings), std::mem::take(&mut self.recent));
        moved(&mut fresh.postings);
        moved(&mut fresh.recent);
        (fresh.live, fresh.live_bytes) = (self.live, self.live_bytes);
        *self = fresh;
    }

    fn dir(&mut self, path: &str) -> u32 {
        if let Some(number) = self.dir_numbers.get(path) {
            return *number;
        }
        let number = self.dirs.len() as u32;
        self.dirs.push(Dir { path: path.to_owned(), rows: Vec::new() });
        self.dir_numbers.insert(path.to_owned(), number);
        number
    }

    /// The row of a path.
    pub(super) fn row(&self, path: &str) -> Option<u32> {
        let number = *self.by_path.get(&checksum(path.as_bytes()))?;
        let (dir, name) = split(path);
        (self.dir_of(number) == dir && self.name_of(number) == name).then_some(number)
    }

    /// How many rows there are, those of files that are gone included.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// How many files are known.
    pub(super) fn files(&self) -> usize {
        self.live
    }

    /// How many bytes of the store are in use.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// How often a key occurs in a file.
    pub(super) fn postings(&self) -> usize {
        self.postings.len() + self.recent.len()
    }

    /// The live rows, in the order in which they came.
    pub(super) fn live_rows(&self) -> impl Iterator<Item = u32> {
        (0..self.rows.len() as u32).filter(|row| self.rows[*row as usize].live)
    }

    /// The folder of a row's file, with a `/` at the end, or empty.
    pub(super) fn dir_of(&self, row: u32) -> &str {
        &self.dirs[self.rows[row as usize].dir as usize].path
    }

    /// The file name of a row.
    pub(super) fn name_of(&self, row: u32) -> &str {
        let row = &self.rows[row as usize];
        &self.names[row.name as usize..][..usize::from(row.name_len)]
    }

    /// The path of a row, below the folder.
    pub(super) fn path_of(&self, row: u32) -> String {
        format!("{}{}", self.dir_of(row), self.name_of(row))
    }

    pub(super) fn stamp(&self, row: u32) -> Stamp {
        self.rows[row as usize].stamp
    }

    pub(super) fn place(&self, row: u32) -> Place {
        self.rows[row as usize].place
    }

    /// The records have moved, in the order of [`Table::live_rows`].
    pub(super) fn moved(&mut self, places: &[Place]) {
        let live = self.rows.iter_mut().filter(|row| row.live);
        live.zip(places).for_each(|(row, place)| row.place = *place);
    }

    /// Adds to `rows` the live files in which a key occurs, up to `most` of them; the number of all is returned.
    pub(super) fn find(&self, key: u32, most: usize, rows: &mut Vec<u32>) -> usize {
        let start = self.postings.partition_point(|(other, _)| *other < key);
        let sorted = self.postings[start..].iter().take_while(|(other, _)| *other == key);
        let recent = self.recent.iter().filter(|(other, _)| *other == key);
        let mut count = 0;
        for (_, row) in sorted.chain(recent).filter(|(_, row)| self.rows[*row as usize].live) {
            count += 1;
            if count <= most {
                rows.push(*row);
            }
        }
        count
    }

    /// Whether files of this folder, or of one in it, were ever known.
    pub(super) fn has_dir(&self, path: &str) -> bool {
        self.dirs.iter().any(|dir| dir.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    }

    /// The files in a file's folder, itself included.
    pub(super) fn siblings(&self, path: &str) -> &[u32] {
        let dir = self.dir_numbers.get(split(path).0);
        dir.map_or(&[], |dir| &self.dirs[*dir as usize].rows)
    }
}

/// A path as its folder (with `/`, or empty) and its name.
fn split(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |at| at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn place(offset: u64) -> Place {
        Place { offset, head: 1, body: 1 }
    }

    proptest! {
        /// Whatever comes and goes, the table says what a plain map of paths to keys says.
        #[test]
        fn the_table_is_a_map(
            steps in prop::collection::vec((0u32..40, prop::option::of(prop::collection::btree_set(0u32..9, 0..4)), 0u8..20), 0..300),
        ) {
            let mut table = Table::default();
            let mut plain: BTreeMap<String, (u64, BTreeSet<u32>)> = BTreeMap::new();
            for (at, (file, keys, settle)) in (0..).zip(steps) {
                let path = format!("{}f{file}", ["", "a/", "a/b/"][file as usize % 3]);
                let stamp = keys.as_ref().map(|_| Stamp { modified: 0, size: at });
                let head = Head { path: path.clone(), stamp, keys: keys.iter().flatten().copied().collect() };
                table.take(&head, place(at));
                match keys {
                    Some(keys) => drop(plain.insert(path, (at, keys))),
                    None => drop(plain.remove(&path)),
                }
                match settle {
                    0 => table.settle(),
                    1 => { table.renumber(); table.settle(); }
                    _ => {}
                }
            }
            prop_assert_eq!(table.files(), plain.len());
            for (path, (at, _)) in &plain {
                let row = table.row(path).unwrap();
                prop_assert_eq!(&table.path_of(row), path);
                prop_assert_eq!(table.place(row), place(*at));
            }
            for key in 0..9 {
                let mut rows = Vec::new();
                let count = table.find(key, usize::MAX, &mut rows);
                let found: BTreeSet<String> = rows.iter().map(|row| table.path_of(*row)).collect();
                let wanted: BTreeSet<String> =
                    plain.iter().filter(|(_, (_, keys))| keys.contains(&key)).map(|(path, _)| path.clone()).collect();
                prop_assert_eq!(count, wanted.len());
                prop_assert_eq!(found, wanted);
            }
            let beside: BTreeSet<String> = table.siblings("a/x").iter().map(|row| table.path_of(*row)).collect();
            let wanted: BTreeSet<String> =
                plain.keys().filter(|path| path.starts_with("a/") && !path.starts_with("a/b/")).cloned().collect();
            prop_assert_eq!(beside, wanted);
        }
    }
}
