//! Sixteen lanes in one register of AVX-512.
#![allow(unsafe_code)]
// Registers are arrays walked by index: closures would not inherit the vector features.
#![allow(clippy::needless_range_loop)]

use super::avx2::{largest_of_eight, sum_of_eight};
use super::{Kernel, LANES, PAIR_COLUMNS, PAIR_ROWS, Pairs, Simd};
use std::arch::asm;
use std::arch::x86_64::*;

/// Runs a kernel with these vectors.
///
/// # Safety
/// The processor has AVX-512 F, BW, VL, DQ and VNNI.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
pub(super) unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<V512>()
}

#[derive(Clone, Copy)]
struct V512(__m512);

impl V512 {
    #[inline(always)]
    fn halves(self) -> (__m256, __m256) {
        unsafe { (_mm512_castps512_ps256(self.0), _mm512_extractf32x8_ps::<1>(self.0)) }
    }
}

// SAFETY of every block in the implementation: a V512 is only made inside `run`, whose callers checked the processor;
// pointers are the caller's promise.
impl Simd for V512 {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        V512(unsafe { _mm512_set1_ps(value) })
    }
    #[inline(always)]
    unsafe fn load_ptr(from: *const f32) -> Self {
        V512(unsafe { _mm512_loadu_ps(from) })
    }
    #[inline(always)]
    unsafe fn store_ptr(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        V512(unsafe { _mm512_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        V512(unsafe { _mm512_sub_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        V512(unsafe { _mm512_mul_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        V512(unsafe { _mm512_div_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        V512(unsafe { _mm512_max_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        V512(unsafe { _mm512_min_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn mul_add(self, by: Self, plus: Self) -> Self {
        V512(unsafe { _mm512_fmadd_ps(self.0, by.0, plus.0) })
    }
    #[inline(always)]
    fn abs(self) -> Self {
        V512(unsafe { _mm512_abs_ps(self.0) })
    }
    #[inline(always)]
    fn round(self) -> Self {
        V512(unsafe { _mm512_roundscale_ps::<_MM_FROUND_TO_NEAREST_INT>(self.0) })
    }
    #[inline(always)]
    fn exp2_of_integer(self) -> Self {
        unsafe {
            let n = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
            V512(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(n)))
        }
    }
    #[inline(always)]
    fn reduce_sum(self) -> f32 {
        let (low, high) = self.halves();
        unsafe { sum_of_eight(_mm256_add_ps(high, low)) }
    }
    #[inline(always)]
    fn reduce_max(self) -> f32 {
        let (low, high) = self.halves();
        unsafe { largest_of_eight(_mm256_max_ps(high, low)) }
    }
    #[inline(always)]
    fn first(self, count: usize, rest: Self) -> Self {
        let mask = if count < LANES { (1u16 << count) - 1 } else { u16::MAX };
        V512(unsafe { _mm512_mask_mov_ps(rest.0, mask, self.0) })
    }
    #[inline(always)]
    fn load_i32(from: &[i32]) -> Self {
        assert!(from.len() >= LANES);
        V512(unsafe { _mm512_cvtepi32_ps(_mm512_loadu_si512(from.as_ptr().cast())) })
    }
    #[inline(always)]
    fn load_bf16(from: &[u16]) -> Self {
        assert!(from.len() >= LANES);
        // SAFETY: the length was just checked.
        let halves = unsafe { _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.as_ptr().cast())) };
        V512(unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<16>(halves)) })
    }
    #[inline(always)]
    fn round_to_i16(self, to: &mut [i16]) {
        assert!(to.len() >= LANES);
        unsafe {
            let n = _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(self.0));
            _mm256_storeu_si256(to.as_mut_ptr().cast(), n);
        }
    }
    #[inline(always)]
    fn pair_products(pairs: &Pairs<'_>, out: &mut [i32]) {
        pairs.check(out);
        unsafe {
            match pairs.rows {
                1 => rows_of_pairs::<1>(pairs, out),
                2 => rows_of_pairs::<2>(pairs, out),
                3 => rows_of_pairs::<3>(pairs, out),
                4 => rows_of_pairs::<4>(pairs, out),
                5 => rows_of_pairs::<5>(pairs, out),
                _ => rows_of_pairs::<PAIR_ROWS>(pairs, out),
            }
        }
    }
    #[inline(always)]
    fn round_to_i8(self, to: &mut [i8]) -> i32 {
        assert!(to.len() >= LANES);
        unsafe {
            let n = _mm512_cvtps_epi32(self.0);
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(n));
            _mm512_reduce_add_epi32(n)
        }
    }
}

/// # Safety
/// As [`run`]; [`Pairs::check`] was passed, for `R` rows.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
#[inline]
unsafe fn rows_of_pairs<const R: usize>(pairs: &Pairs<'_>, out: &mut [i32]) {
    const VECTORS: usize = PAIR_COLUMNS / LANES;
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[_mm512_setzero_si512(); VECTORS]; R];
        for step in 0..pairs.steps {
            let mut w = [_mm512_setzero_si512(); VECTORS];
            for c in 0..VECTORS {
                w[c] = _mm512_loadu_si512(pairs.b.as_ptr().add(step * pairs.b_stride + c * 32).cast());
            }
            for r in 0..R {
                let pair = pairs.a.as_ptr().add(r * pairs.a_stride + step * 2);
                let pair = _mm512_set1_epi32(pair.cast::<i32>().read_unaligned());
                for c in 0..VECTORS {
                    // LLVM would make two instructions of the intrinsic, which here are slower.
                    asm!("vpdpwssd {0}, {1}, {2}", inout(zmm_reg) sums[r][c], in(zmm_reg) w[c],
                        in(zmm_reg) pair, options(pure, nomem, nostack, preserves_flags));
                }
            }
        }
        for r in 0..R {
            for c in 0..VECTORS {
                let out = out.as_mut_ptr().add(r * PAIR_COLUMNS + c * LANES);
                _mm512_storeu_si512(out.cast(), sums[r][c]);
            }
        }
    }
}
