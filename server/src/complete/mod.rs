//! Code completion: what the model is asked, when it stops, and what of its text is shown.
//!
//! A [`Completer`] plans a completion for a cursor, or knows it already; the caller has the plan written by a model and
//! hands the text back. Nothing here waits, runs a model or knows the protocol's types, and nothing is ever shown that the
//! model did not write.

mod brackets;
mod context;
mod layout;
mod memory;
mod place;
mod polish;
mod rules;
mod tally;
mod write;

use std::collections::VecDeque;
use std::sync::Arc;

use redraft_grammars::{Language, Tree};
use redraft_model::Stats;
use redraft_model::prompt::{FimPrompt, OtherFile};

use brackets::Inside;
pub use context::{Context, shown_path};
pub use layout::Budget;
use layout::Layout;
use memory::{Found, Memory, Spot};
use place::Place;
use polish::{Polished, fit, polish};
pub use tally::{Counted, Counts, Tally};
pub use write::{WriteError, write};

/// How completions are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Whether a completion may have several lines.
    pub multi_line: bool,
    /// The geometric mean of its tokens' probabilities that a completion must have, 0 to 1.
    pub min_confidence: f32,
    /// Most tokens of one completion.
    pub max_tokens: usize,
    /// Whether comments are completed.
    pub comments: bool,
    /// Whether strings are completed.
    pub strings: bool,
    /// What the model reads.
    pub budget: Budget,
    /// Whether the text is cut and judged; without it everything that the model writes is given, for comparison.
    pub guards: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            multi_line: true,
            min_confidence: 0.5,
            max_tokens: 96,
            comments: false,
            strings: false,
            budget: Budget::default(),
            guards: true,
        }
    }
}

/// A cursor in a file.
#[derive(Clone, Debug)]
pub struct Query {
    /// What tells the file from others.
    pub file: String,
    /// Its path as the model should see it.
    pub path: String,
    /// The name of the folder that it belongs to.
    pub repository: String,
    /// Its language.
    pub language: Option<Language>,
    /// Its text.
    pub text: String,
    /// The cursor, as a byte.
    pub cursor: usize,
    /// The text's tree.
    pub tree: Option<Tree>,
}

impl Query {
    /// The query after a completion was accepted.
    pub fn accepted(&self, completion: &Completion) -> Query {
        let (before, after) = self.text.split_at(self.cursor);
        let text = [before, &completion.text, &after[completion.replaces..]].concat();
        Query { text, cursor: self.cursor + completion.text.len(), tree: None, ..self.clone() }
    }
}

/// Text to insert at the cursor.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The text.
    pub text: String,
    /// So many bytes behind the cursor are replaced: closing brackets that the text has as well. They stand in its line.
    pub replaces: usize,
    /// The geometric mean of its tokens' probabilities.
    pub confidence: f32,
}

/// Why nothing is shown.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Rejected {
    /// The cursor stands inside of a word.
    #[error("the cursor stands inside of a word")]
    InsideWord,
    /// The cursor is in a comment.
    #[error("the cursor is in a comment")]
    InComment,
    /// The cursor is in a string.
    #[error("the cursor is in a string")]
    InString,
    /// The model wrote nothing.
    #[error("the model has nothing to add here")]
    Empty,
    /// The model is not sure.
    #[error("the model is not sure ({:.0} %)", 100.0 * confidence)]
    Unsure {
        /// How sure it is, 0 to 1.
        confidence: f32,
    },
    /// The text stands there already.
    #[error("the model would say a neighbouring line again")]
    Repeats,
}

/// What is to be done for a query.
#[derive(Clone, Debug)]
pub enum Planned {
    /// It is known, without the model.
    Known(Result<Completion, Rejected>),
    /// The model must write.
    Write(Box<Plan>),
}

/// A completion to be written.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the model is asked.
    pub prompt: FimPrompt,
    /// Most tokens to write.
    pub max_tokens: usize,
    /// Whether the model has read all of it but what was typed since.
    pub warm: bool,
    place: Arc<Place>,
    spot: Spot,
    /// The file up to the cursor.
    before: Arc<str>,
    options: Options,
    line_feeds: &'static str,
}

impl Plan {
    /// Whether both are for one cursor in one text.
    pub fn is_for_the_same(&self, other: &Plan) -> bool {
        self.spot == other.spot
    }

    /// Whether `text`, which is being written for this plan, may become what a later plan needs: the user types what is
    /// written, as far as both have come.
    pub fn leads_to(&self, later: &Plan, text: &str) -> bool {
        self.spot
            .leads_to(&later.spot, &later.before)
            .is_some_and(|typed| text.starts_with(typed) || typed.starts_with(text))
    }

    /// What can be shown for a query of a text that is still being written for this plan.
    pub fn so_far(&self, query: &Query, written: &Written) -> Option<Completion> {
        let (text, cursor) = without_carriage_returns(&query.text, query.cursor);
        let place = Place::new(&text, cursor, query.language);
        let spot = Spot::new(&query.file, &text, cursor, place.after_from(cursor));
        let typed = self.spot.leads_to(&spot, &text[..cursor])?;
        let Polished { text, confidence } = polish::so_far(&self.place, written, &self.options)?;
        let left = text.strip_prefix(typed).filter(|left| !left.trim().is_empty())?;
        Some(completion(&Polished { text: left.to_owned(), confidence }, &place, self.line_feeds))
    }

    /// Whether `text`, as far as it is written, needs no more.
    pub fn is_over(&self, text: &str) -> bool {
        if self.options.guards { rules::end(&self.place, text).is_some() } else { text.contains('\n') }
    }
}

/// What a model wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// The text.
    pub text: String,
    /// For each token the end of its text and the logarithm of its probability.
    pub tokens: Vec<(usize, f32)>,
    /// Whether it would have gone on.
    pub unfinished: bool,
    /// What it cost.
    pub stats: Stats,
    /// When its first line was there, if others follow.
    pub first_line_seconds: Option<f64>,
}

impl Written {
    /// The geometric mean of the probabilities of the tokens up to a byte.
    fn confidence(&self, until: usize) -> f32 {
        let mut start = 0;
        let (mut sum, mut count) = (0.0, 0_usize);
        for (end, log_prob) in &self.tokens {
            if start < until {
                sum += f64::from(*log_prob);
                count += 1;
            }
            start = *end;
        }
        (sum / count.max(1) as f64).exp() as f32
    }
}

/// Files whose layout is remembered.
const LAYOUTS: usize = 8;

/// Plans completions and remembers those that were made.
#[derive(Debug, Default)]
pub struct Completer {
    layouts: VecDeque<(String, Layout)>,
    memory: Memory,
}

impl Completer {
    /// What is to be done for a query. `others` is asked for parts of other files when the model has to read anew.
    pub fn plan(
        &mut self,
        query: &Query,
        options: &Options,
        others: impl FnOnce(&Query) -> Vec<OtherFile>,
    ) -> Planned {
        let (text, cursor) = without_carriage_returns(&query.text, query.cursor);
        let line_feeds = if query.text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut place = Place::new(&text, cursor, query.language);
        if !options.multi_line {
            place.extent = place::Extent::Statement;
        }
        if let Some(rejected) = unwanted(query, &place, options) {
            return Planned::Known(Err(rejected));
        }
        let after_from = place.after_from(cursor);
        match self.memory.find(&query.file, &text, cursor, after_from) {
            Some(Found::Left(polished)) => {
                return Planned::Known(Ok(completion(&polished, &place, line_feeds)));
            }
            Some(Found::Nothing) => return Planned::Known(Err(Rejected::Empty)),
            None => {}
        }
        let at = self.layouts.iter().position(|(file, _)| *file == query.file);
        let earlier = at.and_then(|at| self.layouts.remove(at)).map(|(_, layout)| layout);
        let (layout, warm) = match earlier {
            Some(layout) if layout.fits(&text, cursor, after_from) => (layout, true),
            earlier => {
                let mut others = others(query);
                // What the model has read of other files stays while it says all that is wanted of them now.
                if let Some(earlier) = earlier.as_ref().filter(|earlier| earlier.tells(&others)) {
                    others.clone_from(&earlier.others);
                }
                (Layout::new(&text, cursor, after_from, options.budget, earlier.as_ref(), others), false)
            }
        };
        let file = FimPrompt {
            repository: query.repository.clone(),
            path: query.path.clone(),
            language: query.language.map_or("", Language::name).to_owned(),
            comment: query.language.and_then(|language| language.line_comments().first().copied()),
            ..FimPrompt::default()
        };
        let plan = Plan {
            prompt: layout.prompt(&text, cursor, file),
            max_tokens: options.max_tokens,
            warm,
            spot: Spot::new(&query.file, &text, cursor, after_from),
            before: text[..cursor].into(),
            place: Arc::new(place),
            options: *options,
            line_feeds,
        };
        self.layouts.push_front((query.file.clone(), layout));
        self.layouts.truncate(LAYOUTS);
        Planned::Write(Box::new(plan))
    }

    /// Forgets the completions that were made, but not what the model has read.
    pub fn forget(&mut self) {
        self.memory = Memory::default();
    }

    /// What of a plan's text is shown; it is remembered.
    pub fn finish(&mut self, plan: &Plan, written: &Written) -> Result<Completion, Rejected> {
        let polished = polish(&plan.place, written, &plan.options);
        self.memory.put(plan.spot.clone(), polished.as_ref().ok().cloned());
        polished.map(|polished| completion(&polished, &plan.place, plan.line_feeds))
    }
}

fn completion(polished: &Polished, place: &Place, line_feeds: &str) -> Completion {
    let (text, replaces) = fit(&polished.text, place);
    let text = if line_feeds == "\n" { text } else { text.replace('\n', line_feeds) };
    Completion { text, replaces, confidence: polished.confidence }
}

/// Why no completion is wanted here.
fn unwanted(query: &Query, place: &Place, options: &Options) -> Option<Rejected> {
    if !options.guards {
        return None;
    }
    let word = |c: char| c.is_alphanumeric() || c == '_';
    if place.rest_text.starts_with(word) && place.line.ends_with(word) {
        return Some(Rejected::InsideWord);
    }
    match place::inside(&query.text, query.cursor, query.language, query.tree.as_ref()) {
        Inside::Comment if !options.comments => Some(Rejected::InComment),
        Inside::String if !options.strings => Some(Rejected::InString),
        Inside::Comment | Inside::String | Inside::Code => None,
    }
}

/// The text with line feeds only, and the cursor in it.
fn without_carriage_returns(text: &str, cursor: usize) -> (String, usize) {
    if !text.contains('\r') {
        return (text.to_owned(), cursor);
    }
    let [before, after] = [&text[..cursor], &text[cursor..]].map(|part| part.replace("\r\n", "\n"));
    (format!("{before}{after}"), before.len())
}

#[cfg(test)]
mod tests;
