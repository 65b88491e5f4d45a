//! `redraft index`: builds or refreshes the index of a folder, and shows what a cursor would be given as context.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args as ClapArgs;
use redraft_grammars::Language;
use redraft_model::cache;
use serde_json::json;

use super::exit::UsageError;
use super::{Exit, print, size_text};
use crate::index::{Index, IndexOptions, Query, Snippet};
use crate::session::IndexConfig;

/// The arguments of `redraft index`.
#[derive(ClapArgs)]
pub(super) struct Args {
    /// The workspace folder
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Show what a completion at this place would be given: a file of the folder, a line and a column counted from 1
    #[arg(long, value_name = "FILE:LINE:COLUMN")]
    related: Option<String>,
    /// Files beyond this number are left out
    #[arg(long, value_name = "FILES", default_value_t = IndexConfig::default().max_files)]
    max_files: usize,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// A place that was asked about.
struct Place {
    path: PathBuf,
    text: String,
    cursor: usize,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let dir = args.dir.canonicalize().ok().filter(|dir| dir.is_dir());
    let Some(dir) = dir else {
        return Err(UsageError(format!("{} is not a folder", args.dir.display())).into());
    };
    let place = args.related.as_deref().map(|place| read_place(&dir, place)).transpose()?;
    let started = Instant::now();
    let index = Index::new(IndexOptions { cache: cache::folder()?.join("index"), max_files: args.max_files });
    index.set_folders(vec![dir]);
    index.wait();
    let seconds = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let related = place.as_ref().map(|place| {
        let found = index.related(&Query {
            path: Some(&place.path),
            language: Language::from_path(&place.path),
            text: &place.text,
            tree: None,
            cursor: place.cursor,
            shown: 0..place.text.len(),
        });
        (found, started.elapsed().as_secs_f64())
    });
    if args.json {
        print(&format!("{}\n", as_json(&index, seconds, related.as_ref())))?;
    } else {
        print(&as_text(&index, seconds, related.as_ref()))?;
    }
    Ok(Exit::Done)
}

/// Reads `FILE:LINE:COLUMN`; the column counts characters.
fn read_place(dir: &Path, place: &str) -> Result<Place, UsageError> {
    let mut parts = place.rsplitn(3, ':');
    let (column, line) =
        (parts.next().and_then(|n| n.parse().ok()), parts.next().and_then(|n| n.parse().ok()));
    let (Some(column), Some(line), Some(file)) = (column, line, parts.next()) else {
        return Err(UsageError(format!(
            "--related {place} is not FILE:LINE:COLUMN, such as src/main.rs:12:9"
        )));
    };
    let (line, column): (usize, usize) = (line, column);
    let path = [dir.join(file), PathBuf::from(file)].into_iter().find(|path| path.is_file());
    let path = path.and_then(|path| path.canonicalize().ok());
    let text = path.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
    let (Some(path), Some(text)) = (path, text) else {
        return Err(UsageError(format!("{file} is not a text file in {}", dir.display())));
    };
    let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    let on_line = text[start..].lines().next().unwrap_or_default();
    let within = on_line.char_indices().nth(column.saturating_sub(1)).map_or(on_line.len(), |(at, _)| at);
    Ok(Place { path, cursor: start + within, text })
}

fn as_json(index: &Index, seconds: f64, related: Option<&(Vec<Snippet>, f64)>) -> serde_json::Value {
    let (size, refreshed) = (index.size(), index.refreshed());
    let mut out = json!({
        "files": size.files,
        "names": size.names,
        "read": refreshed.read,
        "gone": refreshed.gone,
        "leftOut": refreshed.left_out,
        "seconds": seconds,
        "peakBytes": super::peak_rss_bytes(),
        "diskBytes": size.disk_bytes,
    });
    if let Some((snippets, seconds)) = related {
        let snippets = snippets.iter().map(|snippet| {
            json!({
                "path": snippet.path,
                "line": snippet.lines.start + 1,
                "reason": snippet.reason.name(),
                "value": snippet.value,
                "text": snippet.text,
            })
        });
        out["related"] = snippets.collect();
        out["relatedSeconds"] = json!(seconds);
    }
    out
}

fn as_text(index: &Index, seconds: f64, related: Option<&(Vec<Snippet>, f64)>) -> String {
    let (size, refreshed) = (index.size(), index.refreshed());
    let mut out = format!(
        "{} files, {} names: {} files read, {} gone, in {seconds:.2} s; {} on disk",
        size.files,
        size.names,
        refreshed.read,
        refreshed.gone,
        size_text(size.disk_bytes),
    );
    if let Some(peak) = super::peak_rss_bytes() {
        out += &format!(", at most {} of memory", size_text(peak));
    }
    out.push('\n');
    if refreshed.left_out > 0 {
        out += &format!("{} files left out; --max-files takes more\n", refreshed.left_out);
    }
    if !index.is_kept() {
        out += "another Redraft works on this folder and keeps its index; this one is not kept\n";
    }
    if let Some((snippets, seconds)) = related {
        out += &format!("{} snippets in {:.1} ms\n", snippets.len(), seconds * 1e3);
        for snippet in snippets {
            let (path, line) = (snippet.path.display(), snippet.lines.start + 1);
            out += &format!("\n{:.2} {} {path}:{line}\n", snippet.value, snippet.reason.name());
            out += &snippet.text.lines().map(|line| format!("    {line}\n")).collect::<String>();
        }
    }
    out
}
