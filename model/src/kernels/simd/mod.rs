//! Sixteen f32 lanes, the same arithmetic on every instruction set, and the dispatch of a kernel written once over them.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

use super::isa::Isa;
use portable::Lanes;

/// Lanes of one vector.
pub(crate) const LANES: usize = 16;
/// Most rows of [`Simd::pair_products`].
pub(crate) const PAIR_ROWS: usize = 6;
/// Columns of [`Simd::pair_products`].
const PAIR_COLUMNS: usize = 64;

/// What [`Simd::pair_products`] multiplies: rows of `a` with 64 columns of `b`, two numbers along the sum at once.
#[derive(Clone, Copy)]
pub(crate) struct Pairs<'a> {
    /// Rows, at most [`PAIR_ROWS`].
    pub(crate) rows: usize,
    /// `[row][2 steps]`, rows `a_stride` apart.
    pub(crate) a: &'a [i16],
    pub(crate) a_stride: usize,
    /// `[step][64][2]`, steps `b_stride` apart.
    pub(crate) b: &'a [i16],
    pub(crate) b_stride: usize,
    pub(crate) steps: usize,
}

impl Pairs<'_> {
    /// That the slices hold what is read and written.
    #[inline(always)]
    fn check(&self, out: &[i32]) {
        assert!((1..=PAIR_ROWS).contains(&self.rows) && self.steps > 0);
        assert!(self.a.len() >= (self.rows - 1) * self.a_stride + 2 * self.steps);
        assert!(self.b.len() >= (self.steps - 1) * self.b_stride + 2 * PAIR_COLUMNS);
        assert!(out.len() >= self.rows * PAIR_COLUMNS);
    }
}

/// Sixteen f32 lanes. Every operation rounds as IEEE 754 says, so that all implementations agree bit for bit.
pub(crate) trait Simd: Copy {
    fn splat(value: f32) -> Self;
    /// # Safety
    /// `from` must be readable for 16 values.
    unsafe fn load_ptr(from: *const f32) -> Self;
    /// # Safety
    /// `to` must be writable for 16 values.
    unsafe fn store_ptr(self, to: *mut f32);
    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    fn min(self, other: Self) -> Self;
    /// `self * by + plus`, rounded once.
    fn mul_add(self, by: Self, plus: Self) -> Self;
    fn abs(self) -> Self;
    /// To the nearest integer, ties to even.
    fn round(self) -> Self;
    /// Two to the power of `self`, which holds integers in -126..=127.
    fn exp2_of_integer(self) -> Self;
    /// The sum of all lanes: the upper half added to the lower until one is left.
    fn reduce_sum(self) -> f32;
    /// The largest lane.
    fn reduce_max(self) -> f32;
    /// The first `count` lanes, the others from `rest`.
    fn first(self, count: usize, rest: Self) -> Self;
    /// The first 16 of `from`, which are exact in f32 or rounded to the nearest, ties to even.
    fn load_i32(from: &[i32]) -> Self;
    /// The first 16 of `from`, the upper halves of f32 numbers.
    fn load_bf16(from: &[u16]) -> Self;
    /// Rounds to the nearest, ties to even, into the first 16 of `to`. Lanes are within -32767..=32767.
    fn round_to_i16(self, to: &mut [i16]);
    /// Exact integer products, `out[row][64]`. No sum may leave the 32 bits.
    fn pair_products(pairs: &Pairs<'_>, out: &mut [i32]);
    /// Rounds to signed bytes in `to` and returns their sum. Lanes are within -127..=127.
    fn round_to_i8(self, to: &mut [i8]) -> i32;

    #[inline(always)]
    fn load(from: &[f32]) -> Self {
        assert!(from.len() >= LANES);
        // SAFETY: the length was just checked.
        unsafe { Self::load_ptr(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        assert!(to.len() >= LANES);
        // SAFETY: the length was just checked.
        unsafe { self.store_ptr(to.as_mut_ptr()) }
    }

    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        self.store(&mut out);
        out
    }

    /// Two to the power of each lane, none above 0: within 3e-6 of it, and exact at 0. Below -120 it is that of -120.
    #[inline(always)]
    fn exp2(self) -> Self {
        let clamped = self.max(Self::splat(-120.0));
        let n = clamped.round();
        let r = clamped.sub(n);
        let mut p = Self::splat(9.582_757e-3);
        for c in [5.590_642e-2, 2.402_41e-1, 6.931_242e-1, 1.0] {
            p = p.mul_add(r, Self::splat(c));
        }
        p.mul(n.exp2_of_integer())
    }

    /// e to the power of each lane, within 2 ulp; below -87 it is 0.
    #[inline(always)]
    fn exp(self) -> Self {
        let clamped = self.max(Self::splat(-87.3)).min(Self::splat(88.0));
        let n = clamped.mul(Self::splat(std::f32::consts::LOG2_E)).round();
        // ln 2 in two parts, so that the remainder is exact to f32.
        let r = n.mul_add(Self::splat(-0.693_359_4), clamped);
        let r = n.mul_add(Self::splat(2.121_944_4e-4), r);
        let mut p = Self::splat(1.987_569_2e-4);
        for c in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_6e-1, 0.5] {
            p = p.mul_add(r, Self::splat(c));
        }
        let e = p.mul_add(r.mul(r), r).add(Self::splat(1.0));
        e.mul(n.exp2_of_integer())
    }
}

/// A computation written once over [`Simd`]; `run` must be `#[inline(always)]`.
pub(crate) trait Kernel {
    type Output;
    fn run<S: Simd>(self) -> Self::Output;
}

/// Runs `kernel` with the vectors of `isa`, which must be one of [`Isa::available`].
#[inline]
pub(crate) fn dispatch<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    match isa {
        // SAFETY: an `Isa` above `Portable` comes from `Isa::available`, which checked the processor.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni => unsafe { avx512::run(kernel) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni | Isa::Avx2 => unsafe { avx2::run(kernel) },
        #[cfg(target_arch = "aarch64")]
        Isa::Neon | Isa::NeonDot => neon::run(kernel),
        _ => kernel.run::<Lanes>(),
    }
}
