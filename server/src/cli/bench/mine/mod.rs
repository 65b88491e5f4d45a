//! `redraft bench mine`: makes tasks of the edits in git histories, to train a model on or to measure with.
//!
//! A task is a file before a commit, a suggestion as an assistant might write it, and the file after the commit. Nothing is
//! made up: every suggestion is written by rule from the two versions (see [`style`]).

mod choose;
mod hunks;
mod repository;
mod style;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args as ClapArgs;
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::cli::bench::random::Random;
use crate::cli::{Exit, UsageError, interrupt, print};
use choose::Chooser;
use repository::Repository;

/// The arguments of `redraft bench mine`.
#[derive(ClapArgs)]
pub(super) struct Args {
    /// A git repository whose history is mined; may be given several times
    #[arg(long, value_name = "PATH", required_unless_present = "pairs")]
    repo: Vec<PathBuf>,
    /// JSON lines {path, before, after, instruction?}: edits that were made in another way
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// Where to write the tasks, as JSON lines
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Look at so many commits of each repository, the newest first
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    commits: usize,
    /// Leave out files of more lines
    #[arg(long, value_name = "N", default_value_t = 400)]
    lines: usize,
    /// Leave out files of fewer lines
    #[arg(long, value_name = "N", default_value_t = 20)]
    fewest_lines: usize,
    /// The licence that is noted with each task, an SPDX expression
    #[arg(long, value_name = "SPDX")]
    licence: Option<String>,
    /// Another number gives other suggestions for the same edits
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// One edit of one file.
#[derive(Debug, Clone, Default, Deserialize)]
struct Edit {
    path: String,
    before: String,
    after: String,
    #[serde(default)]
    instruction: String,
    #[serde(default)]
    repo: String,
    #[serde(default)]
    commit: String,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let cannot = || format!("cannot write {}", args.out.display());
    let mut miner = Miner {
        args,
        chooser: Chooser::new(args.fewest_lines..=args.lines),
        counts: BTreeMap::new(),
        out: BufWriter::new(File::create(&args.out).with_context(cannot)?),
    };
    let cancel = interrupt::token();
    for path in &args.repo {
        let mut repository = Repository::open(path)?;
        for change in repository.changes(args.commits)? {
            if cancel.is_cancelled() {
                return Ok(Exit::Cancelled);
            }
            if !choose::path_counts(&change.path) {
                continue;
            }
            if let Some(edit) = repository.edit(&change)? {
                miner.add(&edit).with_context(cannot)?;
            }
        }
    }
    if let Some(path) = &args.pairs {
        read_pairs(path, &cancel, &mut |edit| miner.add(&edit).with_context(cannot))?;
    }
    if cancel.is_cancelled() {
        return Ok(Exit::Cancelled);
    }
    miner.out.flush().with_context(cannot)?;
    let mut text = String::new();
    for (what, count) in &miner.counts {
        text += &format!("{count:>8} {what}\n");
    }
    print(&text)?;
    Ok(Exit::Done)
}

fn read_pairs(
    path: &Path,
    cancel: &CancellationToken,
    take: &mut dyn FnMut(Edit) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let shown = path.display();
    let file = File::open(path).map_err(|error| UsageError(format!("cannot read {shown}: {error}")))?;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        if cancel.is_cancelled() {
            return Ok(());
        }
        let wrong = |what: String| UsageError(format!("line {} of {shown} is no edit: {what}", number + 1));
        let line = line.map_err(|error| wrong(error.to_string()))?;
        take(serde_json::from_str(&line).map_err(|error| wrong(error.to_string()))?)?;
    }
    Ok(())
}

struct Miner<'a> {
    args: &'a Args,
    chooser: Chooser,
    /// Tasks by style, and edits left out by reason.
    counts: BTreeMap<String, usize>,
    out: BufWriter<File>,
}

impl Miner<'_> {
    fn add(&mut self, edit: &Edit) -> std::io::Result<()> {
        let key = format!("{} {} {} {}", self.args.seed, edit.repo, edit.commit, edit.path);
        let mut random = Random::new(&[key.as_bytes(), edit.before.as_bytes(), edit.after.as_bytes()]);
        let counted = match self.chooser.choose(edit, &mut random) {
            Err(reason) => format!("left out: {reason}"),
            Ok(chosen) => {
                let (style, suggestion) = style::write(&chosen, &mut random);
                let row = json!({
                    "id": format!("mined-{}-{}", chosen.language.name(), random.name()),
                    "language": chosen.language.name(),
                    "path": edit.path,
                    "instruction": edit.instruction,
                    "original": edit.before,
                    "suggestion": suggestion,
                    "style": style,
                    "expected": edit.after,
                    "lines": chosen.old.len(),
                    "hunks": chosen.hunks.len(),
                    "added": chosen.added(),
                    "removed": chosen.removed(),
                    "repo": edit.repo,
                    "commit": edit.commit,
                    "licence": self.args.licence,
                });
                writeln!(self.out, "{row}")?;
                format!("tasks in the style {style}")
            }
        };
        *self.counts.entry(counted).or_default() += 1;
        Ok(())
    }
}
