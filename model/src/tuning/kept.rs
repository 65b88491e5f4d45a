//! What was measured, kept in the folder `tuning` of the cache.
//!
//! Each kind of forward keeps its last few measurements, made at different starts, and its median counts. They are
//! believed only for the same model, processor, device, kernels and version.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Costs;
use crate::cache::{self, hex};
use crate::device::Device;
use crate::kernels::isa::Isa;
use crate::kernels::packed::LAYOUT;
use crate::machine;

const FOLDER: &str = "tuning";
/// Measurements of one kind of forward that count.
const COUNTING: usize = 5;
/// So many rounds are measured before a median is worth its name.
const ROUNDS: usize = 3;
/// After that, one more round at every so many starts.
const STARTS: usize = 8;
/// Fewer threads are as good within this share of the best time: the others are left to the editor.
const AS_FAST: f64 = 1.03;

/// One timed forward.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Threads that computed it.
    pub threads: usize,
    /// Its tokens.
    pub tokens: usize,
    /// What it took.
    pub seconds: f64,
}

/// All that is known of a model's forwards on this machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// What the samples are of.
    key: String,
    /// Starts of the model since the last round.
    starts: usize,
    /// Rounds measured.
    rounds: usize,
    /// Oldest first.
    samples: Vec<Sample>,
    /// Where this is kept; nowhere if there is no cache folder.
    #[serde(skip)]
    path: Option<PathBuf>,
}

impl Kept {
    /// What is kept for this model file on this device; empty if there is nothing, or nothing that can be believed.
    pub fn open(model: &Path, device: Device) -> Kept {
        let Ok(cache) = cache::folder() else { return Kept::default() };
        let kernels = match device {
            Device::Cpu => format!("{}, {LAYOUT}", Isa::best()),
            other => other.to_string(),
        };
        Kept::open_in(&cache, model, &kernels)
    }

    fn open_in(cache: &Path, model: &Path, kernels: &str) -> Kept {
        let Some(identity) = cache::identity(model) else { return Kept::default() };
        let processor = machine::processor().unwrap_or_default();
        let (processors, version) = (machine::processors(), env!("CARGO_PKG_VERSION"));
        let of = format!("{version}, {processor}, {processors}, {kernels}, {identity}");
        let key = hex(&Sha256::digest(of));
        let stem = model.file_stem().unwrap_or_default().to_string_lossy();
        let path = cache.join(FOLDER).join(format!("{stem}-{}.json", &key[..16]));
        let read = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Kept>(&text).ok());
        let known = read.filter(|kept| kept.key == key).unwrap_or_default();
        Kept { key, path: Some(path), ..known }
    }

    /// Rounds measured.
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// Notes a start of the model, and says how many rounds are to be measured when there is time.
    pub fn started(&mut self) -> usize {
        if self.rounds < ROUNDS {
            return ROUNDS - self.rounds;
        }
        self.starts += 1;
        self.write();
        usize::from(self.starts >= STARTS)
    }

    /// Takes in a round.
    pub fn add(&mut self, round: &[Sample]) {
        for sample in round {
            let alike = |other: &Sample| (other.threads, other.tokens) == (sample.threads, sample.tokens);
            if self.samples.iter().filter(|other| alike(other)).count() >= COUNTING
                && let Some(oldest) = self.samples.iter().position(alike)
            {
                self.samples.remove(oldest);
            }
            self.samples.push(*sample);
        }
        self.rounds += 1;
        self.starts = 0;
        self.write();
    }

    /// The median of a kind of forward.
    fn seconds(&self, threads: usize, tokens: usize) -> Option<f64> {
        let alike = self.samples.iter().filter(|sample| (sample.threads, sample.tokens) == (threads, tokens));
        let mut seconds: Vec<f64> = alike.map(|sample| sample.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied()
    }

    /// What forwards on so many threads cost; nothing if that was not measured.
    pub fn costs(&self, threads: usize) -> Option<Costs> {
        let point = |tokens: &usize| Some((*tokens, self.seconds(threads, *tokens)?));
        Costs::new(super::SIZES.iter().filter_map(point).collect())
    }

    /// How many threads are fastest: by the largest forward that was measured with each number of them. Of nearly equal
    /// ones the fewest; nothing before there was something to compare.
    pub fn threads(&self) -> Option<usize> {
        let mut counts: Vec<usize> = self.samples.iter().map(|sample| sample.threads).collect();
        counts.sort_unstable();
        counts.dedup();
        let times = |tokens: &usize| {
            counts
                .iter()
                .map(|count| Some((*count, self.seconds(*count, *tokens)?)))
                .collect::<Option<Vec<_>>>()
        };
        let times = super::SIZES.iter().rev().find_map(times).filter(|times| times.len() > 1)?;
        let best = times.iter().map(|time| time.1).fold(f64::INFINITY, f64::min);
        times.iter().find(|time| time.1 <= best * AS_FAST).map(|time| time.0)
    }

    /// Keeps it for the next start. That this fails is no failure: it is measured again.
    fn write(&self) {
        let Some(path) = &self.path else { return };
        let write = || -> io::Result<()> {
            let folder = path.parent().ok_or_else(|| io::Error::other("no folder"))?;
            fs::create_dir_all(folder)?;
            let temporary = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer(temporary.as_file(), self)?;
            temporary.persist(path)?;
            Ok(())
        };
        if let Err(error) = write() {
            tracing::debug!("what was measured is not kept: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(threads: usize, tokens: usize, seconds: f64) -> Sample {
        Sample { threads, tokens, seconds }
    }

    #[test]
    fn it_is_found_again_for_the_same_model_and_kernels_only() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, model) = (folder.path(), folder.path().join("m.gguf"));
        fs::write(&model, "weights").unwrap();
        let mut kept = Kept::open_in(cache, &model, "portable");
        assert!(kept.rounds() == 0 && kept.threads().is_none() && kept.costs(2).is_none());
        kept.add(&[sample(2, 1, 0.1), sample(2, 16, 0.2)]);
        assert_eq!(Kept::open_in(cache, &model, "portable"), kept);
        assert_eq!(kept.costs(2).unwrap().points(), [(1, 0.1), (16, 0.2)]);
        assert!(kept.costs(1).is_none());
        assert_eq!(Kept::open_in(cache, &model, "avx2").rounds(), 0);

        fs::write(kept.path.as_ref().unwrap(), "{\"key\": 3}").unwrap();
        assert_eq!(Kept::open_in(cache, &model, "portable").rounds(), 0, "damaged");
        kept.write();
        fs::write(&model, "weightier").unwrap();
        assert_eq!(Kept::open_in(cache, &model, "portable").rounds(), 0, "another state of the model");
    }

    #[test]
    fn the_median_of_the_last_measurements_counts() {
        let mut kept = Kept::default();
        for seconds in [9.0, 1.0, 1.2, 1.1, 7.0, 1.3] {
            kept.add(&[sample(2, 1, seconds)]);
        }
        assert_eq!(kept.costs(2).unwrap().points(), [(1, 1.2)], "9 was forgotten, 7 is an outlier");
    }

    #[test]
    fn rounds_are_measured_at_first_and_then_now_and_then() {
        let mut kept = Kept::default();
        assert_eq!((kept.started(), kept.started()), (ROUNDS, ROUNDS));
        (0..ROUNDS).for_each(|_| kept.add(&[sample(1, 1, 1.0)]));
        let wanted: Vec<usize> = (0..STARTS).map(|_| kept.started()).collect();
        assert_eq!(wanted.iter().sum::<usize>(), 1);
        kept.add(&[sample(1, 1, 1.0)]);
        assert_eq!(kept.started(), 0);
    }

    #[test]
    fn fewer_threads_are_taken_where_more_gain_nothing() {
        let mut kept = Kept::default();
        let slower = [sample(4, 1, 0.01), sample(4, 64, 0.100), sample(8, 64, 0.090), sample(2, 64, 0.2)];
        kept.add(&slower);
        assert_eq!(kept.threads(), Some(8));
        let mut kept = Kept::default();
        let as_fast = [sample(4, 64, 0.091), sample(8, 64, 0.090), sample(2, 64, 0.2), sample(8, 128, 0.2)];
        kept.add(&as_fast);
        assert_eq!(kept.threads(), Some(4));
        let mut kept = Kept::default();
        kept.add(&[sample(4, 64, 0.091)]);
        assert_eq!(kept.threads(), None, "nothing to compare");
    }
}
