//! The small row operations between the linear layers: RMS norm, rotary embedding, SwiGLU.

use super::isa::Isa;
use super::simd::{Kernel, LANES, Simd, dispatch};

/// RMS norm (arXiv:1910.07467): `out = x / sqrt(mean(x^2) + eps) * weight`. Lengths are equal multiples of 16.
pub fn rms_norm(isa: Isa, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    assert!(x.len() == weight.len() && x.len() == out.len() && x.len().is_multiple_of(LANES));
    dispatch(isa, RmsNorm { x, weight, eps, out });
}

struct RmsNorm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    eps: f32,
    out: &'a mut [f32],
}

impl Kernel for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let mut squares = S::splat(0.0);
        for x in self.x.chunks_exact(LANES) {
            let x = S::load(x);
            squares = x.mul_add(x, squares);
        }
        let scale = S::splat(1.0 / (squares.reduce_sum() / self.x.len() as f32 + self.eps).sqrt());
        let rows = self.x.chunks_exact(LANES).zip(self.weight.chunks_exact(LANES));
        for ((x, weight), out) in rows.zip(self.out.chunks_exact_mut(LANES)) {
            S::load(x).mul(scale).mul(S::load(weight)).store(out);
        }
    }
}

/// SwiGLU (arXiv:2002.05202): `out = gate * sigmoid(gate) * up`. Lengths are equal multiples of 16.
pub fn swiglu(isa: Isa, gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert!(gate.len() == up.len() && up.len() == out.len() && up.len().is_multiple_of(LANES));
    dispatch(isa, SwiGlu { gate, up, out });
}

struct SwiGlu<'a> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for SwiGlu<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let one = S::splat(1.0);
        let rows = self.gate.chunks_exact(LANES).zip(self.up.chunks_exact(LANES));
        for ((gate, up), out) in rows.zip(self.out.chunks_exact_mut(LANES)) {
            let gate = S::load(gate);
            let sigmoid = one.div(one.add(S::splat(0.0).sub(gate).exp()));
            gate.mul(sigmoid).mul(S::load(up)).store(out);
        }
    }
}

/// Cosines and sines of the rotary embedding (arXiv:2104.09864), made as far as positions were asked for.
pub struct Rotary {
    /// Angle per position of each pair of dimensions.
    frequencies: Vec<f64>,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

/// Positions whose sines are made together.
const AT_ONCE: usize = 256;

impl Rotary {
    /// For heads of `head_dim`; `factors` divides the frequency of each pair (llama 3's long-context scaling).
    pub fn new(head_dim: usize, base: f32, factors: Option<&[f32]>) -> Rotary {
        let frequencies = (0..head_dim / 2)
            .map(|i| {
                let factor =
                    factors.and_then(|factors| factors.get(i)).map_or(1.0, |factor| f64::from(*factor));
                f64::from(base).powf(-2.0 * i as f64 / head_dim as f64) / factor
            })
            .collect();
        Rotary { frequencies, cos: Vec::new(), sin: Vec::new() }
    }

    /// Makes the tables for the positions below `len`, and for some more.
    pub fn extend_to(&mut self, len: usize) {
        let made = self.cos.len() / self.frequencies.len();
        if len <= made {
            return;
        }
        for position in made..len.next_multiple_of(AT_ONCE) {
            for frequency in &self.frequencies {
                let angle = position as f64 * frequency;
                self.cos.push(angle.cos() as f32);
                self.sin.push(angle.sin() as f32);
            }
        }
    }

    /// Pairs of dimensions that turn.
    pub fn pairs(&self) -> usize {
        self.frequencies.len()
    }

    /// Cosines and sines, each `[positions][pairs]`, as far as they were made.
    pub fn tables(&self) -> (&[f32], &[f32]) {
        (&self.cos, &self.sin)
    }

    /// Rotates one head in place: pairs are `(i, i + head_dim / 2)`.
    pub fn rotate(&self, position: usize, head: &mut [f32]) {
        let half = self.frequencies.len();
        let cos = &self.cos[position * half..(position + 1) * half];
        let sin = &self.sin[position * half..(position + 1) * half];
        let (first, second) = head.split_at_mut(half);
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..len).map(|_| next() * 20.0).collect()
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits_and_the_right_values() {
        let (x, w) = (noise(896, 1), noise(896, 2));
        for isa in Isa::available() {
            let (mut norm, mut portable) = (vec![0.0; 896], vec![0.0; 896]);
            rms_norm(isa, &x, &w, 1e-6, &mut norm);
            rms_norm(Isa::Portable, &x, &w, 1e-6, &mut portable);
            assert_eq!(norm, portable, "{isa}");
            let mean = x.iter().map(|x| f64::from(x * x)).sum::<f64>() / 896.0;
            let want = f64::from(x[7]) / (mean + 1e-6).sqrt() * f64::from(w[7]);
            assert!((f64::from(norm[7]) - want).abs() < 1e-5 * want.abs());

            let (mut gated, mut portable) = (vec![0.0; 896], vec![0.0; 896]);
            swiglu(isa, &x, &w, &mut gated);
            swiglu(Isa::Portable, &x, &w, &mut portable);
            assert_eq!(gated, portable, "{isa}");
            for i in 0..896 {
                let (g, u) = (f64::from(x[i]), f64::from(w[i]));
                let want = g / (1.0 + (-g).exp()) * u;
                assert!((f64::from(gated[i]) - want).abs() <= 1e-6 * want.abs() + 1e-9);
            }
        }
    }
}
