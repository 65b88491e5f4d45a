//! From what the scope speaks of to the definitions that answer it, each with a value.
//!
//! A name that many files define says little, and which of them is meant is decided by the imports and by how near a
//! file lies. Values are relative: about 1 is what the next line can hardly do without, below 0.05 is noise.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redraft_grammars::{ItemKind, Language, Tree};

use super::guess::{self, Guess};
use super::members::{self, Wanted, head_line};
use super::record::By;
use super::scope::{Mention, Scope};
use super::source::{Candidate, Sources};
use super::symbol::{Symbol, container};

/// A name that so many files define is only looked up where an import or its owner says which is meant.
const COMMON: usize = 24;
/// Files that are read for one name.
const READ_PER_NAME: usize = 3;
/// What is worth less is left out.
const MIN_VALUE: f32 = 0.03;

/// Where a completion is asked for.
#[derive(Clone, Debug)]
pub struct Query<'q> {
    /// The open file, where it lies on disk.
    pub path: Option<&'q Path>,
    /// Its language.
    pub language: Option<Language>,
    /// Its text as it is in the editor.
    pub text: &'q str,
    /// The tree of that text; without one the text is parsed here.
    pub tree: Option<&'q Tree>,
    /// Where the cursor is, in bytes.
    pub cursor: usize,
    /// The part of the text that the model is shown anyway; what the file defines elsewhere may come as a snippet.
    pub shown: Range<usize>,
}

/// Why a snippet may be of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Members of the type before the dot, or of the module before the colons.
    Member,
    /// The scope speaks of it.
    Mentioned,
    /// The file imports it.
    Imported,
    /// The user has edited there lately.
    Edited,
    /// The user has looked there lately.
    Viewed,
    /// The file beside has a name like this one's.
    Sibling,
}

impl Reason {
    /// A word for lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Mentioned => "mentioned",
            Self::Imported => "imported",
            Self::Edited => "edited",
            Self::Viewed => "viewed",
            Self::Sibling => "sibling",
        }
    }
}

/// A piece of context.
#[derive(Clone, Debug, PartialEq)]
pub struct Snippet {
    /// The file it is from.
    pub path: PathBuf,
    /// Its lines there, counted from 0.
    pub lines: Range<u32>,
    /// What to show: whole lines, without a line break at the end.
    pub text: String,
    /// How much it is likely to help; see the module's description.
    pub value: f32,
    /// Why it was chosen.
    pub reason: Reason,
}

/// What a cursor's scope can see, the most valuable first; equal ones by path and line.
pub(super) fn related(query: &Query<'_>, sources: &Sources) -> Vec<Snippet> {
    let cursor = floor_char(query.text, query.cursor);
    let parsed = match (query.tree, query.language) {
        (None, Some(language)) => language.parse(query.text, None),
        _ => None,
    };
    let tree = query.tree.or(parsed.as_ref());
    let scope = Scope::read(query.language, tree, query.text, cursor, &query.shown);
    let mut search =
        Search { query, tree, sources, scope: &scope, read: HashMap::new(), found: HashMap::new() };
    search.receiver();
    for mention in &scope.mentions {
        search.mention(mention);
    }
    search.siblings();
    search.recent();
    let mut found: Vec<Snippet> =
        search.found.into_values().filter(|snippet| snippet.value >= MIN_VALUE).collect();
    found.sort_by(|a, b| {
        b.value.total_cmp(&a.value).then_with(|| (&a.path, a.lines.start).cmp(&(&b.path, b.lines.start)))
    });
    found
}

fn floor_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

struct Search<'s> {
    query: &'s Query<'s>,
    tree: Option<&'s Tree>,
    sources: &'s Sources,
    scope: &'s Scope,
    /// Files that were read for this query.
    read: HashMap<PathBuf, Arc<Vec<Symbol>>>,
    found: HashMap<(PathBuf, u32), Snippet>,
}

impl Search<'_> {
    fn add(&mut self, snippet: Snippet) {
        let key = (snippet.path.clone(), snippet.lines.start);
        match self.found.get_mut(&key) {
            Some(known) if known.value >= snippet.value => {}
            _ => drop(self.found.insert(key, snippet)),
        }
    }

    fn symbols(&mut self, candidate: &Candidate) -> Arc<Vec<Symbol>> {
        if let Some(known) = self.read.get(&candidate.path) {
            return Arc::clone(known);
        }
        let symbols = self.sources.symbols(candidate);
        self.read.insert(candidate.path.clone(), Arc::clone(&symbols));
        symbols
    }

    /// The files in which a key occurs that are most likely meant, with how likely, and how many files there are.
    fn files(&self, by: By<'_>, name: &str, qualifier: Option<&str>) -> (Vec<(f32, Candidate)>, usize) {
        let (candidates, count) = self.sources.find(by, self.query.language, self.query.path);
        (self.rated(candidates, name, qualifier), count)
    }

    /// Files with how likely they are meant, the likeliest first.
    fn rated(&self, files: Vec<Candidate>, name: &str, qualifier: Option<&str>) -> Vec<(f32, Candidate)> {
        let rate = |candidate: Candidate| (self.affinity(&candidate, name, qualifier), candidate);
        let mut rated: Vec<(f32, Candidate)> = files.into_iter().map(rate).collect();
        rated.sort_by(|(a, left), (b, right)| b.total_cmp(a).then_with(|| left.path.cmp(&right.path)));
        rated
    }

    /// How likely a file is the one that is meant: 0.4 for any, about 1 in the same folder, 2 when imported.
    fn affinity(&self, candidate: &Candidate, name: &str, qualifier: Option<&str>) -> f32 {
        let imported = self.scope.imports.iter().filter(|import| {
            import.iter().any(|word| word == name || qualifier.is_some_and(|qualifier| word == qualifier))
        });
        let imported = imported.map(|import| candidate.named_by(import)).fold(0.0, f32::max);
        let mut affinity = 0.4 + 0.5 * candidate.nearness + imported;
        if qualifier.is_some_and(|qualifier| candidate.stem() == qualifier) {
            affinity += 0.6;
        }
        if candidate.is_test && !self.sources.is_test(self.query.path) {
            affinity *= 0.6;
        }
        affinity
    }

    /// A name of the scope: where it is defined.
    fn mention(&mut self, mention: &Mention) {
        self.own(mention);
        let qualifier = mention.qualifier.as_deref();
        let mut owner = qualifier.filter(|name| name.starts_with(char::is_uppercase));
        let by = owner.map_or(By::Name(&mention.name), By::Container);
        let (mut files, mut count) = self.files(by, &mention.name, qualifier);
        if owner.is_some() && files.is_empty() {
            // Not a type: a module, as Elixir's.
            owner = None;
            (files, count) = self.files(By::Name(&mention.name), &mention.name, qualifier);
        }
        let rarity = 1.0 / (1.0 + 0.35 * (count.max(1) as f32).ln());
        let mut taken = 0;
        for (affinity, candidate) in files.into_iter().take(READ_PER_NAME) {
            // Near by, or named by an import: otherwise any of the many could be meant.
            if count > COMMON && affinity < 0.9 {
                break;
            }
            let symbols = self.symbols(&candidate);
            for (at, symbol) in symbols.iter().enumerate().filter(|(_, symbol)| symbol.name == mention.name) {
                // These only hold others.
                if matches!(symbol.kind, ItemKind::Impl | ItemKind::Module) {
                    continue;
                }
                let inside = container(&symbols, at);
                if owner.is_some() && inside != owner {
                    continue;
                }
                let fits = self.fits(mention, symbol, inside);
                let value = mention.weight * affinity.min(1.6) * fits * rarity / (1.0 + taken as f32);
                let imported = mention.imported && mention.weight < 0.1;
                let reason = if imported { Reason::Imported } else { Reason::Mentioned };
                self.add(snippet(&candidate.path, &symbols, at, value, reason));
                taken += 1;
            }
        }
    }

    /// How well a symbol answers the way in which a name is used.
    fn fits(&self, mention: &Mention, symbol: &Symbol, inside: Option<&str>) -> f32 {
        let member = match (mention.member, inside) {
            (true, Some(_)) | (false, None) => 1.0,
            (true, None) => 0.5,
            (false, Some(_)) if inside == self.scope.container.as_deref() || mention.qualifier.is_some() => {
                1.0
            }
            (false, Some(_)) => 0.3,
        };
        let kind = match symbol.kind {
            ItemKind::Function | ItemKind::Macro if !mention.called => 0.5,
            ItemKind::Constant if mention.called => 0.3,
            _ => 1.0,
        };
        member * kind
    }

    /// A name that the open file defines where the model is not shown it.
    fn own(&mut self, mention: &Mention) {
        let (Some(path), Some(language), Some(tree)) = (self.query.path, self.query.language, self.tree)
        else {
            return;
        };
        if self.query.shown.start == 0 && self.query.shown.end >= self.query.text.len() {
            return;
        }
        if !self.read.contains_key(path) {
            let symbols = super::symbol::symbols(language, tree, self.query.text);
            self.read.insert(path.to_owned(), Arc::new(symbols));
        }
        let symbols = Arc::clone(&self.read[path]);
        for (at, symbol) in symbols.iter().enumerate().filter(|(_, symbol)| symbol.name == mention.name) {
            let value = mention.weight * self.fits(mention, symbol, container(&symbols, at));
            self.add(snippet(path, &symbols, at, value, Reason::Mentioned));
        }
    }

    /// The members of the type or module that the cursor stands behind.
    fn receiver(&mut self) {
        let Some(receiver) = &self.scope.receiver else { return };
        let owner = match &receiver.guess {
            Guess::Type(name) => Some(name.clone()),
            Guess::ReturnOf(function) => self.look(By::Name(function), |symbols, at| {
                let symbol = &symbols[at];
                let fits = symbol.name == *function && symbol.kind == ItemKind::Function;
                fits.then(|| guess::returned(&symbol.text)).flatten()
            }),
            Guess::FieldOf { owner, field } => self.field_type(owner, field),
            Guess::Module(name) => return self.module(name, &receiver.prefix),
        };
        let Some(owner) = owner else { return };
        let (mut files, _) = self.files(By::Container(&owner), &owner, None);
        // A type of the file's own has more members near by at most; far away is another type of that name.
        if self.scope.own_types.contains(&owner) {
            files.retain(|(_, candidate)| candidate.nearness >= 0.5);
        }
        let wanted = Wanted { prefix: &receiver.prefix, of_value: receiver.of_value };
        self.list(files, |symbols| members::of_type(symbols, &owner, wanted));
    }

    /// What the files define that code knows by a name.
    fn module(&mut self, name: &str, prefix: &str) {
        let candidates = self.sources.modules(name, self.query.language, self.query.path);
        let files = self.rated(candidates, name, None);
        self.list(files, |symbols| members::of_module(symbols, prefix));
    }

    /// Adds a list of each of the likeliest files.
    fn list(
        &mut self,
        files: Vec<(f32, Candidate)>,
        list: impl Fn(&[Symbol]) -> Option<(Range<u32>, String)>,
    ) {
        for (number, (affinity, candidate)) in files.into_iter().take(READ_PER_NAME + 1).enumerate() {
            let symbols = self.symbols(&candidate);
            let Some((lines, text)) = list(&symbols) else { continue };
            let value = 2.5 * affinity.min(1.6) / (1.0 + number as f32);
            self.add(Snippet { path: candidate.path, lines, text, value, reason: Reason::Member });
        }
    }

    /// The first answer that a definition gives, in the files most likely meant.
    fn look<T>(&mut self, by: By<'_>, answer: impl Fn(&[Symbol], usize) -> Option<T>) -> Option<T> {
        let (By::Name(name) | By::Container(name)) = by;
        let (files, _) = self.files(by, name, None);
        files.into_iter().take(READ_PER_NAME).find_map(|(_, candidate)| {
            let symbols = self.symbols(&candidate);
            (0..symbols.len()).find_map(|at| answer(&symbols, at))
        })
    }

    /// The type of a field, by the text of the type that has it: in the open file or elsewhere.
    fn field_type(&mut self, owner: &str, field: &str) -> Option<String> {
        let declared = |text: &str| match guess::declared(field, text)? {
            Guess::Type(name) => Some(name),
            _ => None,
        };
        if let (Some(language), Some(tree)) = (self.query.language, self.tree) {
            let items = language.items(tree, self.query.text);
            let own =
                items.iter().filter(|item| item.name == owner || item.name.starts_with(&format!("{owner}<")));
            if let Some(found) = own.map(|item| &self.query.text[item.byte_range.clone()]).find_map(declared)
            {
                return Some(found);
            }
        }
        self.look(By::Name(owner), |symbols, at| {
            (symbols[at].name == owner).then(|| declared(&symbols[at].text)).flatten()
        })
    }

    /// Files beside this one with a name like its own: how such a file is written here.
    fn siblings(&mut self) {
        let Some(path) = self.query.path else { return };
        for (likeness, candidate) in self.sources.siblings(path, self.query.language) {
            let symbols = self.symbols(&candidate);
            let tops = symbols.iter().filter(|s| s.parent.is_none() && s.kind != ItemKind::Module).take(6);
            let tops: Vec<&Symbol> = tops.collect();
            let (Some(first), Some(last)) = (tops.first(), tops.last()) else { continue };
            let text: Vec<&str> = tops.iter().filter_map(|symbol| head_line(symbol)).collect();
            let snippet = Snippet {
                lines: first.lines.start..last.lines.end,
                text: text.join("\n"),
                value: 0.12 * likeness,
                reason: Reason::Sibling,
                path: candidate.path,
            };
            self.add(snippet);
        }
    }

    /// Where the user has just been, outside what the model is shown.
    fn recent(&mut self) {
        let newline = |range: Range<usize>| {
            self.query.text.as_bytes()[range].iter().filter(|byte| **byte == b'\n').count()
        };
        let length = self.query.text.len();
        let (start, end) = (self.query.shown.start.min(length), self.query.shown.end.min(length));
        let shown = newline(0..start)..newline(0..end.max(start)) + 1;
        let regions: Vec<_> = self.sources.regions().cloned().collect();
        for (rank, region) in regions.into_iter().enumerate() {
            let own = self.query.path == Some(region.path.as_path());
            if own && region.lines.start < shown.end && shown.start < region.lines.end {
                continue;
            }
            let (worth, reason) = match region.visit {
                super::Visit::Edited => (0.5, Reason::Edited),
                super::Visit::Viewed => (0.2, Reason::Viewed),
            };
            self.add(Snippet {
                lines: region.lines.start as u32..region.lines.end as u32,
                value: worth * 0.85f32.powi(rank as i32),
                text: region.text,
                path: region.path,
                reason,
            });
        }
    }
}

/// A symbol as context; a member stands in what it is a member of.
fn snippet(path: &Path, symbols: &[Symbol], at: usize, value: f32, reason: Reason) -> Snippet {
    let symbol = &symbols[at];
    let text = match symbol.parent.and_then(|parent| head_line(&symbols[parent as usize])) {
        Some(head) if container(symbols, at).is_some() => within(head, &[symbol.text.as_str()]),
        _ => symbol.text.clone(),
    };
    Snippet { path: path.to_owned(), lines: symbol.lines.clone(), text, value, reason }
}

/// Members below the line that opens what holds them.
fn within(head: &str, members: &[&str]) -> String {
    let mut out = head.trim_end_matches([' ', '{']).to_owned();
    let braces = !out.ends_with(':');
    if braces {
        out += " {";
    }
    for line in members.iter().flat_map(|member| member.lines()) {
        out += "\n    ";
        out += line;
    }
    if braces {
        out += "\n}";
    }
    out
}
