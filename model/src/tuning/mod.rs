//! Self-measurement: how many threads compute, how many prompt tokens are read in one forward, and how many tokens are
//! drafted, by what forwards cost on this machine.
//!
//! On the processor none of it changes an output: a position's result depends neither on the chunk nor on the threads
//! (see [`crate::kernels`], and for other places [`crate::device`]). What was measured is [`kept`] in the cache folder.

pub mod kept;
mod measure;

pub use measure::{Measurement, Progress};

/// Tokens of the forwards that are measured.
pub const SIZES: [usize; 8] = [1, 4, 8, 16, 32, 64, 128, 256];
/// A forward takes no longer than this, in seconds, or than [`LONGEST_SINGLES`]: it cannot be interrupted, so an urgent
/// request waits for it.
const LONGEST: f64 = 0.25;
/// What a forward of many tokens may take, in forwards of one, where that is longer than [`LONGEST`].
const LONGEST_SINGLES: f64 = 6.0;
/// While someone types, a forward of other work takes no longer than this, in seconds, or than [`PATIENT_SINGLES`]: the next
/// key may come at any time and waits for it.
const PATIENT: f64 = 0.03;
/// What it may take in forwards of one token, where that is longer than [`PATIENT`].
const PATIENT_SINGLES: f64 = 1.6;
/// A smaller forward is as good when its rate is within this share of the best one: it can be interrupted sooner.
const AS_GOOD: f64 = 0.97;

/// Seconds of a forward by its number of tokens: never fewer for more tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    /// Tokens, ascending from 1, and seconds.
    points: Vec<(usize, f64)>,
}

impl Costs {
    /// The costs by these measured `(tokens, seconds)`, made monotone by the least squares there are
    /// (pool-adjacent-violators); nothing unless a single token was measured.
    pub fn new(mut measured: Vec<(usize, f64)>) -> Option<Costs> {
        measured.sort_by_key(|point| point.0);
        measured.dedup_by_key(|point| point.0);
        let usable = measured.first().is_some_and(|point| point.0 == 1);
        let usable = usable && measured.iter().all(|point| point.1.is_finite() && point.1 > 0.0);
        usable.then(|| {
            // Neighbouring points that were pooled: their mean and their number.
            let mut pools: Vec<(f64, usize)> = Vec::new();
            for &(_, seconds) in &measured {
                pools.push((seconds, 1));
                while let [.., before, last] = pools.as_slice()
                    && before.0 > last.0
                {
                    let count = before.1 + last.1;
                    let mean = (before.0 * before.1 as f64 + last.0 * last.1 as f64) / count as f64;
                    pools.truncate(pools.len() - 2);
                    pools.push((mean, count));
                }
            }
            let seconds = pools.into_iter().flat_map(|(mean, count)| std::iter::repeat_n(mean, count));
            Costs { points: measured.iter().map(|point| point.0).zip(seconds).collect() }
        })
    }

    /// What is assumed before anything was measured: a forward of sixteen tokens costs twice one of a single token, and
    /// so on in a straight line. Only ratios mean anything.
    pub fn assumed() -> Costs {
        let points = SIZES.iter().filter(|tokens| **tokens <= 128);
        Costs { points: points.map(|tokens| (*tokens, LONGEST * (16 + tokens) as f64 / 144.0)).collect() }
    }

    /// The measured `(tokens, seconds)`.
    pub fn points(&self) -> &[(usize, f64)] {
        &self.points
    }

    /// Those that end soon enough for whoever waits.
    fn short(&self) -> impl Iterator<Item = (usize, f64)> {
        let single = self.points[0].1;
        let longest = LONGEST.max(LONGEST_SINGLES * single);
        self.points.iter().copied().filter(move |point| point.0 == 1 || point.1 <= longest)
    }

    /// The size of a forward that gives the most of `gain(tokens)` a second; of nearly equal ones the smallest.
    fn best(&self, gain: impl Fn(usize) -> f64) -> usize {
        let rates: Vec<_> = self.short().map(|(tokens, seconds)| (tokens, gain(tokens) / seconds)).collect();
        let best = rates.iter().map(|rate| rate.1).fold(0.0, f64::max);
        rates.iter().find(|rate| rate.1 >= best * AS_GOOD).map_or(1, |rate| rate.0)
    }

    /// Tokens in a forward of other work while someone types: as many as a key can wait for.
    pub fn typing_chunk(&self) -> usize {
        let longest = PATIENT.max(PATIENT_SINGLES * self.points[0].1);
        self.points.iter().take_while(|point| point.1 <= longest).last().map_or(1, |point| point.0)
    }

    /// Prompt tokens in one forward: as many as are read fastest.
    pub fn prefill_chunk(&self) -> usize {
        self.best(|tokens| tokens as f64)
    }

    /// Tokens in a forward that verifies a draft, the token before the draft included: as many as give the most tokens
    /// a second. `survival(k)` is the probability that the first `k` drafted tokens are all right.
    pub fn verify_chunk(&self, survival: impl Fn(usize) -> f64) -> usize {
        // Each right token counts, and the one that the model says after them.
        self.best(|tokens| 1.0 + (1..tokens).map(&survival).sum::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fixed: f64, each: f64) -> Costs {
        Costs::new(SIZES.iter().map(|tokens| (*tokens, fixed + each * *tokens as f64)).collect()).unwrap()
    }

    #[test]
    fn noise_is_evened_out_and_nonsense_refused() {
        let costs = Costs::new(vec![(8, 4.0), (1, 2.0), (4, 5.0), (16, 3.0), (32, 9.0)]).unwrap();
        assert_eq!(costs.points(), [(1, 2.0), (4, 4.0), (8, 4.0), (16, 4.0), (32, 9.0)]);
        assert_eq!(Costs::new(vec![(4, 1.0)]), None);
        assert_eq!(Costs::new(vec![(1, 0.0)]), None);
        assert_eq!(Costs::new(vec![(1, f64::NAN), (4, 1.0)]), None);
        assert_eq!(Costs::new(Vec::new()), None);
    }

    #[test]
    fn prompts_are_read_in_the_chunks_that_pay_and_no_larger() {
        assert_eq!(line(0.020, 0.0001).prefill_chunk(), 256, "the more the better");
        assert_eq!(line(0.0, 0.001).prefill_chunk(), 1, "no chunk pays");
        assert_eq!(line(0.020, 0.001).prefill_chunk(), 128, "256 would keep others waiting");
        assert_eq!(line(0.0005, 0.001).prefill_chunk(), 16, "128 are 3 % faster, not worth the wait");
        assert_eq!(line(0.300, 0.010).prefill_chunk(), 128, "slow machines wait longer, but for something");
    }

    #[test]
    fn who_types_waits_for_short_forwards_alone() {
        assert_eq!(line(0.018, 0.001).typing_chunk(), 8);
        assert_eq!(line(0.002, 0.0001).typing_chunk(), 256);
        assert_eq!(line(0.040, 0.009).typing_chunk(), 4, "slow machines make them wait, but for something");
        assert_eq!(line(0.0, 0.040).typing_chunk(), 1);
    }

    #[test]
    fn drafts_are_longer_the_likelier_they_are() {
        let costs = line(0.018, 0.001);
        let size = |right: f64| costs.verify_chunk(|k| right.powi(i32::try_from(k).unwrap()));
        let sizes: Vec<usize> = [0.0, 0.5, 0.9, 0.97, 0.99, 1.0].map(size).to_vec();
        assert!(sizes.is_sorted() && sizes[0] == 1 && sizes[5] == 128, "{sizes:?}");
        assert!(sizes[2] > 1 && sizes[2] < 64, "{sizes:?}");
        assert_eq!(line(0.0, 0.001).verify_chunk(|_| 0.9), 1, "where nothing is saved, nothing is drafted");
    }

    #[test]
    fn what_is_assumed_drafts() {
        let assumed = Costs::assumed();
        assert_eq!(assumed.prefill_chunk(), 128);
        assert!(assumed.verify_chunk(|k| 0.95f64.powi(i32::try_from(k).unwrap())) >= 16);
        assert_eq!(Costs::new(assumed.points().to_vec()), Some(assumed), "it is monotone");
    }
}
