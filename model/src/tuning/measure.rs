//! One round of measuring, a forward at a time, so that whoever has something to do gets in between.

use std::collections::VecDeque;
use std::time::Instant;

use super::kept::Sample;
use super::{LONGEST, LONGEST_SINGLES, SIZES};
use crate::error::ModelError;
use crate::kernels::pool::Pool;
use crate::kv_cache::{KvCache, KvFormat};
use crate::machine;
use crate::transformer::Transformer;

/// Numbers of threads are compared with a forward of at most so many tokens: most of an edit is verified in such ones.
const COMPARED: usize = 64;

/// A round is disturbed when its threads stood in line for a processor longer than this share of its time.
const IN_LINE: f64 = 0.05;
/// That is not judged by less time than this, in seconds.
const JUDGED: f64 = 0.1;

/// How far a round is.
pub enum Progress {
    /// There is more to measure.
    More,
    /// It is complete.
    Complete(Vec<Sample>),
    /// Other programs were in the way: it says nothing.
    Disturbed,
}

/// A round that is being measured.
pub struct Measurement {
    cache: KvCache,
    /// Threads and tokens of the forwards to come.
    plan: VecDeque<(usize, usize)>,
    /// Other numbers of threads to try.
    others: Vec<usize>,
    warm: bool,
    samples: Vec<Sample>,
    seconds: f64,
    seconds_in_line: f64,
}

impl Measurement {
    /// A round on the model's own threads, and on other numbers of them where `compare` says so.
    pub fn new(model: &Transformer, compare: bool) -> Result<Measurement, ModelError> {
        let own = model.threads();
        let (cores, processors) = (machine::physical_cores(), machine::processors());
        let mut others = vec![processors, cores, cores / 2];
        others.retain(|count| compare && *count > 0 && *count != own);
        others.sort_unstable();
        others.dedup();
        Ok(Measurement {
            cache: model.new_cache(KvFormat::default(), SIZES[SIZES.len() - 1])?,
            plan: SIZES.iter().map(|tokens| (own, *tokens)).collect(),
            others,
            warm: false,
            samples: Vec::new(),
            seconds: 0.0,
            seconds_in_line: 0.0,
        })
    }

    /// One forward.
    pub fn step(&mut self, model: &mut Transformer) -> Result<Progress, ModelError> {
        if !self.warm {
            // Weights that are mapped are read in by their first use.
            self.forward(model, 1)?;
            (self.seconds, self.seconds_in_line) = (0.0, 0.0);
            self.warm = true;
            return Ok(Progress::More);
        }
        let own = model.threads();
        if let Some((threads, tokens)) = self.plan.pop_front() {
            let seconds = if threads == own {
                self.forward(model, tokens)?
            } else {
                let mut pool = Pool::new(threads);
                model.swap_pool(&mut pool);
                let seconds = self.forward(model, tokens);
                model.swap_pool(&mut pool);
                seconds?
            };
            self.samples.push(Sample { threads, tokens, seconds });
            self.drop_long();
        }
        if self.plan.is_empty() {
            let of_own = self.samples.iter().filter(|sample| sample.threads == own);
            let compared = of_own.map(|sample| sample.tokens).filter(|tokens| *tokens <= COMPARED).max();
            self.plan.extend(self.others.drain(..).filter_map(|threads| Some((threads, compared?))));
        }
        let complete = self.plan.is_empty();
        let judged = complete || self.seconds > JUDGED;
        Ok(if judged && self.seconds_in_line > self.seconds * IN_LINE {
            Progress::Disturbed
        } else if complete {
            Progress::Complete(std::mem::take(&mut self.samples))
        } else {
            Progress::More
        })
    }

    /// Seconds of one forward as verification needs it.
    fn forward(&mut self, model: &mut Transformer, tokens: usize) -> Result<f64, ModelError> {
        let vocab = model.config().vocab;
        let tokens: Vec<u32> = (0..tokens).map(|index| (index % vocab) as u32).collect();
        self.cache.truncate(0);
        let (in_line, started) = (machine::stood_in_line(), Instant::now());
        model.forward(&mut self.cache, &tokens)?;
        model.argmax(0)?;
        let seconds = started.elapsed().as_secs_f64();
        if let (Some(before), Some(after)) = (in_line, machine::stood_in_line()) {
            self.seconds_in_line += after.saturating_sub(before).as_secs_f64();
        }
        self.seconds += seconds;
        Ok(seconds)
    }

    /// Leaves out forwards that would keep others waiting; the next one is taken to be twice as long as the last.
    fn drop_long(&mut self) {
        let single = self.samples[0].seconds;
        let last = self.samples[self.samples.len() - 1];
        if last.seconds * 2.0 > LONGEST.max(LONGEST_SINGLES * single) {
            self.plan.retain(|(threads, _)| *threads != last.threads);
        }
    }
}
