//! What becomes of merges and of what the model wrote: which is taken, how sure that is, and what a person is told.
//!
//! Nothing here changes text. What a model wrote never takes a merge's place unasked.

use redraft_grammars::Language;
use redraft_model::ModelHandle;
use tokio_util::sync::CancellationToken;

use super::rewrite::Rewrite;
use super::{Applied, ApplyError, ApplyRequest, FileText, Progress, RouteTaken, language_of, vote};
use crate::guard;
use crate::merge::{self, Merge, MergeError};
use crate::suggestion::{self, Suggestion, SuggestionError};

/// One apply: the request, read.
pub(super) struct Task<'a> {
    pub(super) request: &'a ApplyRequest,
    pub(super) file: FileText<'a>,
    pub(super) suggestion: Suggestion,
    pub(super) language: Option<Language>,
}

impl<'a> Task<'a> {
    /// Reads a request; an error if its suggestion cannot be read.
    pub(super) fn read(request: &'a ApplyRequest) -> Result<Task<'a>, SuggestionError> {
        let suggestion =
            suggestion::parse(&request.suggestion, request.language.as_deref(), request.path.as_deref())?;
        Ok(Task {
            request,
            file: FileText::new(&request.original),
            suggestion,
            language: language_of(request),
        })
    }

    /// The ways in which the suggestion can be merged, the likeliest first.
    pub(super) fn merges(&self) -> Result<Vec<Merge>, MergeError> {
        merge::merge(&self.file.lines(), &self.suggestion, self.language)
    }

    /// Whether the likeliest merge needs no model.
    pub(super) fn is_sure(&self, merges: &Result<Vec<Merge>, MergeError>) -> bool {
        self.demand().is_none() && merges.as_ref().is_ok_and(|merges| merges[0].confidence >= merge::SURE)
    }

    fn review(&self, output: &str) -> Vec<String> {
        guard::review(&self.request.original, output, &self.suggestion, self.language)
    }

    /// What the suggestion asks for beyond what it shows, unless the file says the same.
    pub(super) fn demand(&self) -> Option<&str> {
        let lines = self.file.lines();
        let own = |demand: &&str| !lines.iter().any(|line| line.trim() == demand.trim());
        self.suggestion.demands().into_iter().find(own).map(str::trim)
    }

    /// The merge as it is.
    pub(super) fn merged(&self, merge: &Merge) -> Applied {
        let output = self.file.rebuild(&merge.lines);
        let unsure = merge.confidence < merge::SURE;
        let mut why = self.review(&output);
        let mut confidence = merge.confidence;
        if let Some(demand) = self.demand() {
            why.insert(0, format!("The suggestion says {demand:?}, and that is not done."));
            confidence = confidence.min(ALONE);
        }
        if merge.evidence.gone_unshown > 0 {
            why.extend(guard::gone_item(&self.request.original, &output, &self.suggestion));
        }
        let asks = unsure || !why.is_empty();
        if unsure {
            let doubts = guard::doubts(&merge.evidence);
            if doubts.is_empty() {
                why.push(format!("{}.", capitalised(&merge.reason)));
            }
            why.extend(doubts);
        }
        let unchanged = output == self.request.original;
        Applied {
            route: if self.suggestion.is_exact() { RouteTaken::Exact } else { RouteTaken::Merge },
            reason: if unchanged { "the file reads so already".into() } else { merge.reason.clone() },
            output,
            confidence,
            asks,
            why,
            stats: None,
        }
    }

    /// The merge that the model's vote elects; nothing if there is nothing to vote on, or the vote would take too long.
    pub(super) fn voted(
        &self,
        model: &ModelHandle,
        merges: &mut [Merge],
        cancel: &CancellationToken,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Option<Applied>, ApplyError> {
        let Some(ballot) = vote::ballot(&self.file.lines(), merges) else { return Ok(None) };
        let vote = match vote::hold(model, self.request, &self.suggestion, &ballot, cancel, on_progress) {
            Ok(Some(vote)) => vote,
            Ok(None) => return Ok(None),
            Err(ApplyError::Cancelled) => return Err(ApplyError::Cancelled),
            Err(error) => {
                let mut applied = self.merged(&merges[0]);
                applied.reason = format!("{}; {error}", applied.reason);
                return Ok(Some(applied));
            }
        };
        merge::elect(merges, &vote.log_probs);
        let elected = self.merged(&merges[0]);
        Ok(Some(Applied {
            route: RouteTaken::Choice,
            reason: format!("the model was asked which of {} readings is meant", vote.log_probs.len()),
            stats: Some(vote.stats),
            ..elected
        }))
    }

    /// What the model wrote where the suggestion asks for more than it shows: no merge, nothing of the likeliest merge's new
    /// lines lost, no item written a second time, and no damage.
    pub(super) fn carried_out(&self, rewrite: &Rewrite, merges: &[Merge]) -> Option<Applied> {
        let demand = self.demand()?;
        let (original, output) = (&self.request.original, &rewrite.output);
        let merged = |merge: &Merge| same_text(&self.file.rebuild(&merge.lines), output);
        let likeliest = self.file.rebuild(&merges[0].lines);
        let new_items = guard::more_items(output, &likeliest);
        let twice =
            new_items.iter().any(|name| likeliest.lines().any(|line| merge::item_name(line) == Some(name)));
        let added = merges[0].lines.iter().filter(|line| line.original.is_none());
        let lost = added
            .filter(|line| !line.text.trim().is_empty())
            .any(|line| !output.lines().any(|written| written.trim() == line.text.trim()));
        let damage = guard::damage(original, output, &self.suggestion, self.language);
        if lost || twice || !damage.is_empty() || merges.iter().any(merged) || same_text(original, output) {
            return None;
        }
        let mut why = vec![format!("The suggestion says {demand:?}; the model wrote what that may mean.")];
        why.extend(guard::invented(original, output, &self.suggestion));
        why.extend(
            new_items.iter().map(|name| format!("`{name}` is new, and the suggestion does not speak of it.")),
        );
        why.extend(guard::gone_item(original, output, &self.suggestion));
        Some(Applied {
            output: output.clone(),
            route: RouteTaken::Model,
            reason: "the suggestion asks for more than it shows, so the model rewrote the file".into(),
            confidence: ALONE,
            asks: true,
            why,
            stats: Some(rewrite.stats),
        })
    }

    /// The merge that the model wrote too; the likeliest one, where it wrote something else. A model that was trained to
    /// write edits confirms the likeliest merge or nothing: of 21 other readings that such models wrote 8 were right, of the
    /// likeliest ones in their place 13.
    pub(super) fn chosen(&self, rewrite: &Rewrite, merges: &[Merge]) -> Applied {
        let same = |merge: &Merge| same_text(&self.file.rebuild(&merge.lines), &rewrite.output);
        let choice = merges.iter().position(same).filter(|at| !rewrite.adapted || *at == 0);
        let taken = &merges[choice.unwrap_or(0)];
        let mut applied = if rewrite.adapted && choice.is_some() {
            self.merged(&Merge { confidence: taken.confidence.max(AGREED), ..taken.clone() })
        } else {
            self.merged(taken)
        };
        applied.stats = Some(rewrite.stats);
        if choice.is_some() {
            applied.route = RouteTaken::Choice;
            applied.reason = match merges.len() {
                1 => "the model wrote what the merge gives".into(),
                readings => format!("the model wrote what one of {readings} readings gives"),
            };
        } else {
            applied.reason = format!("{}; the model wrote something else", applied.reason);
        }
        applied
    }

    /// What the model wrote.
    pub(super) fn rewritten(&self, rewrite: &Rewrite, merges: &[Merge]) -> Applied {
        let twin = merges.iter().find(|merge| same_text(&self.file.rebuild(&merge.lines), &rewrite.output));
        let mut why = self.review(&rewrite.output);
        why.extend(guard::gone_item(&self.request.original, &rewrite.output, &self.suggestion));
        let confidence = twin.map_or(ALONE, |merge| merge.confidence);
        if twin.is_none() && same_text(&self.request.original, &rewrite.output) {
            why = vec!["The model left the file as it was, though the suggestion asks for a change.".into()];
        } else if twin.is_none() {
            why.extend(
                merges
                    .first()
                    .and_then(|merge| guard::lost(&self.file.rebuild(&merge.lines), &rewrite.output)),
            );
            why.push("The model's file is none of the ways in which the suggestion can be merged.".into());
        } else if confidence < merge::SURE {
            why.push("The suggestion can be read in several ways; the model chose this one.".into());
        }
        Applied {
            output: rewrite.output.clone(),
            route: RouteTaken::Model,
            reason: "the model rewrote the file".into(),
            confidence,
            asks: confidence < merge::SURE || !why.is_empty(),
            why,
            stats: Some(rewrite.stats),
        }
    }
}

/// A guess at how often an untuned 0.5B model is right where it agrees with no merge: about one whole-file rewrite in ten
/// is right at all. Not measured for this case.
const ALONE: f64 = 0.1;

/// How often the likeliest merge is right where a model with one of our adapters wrote the same by itself, of edits that the
/// merge is not sure of: 52 of 53, on repositories that the adapters were not trained on. The one lacks two blank lines.
/// Taken for other adapters too: a text that two ways give is seldom wrong, whatever the model's own worth.
const AGREED: f64 = 0.98;

/// Equal but for trailing blanks and the final newline.
fn same_text(a: &str, b: &str) -> bool {
    let lines = |text: &str| -> Vec<String> {
        text.trim_end().lines().map(|line| line.trim_end().to_string()).collect()
    };
    lines(a) == lines(b)
}

fn capitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use redraft_model::Stats;

    fn with_task<T>(original: &str, suggestion: &str, run: impl FnOnce(&Task<'_>, &[Merge]) -> T) -> T {
        let request = ApplyRequest {
            path: Some("a.rs".into()),
            original: original.into(),
            suggestion: suggestion.into(),
            ..ApplyRequest::default()
        };
        let task = Task::read(&request).expect("a suggestion");
        let merges = task.merges().expect("a merge");
        run(&task, &merges)
    }

    fn rewrite(output: &str) -> Rewrite {
        Rewrite { output: output.into(), stats: Stats::default(), adapted: false }
    }

    #[test]
    fn a_model_that_changes_nothing_is_not_taken_for_an_edit_that_has_landed() {
        let original = "fn a() {}\nfn b() {}\n";
        let applied = with_task(original, "fn b() { a() }\n", |task, merges| {
            task.rewritten(&rewrite(original), merges)
        });
        assert!(applied.asks && applied.confidence < merge::SURE, "{}", applied.confidence);
        assert!(applied.why[0].contains("left the file as it was"), "{:?}", applied.why);
    }

    #[test]
    fn a_trained_model_that_writes_the_likeliest_merge_makes_it_sure() {
        let original = "fn a() {\n    log();\n    step(1);\n}\n\nfn b() {\n    log();\n    step(2);\n}\n";
        with_task(original, "    log();\n    check();\n", |task, merges| {
            let [likeliest, other, ..] = merges else { panic!("{} readings", merges.len()) };
            let text = |merge: &Merge| task.file.rebuild(&merge.lines);
            assert!(likeliest.confidence < merge::SURE);
            let sure = |output: &str, trained: bool| {
                let rewrite = Rewrite { adapted: trained, ..rewrite(output) };
                let applied = task.chosen(&rewrite, merges);
                (applied.output, !applied.asks && applied.confidence >= merge::SURE)
            };
            assert_eq!(sure(&text(likeliest), true), (text(likeliest), true));
            assert_eq!(sure(&text(likeliest), false), (text(likeliest), false));
            assert_eq!(sure(&text(other), true), (text(likeliest), false));
            assert_eq!(sure(&text(other), false), (text(other), false));
            assert_eq!(sure(original, true), (text(likeliest), false));
        });
    }

    const FOUR: &str = "fn f() {\n    one(a);\n    two(a);\n    three(a);\n    four(a);\n}\n";
    const DEMAND: &str = "fn f() {\n    one(b);\n    two(a);\n    // same for the other two\n}\n";

    #[test]
    fn what_a_comment_asks_for_is_the_models_if_it_keeps_what_is_shown() {
        let done =
            FOUR.replace("one(a)", "one(b)").replace("three(a)", "three(b)").replace("four(a)", "four(b)");
        let carried =
            |output: &str| with_task(FOUR, DEMAND, |task, merges| task.carried_out(&rewrite(output), merges));
        let applied = carried(&done).expect("what the model wrote");
        assert!(applied.asks && applied.route == RouteTaken::Model && applied.output == done);
        assert!(applied.why[0].contains("same for the other two"), "{:?}", applied.why);
        let shown_is_lost = done.replace("one(b)", "one(a)");
        let demand_is_left = done.replace("    four", "    // same for the other two\n    four");
        let broken = done.replace("four(b);", "four(b;");
        let only_merged = FOUR.replace("one(a)", "one(b)");
        let twice = format!("{done}\nfn f() {{}}\n");
        for output in [FOUR, &shown_is_lost, &demand_is_left, &broken, &only_merged, &twice] {
            assert!(carried(output).is_none(), "{output}");
        }
        let more = carried(&format!("{done}\nfn g() {{}}\n")).expect("what the model wrote");
        assert!(more.why.iter().any(|why| why.contains("`g` is new")), "{:?}", more.why);
    }
}
