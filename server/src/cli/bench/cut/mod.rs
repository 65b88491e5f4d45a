//! `redraft bench cut`: tasks for `bench complete`, cut out of sources that are on this machine anyway.
//!
//! The same folder, seed and options give the same tasks.

mod elsewhere;
mod holes;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args as ClapArgs, ValueEnum};
use redraft_grammars::Language;

use super::complete::{OtherText, Task};
use super::random::Random;
use crate::cli::{Exit, UsageError, print};
use elsewhere::Elsewhere;

/// The arguments of `redraft bench cut`.
#[derive(ClapArgs)]
pub(super) struct Args {
    /// The folder; every folder in it that holds sources counts as one project
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Only these languages
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "rust,python")]
    language: Vec<String>,
    /// So many tasks of each kind
    #[arg(long, value_name = "N", default_value_t = 40)]
    each: usize,
    /// Only these kinds
    #[arg(long, value_name = "A,B", value_delimiter = ',', value_enum)]
    kind: Vec<Kind>,
    /// Another number gives other tasks
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Files of at most so many lines
    #[arg(long, value_name = "N", default_value_t = 400)]
    lines: usize,
    /// Files of at least so many lines
    #[arg(long, value_name = "N", default_value_t = 20)]
    least_lines: usize,
}

/// What is cut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Kind {
    /// The rest of a line that is begun.
    Statement,
    /// A line.
    Line,
    /// The body of a block, up to eight lines.
    Block,
    /// The arguments of a call.
    Argument,
    /// The arguments of a call to something that another file defines, up to the line's end.
    Across,
    /// The same with the name that is called.
    AcrossName,
}

impl Kind {
    /// Whether other files tell what is missing.
    fn is_across(self) -> bool {
        matches!(self, Kind::Across | Kind::AcrossName)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}

/// A source file.
struct Source {
    /// Its path in the project.
    path: String,
    language: Language,
    text: String,
}

/// Files of one project that are looked at.
const PROJECT_FILES: usize = 200;
/// Files that a task across files brings along besides the right one: most projects whole.
const DISTRACTORS: usize = 60;

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let languages = args.language.iter().map(|name| {
        Language::by_name(name).ok_or_else(|| UsageError(format!("no language is called {name}")))
    });
    let languages: Vec<Language> = languages.collect::<Result<_, _>>()?;
    let kinds = if args.kind.is_empty() { Kind::value_variants().to_vec() } else { args.kind.clone() };
    let mut random = Random::new(&[&args.seed.to_le_bytes()]);
    let mut projects = projects(&args.from)?;
    random.shuffle(&mut projects);
    let mut tasks: BTreeMap<Kind, Vec<Task>> = kinds.iter().map(|kind| (*kind, Vec::new())).collect();
    for project in projects {
        if tasks.values().all(|tasks| tasks.len() >= args.each) {
            break;
        }
        let mut sources = Vec::new();
        read_sources(&project, &project, &languages, &mut sources);
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        sources.truncate(PROJECT_FILES);
        let name = project.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        for kind in &kinds {
            let tasks = tasks.entry(*kind).or_default();
            // Two of a kind from a project, so that no project counts for much.
            for _ in 0..2 {
                if tasks.len() < args.each {
                    let task = cut(*kind, &name, &sources, args.least_lines..=args.lines, &mut random);
                    tasks.extend(task.filter(|task| tasks.iter().all(|other| other.id != task.id)));
                }
            }
        }
    }
    let lines: Result<Vec<String>, _> = tasks.values().flatten().map(serde_json::to_string).collect();
    let lines = lines?;
    if lines.is_empty() {
        return Err(UsageError(format!("{} has no sources to cut from", args.from.display())).into());
    }
    print(&(lines.join("\n") + "\n"))?;
    Ok(Exit::Done)
}

/// One task of a kind from a project, if one is found.
fn cut(
    kind: Kind,
    project: &str,
    sources: &[Source],
    lines: RangeInclusive<usize>,
    random: &mut Random,
) -> Option<Task> {
    let usable = |source: &&Source| lines.contains(&source.text.lines().count());
    let candidates: Vec<&Source> = sources.iter().filter(usable).collect();
    let source = *some_one_of(&candidates, random)?;
    let elsewhere = kind.is_across().then(|| Elsewhere::new(source, sources));
    let definer = |before: &str| elsewhere.as_ref()?.definer(before);
    let holes = holes::holes(kind, &source.text, source.language, &|before| definer(before).is_some());
    let hole = some_one_of(&holes, random)?.clone();
    let mut files = Vec::new();
    if kind.is_across() {
        let called = match kind {
            Kind::AcrossName => hole.start + source.text[hole.clone()].find('(')? + 1,
            _ => hole.start,
        };
        let definer = definer(&source.text[..called])?;
        let mut others: Vec<usize> = (0..sources.len())
            .filter(|other| *other != definer && sources[*other].path != source.path)
            .collect();
        random.shuffle(&mut others);
        others.truncate(DISTRACTORS);
        others.push(definer);
        others.sort_unstable();
        let file = |other: &usize| {
            let Source { path, text, .. } = &sources[*other];
            OtherText { path: path.clone(), text: text.clone() }
        };
        files = others.iter().map(file).collect();
    }
    Some(Task {
        id: format!("{kind}:{project}/{}:{}", source.path, hole.start),
        language: source.language.name().to_owned(),
        path: Some(source.path.clone()),
        kind: Some(kind.to_string()),
        prefix: source.text[..hole.start].to_owned(),
        suffix: source.text[hole.end..].to_owned(),
        middle: Some(source.text[hole].to_owned()),
        files,
        test: None,
        entry_point: None,
    })
}

/// One of these, if there are any.
fn some_one_of<'t, T>(of: &'t [T], random: &mut Random) -> Option<&'t T> {
    (!of.is_empty()).then(|| random.one_of(of))
}

/// The folders directly in `from`, in order; `from` itself where there are none.
fn projects(from: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    let mut folders: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    if folders.is_empty() {
        folders.push(from.to_owned());
    }
    Ok(folders)
}

fn read_sources(project: &Path, folder: &Path, languages: &[Language], sources: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() && !path.is_symlink() {
            if !name.starts_with('.')
                && !matches!(name.as_str(), "target" | "node_modules" | "tests" | "benches")
            {
                read_sources(project, &path, languages, sources);
            }
            continue;
        }
        let Some(language) = Language::from_path(&path).filter(|language| languages.contains(language))
        else {
            continue;
        };
        let text =
            std::fs::read_to_string(&path).ok().filter(|text| text.len() < 100_000 && !text.contains('\r'));
        if let (Some(text), Ok(inside)) = (text, path.strip_prefix(project)) {
            sources.push(Source { path: inside.to_string_lossy().into_owned(), language, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_tasks() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            (
                "a.rs",
                "use b::make_thing;\n\nfn one(x: u32) -> u32 {\n    let y = make_thing(x, 3);\n    y + 1\n}\n",
            ),
            ("b.rs", "pub fn make_thing(a: u32, b: u32) -> u32 {\n    a.max(b)\n}\n"),
        ] {
            let filler: String = (0..20).map(|n| format!("fn f{n}() {{}}\n")).collect();
            std::fs::write(folder.path().join(name), format!("{text}{filler}")).unwrap();
        }
        let language = Language::by_name("rust").unwrap();
        let mut sources = Vec::new();
        read_sources(folder.path(), folder.path(), &[language], &mut sources);
        assert_eq!(sources.len(), 2);
        let tasks = || -> Vec<String> {
            let mut random = Random::new(&[b"seed"]);
            let all = (0..40).filter_map(|_| cut(Kind::Across, "p", &sources, 20..=400, &mut random));
            all.map(|task| format!("{}{:?}", task.id, task.middle)).collect()
        };
        assert!(tasks()[0].contains("a.rs") && tasks()[0].ends_with("Some(\"x, 3);\")"), "{:?}", tasks());
        assert_eq!(tasks(), tasks());
    }
}
