//! How far two sets of logits are from each other.

pub(crate) fn argmax(row: &[f32]) -> usize {
    (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap()
}

/// Natural logarithms of the probabilities.
fn log_probabilities(row: &[f32]) -> Vec<f64> {
    let highest = f64::from(row.iter().copied().fold(f32::MIN, f32::max));
    let sum: f64 = row.iter().map(|&logit| (f64::from(logit) - highest).exp()).sum();
    row.iter().map(|&logit| f64::from(logit) - highest - sum.ln()).collect()
}

/// Kullback-Leibler divergence of the second row from the first.
pub(crate) fn divergence(wanted: &[f32], found: &[f32]) -> f64 {
    let (wanted, found) = (log_probabilities(wanted), log_probabilities(found));
    wanted.iter().zip(&found).map(|(wanted, found)| wanted.exp() * (wanted - found)).sum()
}

/// What was seen over many positions.
#[derive(Default, Debug)]
pub(crate) struct Figures {
    positions: usize,
    agree: usize,
    divergence: f64,
    highest: f32,
    sum: f64,
    values: usize,
}

impl Figures {
    pub(crate) fn add(&mut self, wanted: &[f32], found: &[f32]) {
        self.positions += 1;
        self.agree += usize::from(argmax(wanted) == argmax(found));
        self.divergence += divergence(wanted, found);
        for (wanted, found) in wanted.iter().zip(found) {
            let difference = (wanted - found).abs();
            self.highest = self.highest.max(difference);
            self.sum += f64::from(difference);
        }
        self.values += wanted.len();
    }

    pub(crate) fn agreement(&self) -> f64 {
        self.agree as f64 / self.positions as f64
    }

    pub(crate) fn mean_divergence(&self) -> f64 {
        self.divergence / self.positions as f64
    }

    pub(crate) fn print(&self, model: &str) {
        println!(
            "{model}: {} positions, argmax agrees {:.2} %, mean KL {:.5}, logit difference max {:.3}, mean {:.4}",
            self.positions,
            100.0 * self.agreement(),
            self.mean_divergence(),
            self.highest,
            self.sum / self.values as f64,
        );
    }
}
