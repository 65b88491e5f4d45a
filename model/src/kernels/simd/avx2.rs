//! Sixteen lanes in two registers of AVX2.
#![allow(unsafe_code)]
// Registers are arrays walked by index: closures would not inherit the vector features.
#![allow(clippy::needless_range_loop)]

use super::{Kernel, LANES, PAIR_COLUMNS, Pairs, Simd};
use std::arch::x86_64::*;

/// Runs a kernel with these vectors.
///
/// # Safety
/// The processor has AVX2, FMA and F16C.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<V256>()
}

#[derive(Clone, Copy)]
struct V256(__m256, __m256);

/// The rest of [`Simd::reduce_sum`].
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
pub(super) unsafe fn sum_of_eight(v: __m256) -> f32 {
    unsafe {
        let v = _mm_add_ps(_mm256_extractf128_ps::<1>(v), _mm256_castps256_ps128(v));
        let v = _mm_add_ps(_mm_movehl_ps(v, v), v);
        _mm_cvtss_f32(_mm_add_ss(_mm_shuffle_ps::<1>(v, v), v))
    }
}

/// The rest of [`Simd::reduce_max`].
///
/// # Safety
/// The processor has AVX.
#[inline(always)]
pub(super) unsafe fn largest_of_eight(v: __m256) -> f32 {
    unsafe {
        let v = _mm_max_ps(_mm256_extractf128_ps::<1>(v), _mm256_castps256_ps128(v));
        let v = _mm_max_ps(_mm_movehl_ps(v, v), v);
        _mm_cvtss_f32(_mm_max_ss(_mm_shuffle_ps::<1>(v, v), v))
    }
}

// SAFETY of every block in the implementation: a V256 is only made inside `run`, whose callers checked the processor;
// pointers are the caller's promise.
impl V256 {
    #[inline(always)]
    fn both(self, other: Self, op: impl Fn(__m256, __m256) -> __m256) -> Self {
        V256(op(self.0, other.0), op(self.1, other.1))
    }
}

impl Simd for V256 {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        let v = unsafe { _mm256_set1_ps(value) };
        V256(v, v)
    }
    #[inline(always)]
    unsafe fn load_ptr(from: *const f32) -> Self {
        unsafe { V256(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }
    #[inline(always)]
    unsafe fn store_ptr(self, to: *mut f32) {
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.both(other, |a, b| unsafe { _mm256_add_ps(a, b) })
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.both(other, |a, b| unsafe { _mm256_sub_ps(a, b) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.both(other, |a, b| unsafe { _mm256_mul_ps(a, b) })
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.both(other, |a, b| unsafe { _mm256_div_ps(a, b) })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.both(other, |a, b| unsafe { _mm256_max_ps(a, b) })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.both(other, |a, b| unsafe { _mm256_min_ps(a, b) })
    }
    #[inline(always)]
    fn mul_add(self, by: Self, plus: Self) -> Self {
        unsafe { V256(_mm256_fmadd_ps(self.0, by.0, plus.0), _mm256_fmadd_ps(self.1, by.1, plus.1)) }
    }
    #[inline(always)]
    fn abs(self) -> Self {
        let sign = unsafe { _mm256_set1_ps(-0.0) };
        self.both(self, |a, _| unsafe { _mm256_andnot_ps(sign, a) })
    }
    #[inline(always)]
    fn round(self) -> Self {
        self.both(self, |a, _| unsafe {
            _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a)
        })
    }
    #[inline(always)]
    fn exp2_of_integer(self) -> Self {
        self.both(self, |a, _| unsafe {
            let n = _mm256_add_epi32(_mm256_cvtps_epi32(a), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(n))
        })
    }
    #[inline(always)]
    fn reduce_sum(self) -> f32 {
        unsafe { sum_of_eight(_mm256_add_ps(self.1, self.0)) }
    }
    #[inline(always)]
    fn reduce_max(self) -> f32 {
        unsafe { largest_of_eight(_mm256_max_ps(self.1, self.0)) }
    }
    #[inline(always)]
    fn first(self, count: usize, rest: Self) -> Self {
        unsafe {
            let count = _mm256_set1_ps(count as f32);
            let low = _mm256_setr_ps(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0);
            let pick = |at: __m256, own: __m256, rest: __m256| {
                _mm256_blendv_ps(rest, own, _mm256_cmp_ps::<_CMP_LT_OQ>(at, count))
            };
            let high = _mm256_add_ps(low, _mm256_set1_ps(8.0));
            V256(pick(low, self.0, rest.0), pick(high, self.1, rest.1))
        }
    }
    #[inline(always)]
    fn load_i32(from: &[i32]) -> Self {
        assert!(from.len() >= LANES);
        let load =
            |at: usize| unsafe { _mm256_cvtepi32_ps(_mm256_loadu_si256(from.as_ptr().add(at).cast())) };
        V256(load(0), load(8))
    }
    #[inline(always)]
    fn load_bf16(from: &[u16]) -> Self {
        assert!(from.len() >= LANES);
        let load = |at: usize| unsafe {
            let halves = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.as_ptr().add(at).cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(halves))
        };
        V256(load(0), load(8))
    }
    #[inline(always)]
    fn round_to_i16(self, to: &mut [i16]) {
        assert!(to.len() >= LANES);
        unsafe {
            let both = _mm256_packs_epi32(_mm256_cvtps_epi32(self.0), _mm256_cvtps_epi32(self.1));
            // Packing works within halves of 128 bits.
            let in_order = _mm256_permute4x64_epi64::<0b11_01_10_00>(both);
            _mm256_storeu_si256(to.as_mut_ptr().cast(), in_order);
        }
    }
    #[inline(always)]
    fn pair_products(pairs: &Pairs<'_>, out: &mut [i32]) {
        pairs.check(out);
        for (row, out) in out.chunks_exact_mut(PAIR_COLUMNS).take(pairs.rows).enumerate() {
            unsafe { row_of_pairs(pairs, row, out) };
        }
    }
    #[inline(always)]
    fn round_to_i8(self, to: &mut [i8]) -> i32 {
        assert!(to.len() >= LANES);
        unsafe {
            let (low, high) = (_mm256_cvtps_epi32(self.0), _mm256_cvtps_epi32(self.1));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
            let (first, second) = (_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm_packs_epi16(first, second));
            let sums = _mm256_add_epi32(low, high);
            let sums = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
            let sums = _mm_add_epi32(sums, _mm_shuffle_epi32::<0b11_10>(sums));
            _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_shuffle_epi32::<1>(sums)))
        }
    }
}

/// One row of [`Simd::pair_products`].
///
/// # Safety
/// As [`run`]; [`Pairs::check`] was passed, and `row` and `out` are one of its rows.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn row_of_pairs(pairs: &Pairs<'_>, row: usize, out: &mut [i32]) {
    const VECTORS: usize = PAIR_COLUMNS / 8;
    // SAFETY: the caller's promise.
    unsafe {
        let a = pairs.a.as_ptr().add(row * pairs.a_stride);
        let mut sums = [_mm256_setzero_si256(); VECTORS];
        for step in 0..pairs.steps {
            let pair = _mm256_set1_epi32(a.add(step * 2).cast::<i32>().read_unaligned());
            for c in 0..VECTORS {
                let w = _mm256_loadu_si256(pairs.b.as_ptr().add(step * pairs.b_stride + c * 16).cast());
                sums[c] = _mm256_add_epi32(sums[c], _mm256_madd_epi16(w, pair));
            }
        }
        for c in 0..VECTORS {
            _mm256_storeu_si256(out.as_mut_ptr().add(c * 8).cast(), sums[c]);
        }
    }
}
