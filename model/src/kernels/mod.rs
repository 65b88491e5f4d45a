//! CPU kernels: packed low-bit linear layers, attention, norms. What the project exists for, so it is ours.
//!
//! Invariant of the whole module: a result depends on the values alone, never on how many rows a call has, which thread
//! computes it or which instruction set runs it. Integer sums are exact; every f32 sum has one fixed order. That makes
//! "speculative output = greedy output" a theorem. `unsafe` lives here (and in memory maps) and nowhere else.

pub mod attention;
pub mod blocks;
pub mod isa;
pub mod linear;
pub mod low_rank;
pub mod ops;
pub mod packed;
pub mod pool;
pub mod quantize;
pub(crate) mod simd;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(test)]
mod tests;
