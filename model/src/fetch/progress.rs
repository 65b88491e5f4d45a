//! How a fetch tells what it is doing: the trait that a terminal, a log or an editor implements, and the rate.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Told how a fetch goes; called often, so an implementation should be quick.
pub trait Progress: Send {
    /// Something a person should know, in one plain sentence.
    fn note(&mut self, text: &str);
    /// More bytes have arrived.
    fn update(&mut self, at: &Snapshot);
    /// Whether the user wants the fetch to stop; asked several times a second.
    fn cancelled(&self) -> bool {
        false
    }
}

/// How far a fetch is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Snapshot {
    /// Bytes that are here.
    pub done: u64,
    /// Bytes of the whole file.
    pub total: u64,
    /// The rate of the last few seconds.
    pub bytes_per_second: f64,
    /// Time left at that rate; `None` while nothing can be said.
    pub left: Option<Duration>,
}

/// Nobody is watching.
#[derive(Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn note(&mut self, _text: &str) {}
    fn update(&mut self, _at: &Snapshot) {}
}

/// The rate is taken over this long: short enough to follow a change, long enough not to flicker.
const WINDOW: Duration = Duration::from_secs(5);

/// Turns "so many bytes are here now" into [`Snapshot`]s.
pub(super) struct Meter {
    total: u64,
    samples: VecDeque<(Instant, u64)>,
}

impl Meter {
    pub(super) fn new(total: u64) -> Meter {
        Meter { total, samples: VecDeque::new() }
    }

    pub(super) fn at(&mut self, now: Instant, done: u64) -> Snapshot {
        // Bytes can become fewer, when a try is given up and begins anew; then the old samples say nothing.
        if self.samples.back().is_some_and(|&(_, before)| before > done) {
            self.samples.clear();
        }
        self.samples.push_back((now, done));
        while self.samples.len() > 2 && now.duration_since(self.samples[0].0) > WINDOW {
            self.samples.pop_front();
        }
        let (since, before) = self.samples[0];
        let seconds = now.duration_since(since).as_secs_f64();
        let rate = if seconds > 0.0 { (done - before) as f64 / seconds } else { 0.0 };
        let left = self.total.saturating_sub(done);
        // The first bytes come slowly; a time told from them alone would only frighten.
        let left =
            (rate > 0.0 && seconds >= 1.0).then(|| Duration::from_secs_f64((left as f64 / rate).min(1e7)));
        Snapshot { done: done.min(self.total), total: self.total, bytes_per_second: rate, left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_follow_the_last_seconds() {
        let start = Instant::now();
        let second = |n| start + Duration::from_secs(n);
        let mut meter = Meter::new(1000);
        assert_eq!(meter.at(start, 0).left, None);
        let at = meter.at(second(2), 200);
        assert_eq!((at.bytes_per_second, at.left), (100.0, Some(Duration::from_secs(8))));
        // Stalled for longer than the window: the old rate is forgotten.
        assert_eq!(meter.at(second(60), 200).bytes_per_second, 0.0);
        // Begun anew: no negative rate.
        assert_eq!(meter.at(second(61), 50).bytes_per_second, 0.0);
        assert_eq!(meter.at(second(62), 60).bytes_per_second, 10.0);
    }
}
