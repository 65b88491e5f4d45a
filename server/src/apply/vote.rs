//! The model's vote: several merges of one suggestion, and how likely the model finds each of them.
//!
//! The model sees the stretch in which the merges differ, with some lines around it, as if that were the whole file: a
//! vote costs the reading of this stretch and of the suggestion, whatever the size of the file.

use std::time::Instant;

use redraft_model::prompt::RewritePrompt;
use redraft_model::{ModelHandle, ScoreRequest, Stats};
use tokio_util::sync::CancellationToken;

use super::{ApplyError, ApplyRequest, Progress};
use crate::merge::{Merge, OutputLine};
use crate::suggestion::Suggestion;

/// Merges that are put to the vote, the likeliest first.
const MOST: usize = 4;
/// Lines before and after the stretch in which they differ.
const CONTEXT: usize = 6;
/// Longer votes are not held: a person who waits that long would rather look.
const MOST_TOKENS: usize = 3000;

/// The stretch in which merges differ.
pub(super) struct Ballot {
    /// The stretch as it is in the file.
    original: String,
    /// The stretch as each merge has it, and the bytes of it before the first difference.
    alternatives: Vec<String>,
    shared: usize,
}

/// The model's word on each merge of a ballot.
pub(super) struct Vote {
    /// The logarithm of the probability of each, from the first difference on.
    pub(super) log_probs: Vec<f64>,
    /// What it cost.
    pub(super) stats: Stats,
}

/// Cuts out where `merges` differ; nothing if there is nothing to choose.
pub(super) fn ballot(original: &[&str], merges: &[Merge]) -> Option<Ballot> {
    let merges = &merges[..merges.len().min(MOST)];
    let best = &merges.first().filter(|_| merges.len() > 1)?.lines;
    let shortest = merges.iter().map(|merge| merge.lines.len()).min()?;
    let agree = |index: &dyn Fn(&[OutputLine]) -> usize| {
        let text = &best[index(best)].text;
        merges.iter().all(|merge| merge.lines[index(&merge.lines)].text == *text)
    };
    let head = (0..shortest).take_while(|at| agree(&|_| *at)).count();
    let tail = (0..shortest - head).take_while(|at| agree(&|lines| lines.len() - 1 - at)).count();
    let (before, after) = (head.saturating_sub(CONTEXT), tail.saturating_sub(CONTEXT));
    let text =
        |lines: &[OutputLine]| -> String { lines.iter().map(|line| format!("{}\n", line.text)).collect() };
    // The file's lines from the first kept one to the last: the merges keep what lies outside.
    let first = best[..before].iter().rev().find_map(|line| line.original).map_or(0, |at| at + 1);
    let last = best[best.len() - after..].iter().find_map(|line| line.original).unwrap_or(original.len());
    let own = original.get(first..last)?;
    Some(Ballot {
        original: own.iter().map(|line| format!("{line}\n")).collect(),
        alternatives: merges
            .iter()
            .map(|merge| text(&merge.lines[before..merge.lines.len() - after]))
            .collect(),
        shared: text(&best[before..head]).len(),
    })
}

/// Asks the model; nothing if the vote would take too long.
pub(super) fn hold(
    model: &ModelHandle,
    request: &ApplyRequest,
    suggestion: &Suggestion,
    ballot: &Ballot,
    cancel: &CancellationToken,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Option<Vote>, ApplyError> {
    let tokenizer = model.tokenizer();
    let prompt = RewritePrompt {
        path: request.path.as_deref(),
        language: request.language.as_deref(),
        original: &ballot.original,
        suggestion: &suggestion.code(),
        instruction: request.instruction.as_deref(),
    };
    let prompt = prompt.render(model.info().family, tokenizer).tokens;
    let alternatives: Vec<Vec<u32>> = ballot.alternatives.iter().map(|text| tokenizer.encode(text)).collect();
    let longest = alternatives.iter().map(Vec::len).max().unwrap_or(0);
    let prompt_tokens = prompt.len();
    let total = prompt_tokens + alternatives.iter().map(Vec::len).sum::<usize>();
    if prompt_tokens + longest >= model.info().context_length || total > MOST_TOKENS {
        return Ok(None);
    }
    on_progress(Progress::Prefill { done: 0, total });
    let started = Instant::now();
    let shared = tokenizer.encode(&ballot.alternatives[0][..ballot.shared]).len();
    let request = ScoreRequest { prompt, alternatives, cancel: cancel.clone() };
    let scores = model.score(request).blocking_recv().map_err(|_| ApplyError::Gone)?;
    let scores = scores.map_err(ApplyError::Model)?;
    if scores.cancelled {
        return Err(ApplyError::Cancelled);
    }
    let different = |log_probs: &Vec<f32>| log_probs[shared.min(log_probs.len())..].to_vec();
    let sum = |log_probs: Vec<f32>| log_probs.into_iter().map(f64::from).sum();
    let stats = Stats {
        prompt_tokens: scores.tokens,
        prefill_seconds: started.elapsed().as_secs_f64(),
        ..Stats::default()
    };
    Ok(Some(Vote { log_probs: scores.log_probs.iter().map(different).map(sum).collect(), stats }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge;

    fn numbers(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// Merges as lists of the file's line numbers and new words.
    fn merges(readings: &[&str], file: &[&str]) -> Vec<Merge> {
        let line = |word: &String| match word.parse::<usize>() {
            Ok(at) => OutputLine::kept(at, file[at]),
            Err(_) => OutputLine::added(0, word),
        };
        let merge = |reading: &&str| Merge {
            lines: numbers(reading).iter().map(line).collect(),
            reason: String::new(),
            confidence: 0.9,
            standing: 0.0,
            evidence: merge::Evidence::default(),
        };
        readings.iter().map(merge).collect()
    }

    #[test]
    fn a_ballot_shows_the_stretch_in_which_merges_differ_and_some_lines_around_it() {
        let file: Vec<String> = (0..30).map(|at| format!("line {at}")).collect();
        let file: Vec<&str> = file.iter().map(String::as_str).collect();
        let head = "0 1 2 3 4 5 6 7 8 9";
        let tail = "14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29";
        let (one, two) = (format!("{head} new {tail}"), format!("{head} new 10 11 12 13 {tail}"));
        let found = ballot(&file, &merges(&[&one, &two], &file)).expect("a ballot");
        assert_eq!(found.original, file[5..20].iter().map(|line| format!("{line}\n")).collect::<String>());
        let kept = file[5..10].iter().map(|line| format!("{line}\n")).collect::<String>();
        assert_eq!(&found.alternatives[0][..found.shared], format!("{kept}new\n"));
        assert!(found.alternatives[1].starts_with(&format!("{kept}new\nline 10\n")));
        assert!(
            found.alternatives.iter().all(|text| text.ends_with("line 18\nline 19\n")),
            "{:?}",
            found.alternatives
        );
        assert!(ballot(&file, &merges(&[&one], &file)).is_none());
    }
}
