//! Sixteen lanes in four registers of NEON.
#![allow(unsafe_code)]

use super::{Kernel, LANES, PAIR_COLUMNS, PAIR_ROWS, Pairs, Simd};
use std::arch::aarch64::*;

/// Runs a kernel with these vectors, which every aarch64 has.
pub(super) fn run<K: Kernel>(kernel: K) -> K::Output {
    kernel.run::<V128>()
}

// SAFETY of every block without a reason of its own: the intrinsics need NEON, which is part of aarch64.

#[derive(Clone, Copy)]
struct V128([float32x4_t; 4]);

impl V128 {
    #[inline(always)]
    fn each(self, op: impl Fn(float32x4_t) -> float32x4_t) -> Self {
        V128(self.0.map(op))
    }

    #[inline(always)]
    fn both(self, other: Self, op: impl Fn(float32x4_t, float32x4_t) -> float32x4_t) -> Self {
        V128(std::array::from_fn(|i| op(self.0[i], other.0[i])))
    }

    /// Lane after lane: the upper half with the lower until one is left.
    #[inline(always)]
    fn fold(self, op: impl Fn(float32x4_t, float32x4_t) -> float32x4_t) -> f32 {
        let [a, b, c, d] = self.0;
        let v = op(op(d, b), op(c, a));
        unsafe {
            let v = op(vextq_f32::<2>(v, v), v);
            vgetq_lane_f32::<0>(op(vextq_f32::<1>(v, v), v))
        }
    }

    /// Rounded to the nearest, ties to even.
    #[inline(always)]
    fn to_i32(self) -> [int32x4_t; 4] {
        self.0.map(|v| unsafe { vcvtnq_s32_f32(v) })
    }
}

/// The larger of each two; the second of two that have no order, as `maxps` has it.
#[inline(always)]
fn larger(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) }
}

impl Simd for V128 {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        V128([unsafe { vdupq_n_f32(value) }; 4])
    }
    #[inline(always)]
    unsafe fn load_ptr(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        V128(std::array::from_fn(|i| unsafe { vld1q_f32(from.add(i * 4)) }))
    }
    #[inline(always)]
    unsafe fn store_ptr(self, to: *mut f32) {
        for (i, v) in self.0.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { vst1q_f32(to.add(i * 4), v) }
        }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.both(other, |a, b| unsafe { vaddq_f32(a, b) })
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.both(other, |a, b| unsafe { vsubq_f32(a, b) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.both(other, |a, b| unsafe { vmulq_f32(a, b) })
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.both(other, |a, b| unsafe { vdivq_f32(a, b) })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.both(other, larger)
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.both(other, |a, b| unsafe { vbslq_f32(vcltq_f32(a, b), a, b) })
    }
    #[inline(always)]
    fn mul_add(self, by: Self, plus: Self) -> Self {
        V128(std::array::from_fn(|i| unsafe { vfmaq_f32(plus.0[i], self.0[i], by.0[i]) }))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        self.each(|v| unsafe { vabsq_f32(v) })
    }
    #[inline(always)]
    fn round(self) -> Self {
        self.each(|v| unsafe { vrndnq_f32(v) })
    }
    #[inline(always)]
    fn exp2_of_integer(self) -> Self {
        self.each(|v| unsafe {
            let n = vaddq_s32(vcvtq_s32_f32(v), vdupq_n_s32(127));
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(n))
        })
    }
    #[inline(always)]
    fn reduce_sum(self) -> f32 {
        self.fold(|a, b| unsafe { vaddq_f32(a, b) })
    }
    #[inline(always)]
    fn reduce_max(self) -> f32 {
        self.fold(larger)
    }
    #[inline(always)]
    fn first(self, count: usize, rest: Self) -> Self {
        // SAFETY: four values are read.
        let (count, lane) = unsafe { (vdupq_n_u32(count as u32), vld1q_u32([0, 1, 2, 3].as_ptr())) };
        V128(std::array::from_fn(|i| unsafe {
            let at = vaddq_u32(lane, vdupq_n_u32(i as u32 * 4));
            vbslq_f32(vcltq_u32(at, count), self.0[i], rest.0[i])
        }))
    }
    #[inline(always)]
    fn load_i32(from: &[i32]) -> Self {
        assert!(from.len() >= LANES);
        // SAFETY: the length was just checked.
        V128(std::array::from_fn(|i| unsafe { vcvtq_f32_s32(vld1q_s32(from.as_ptr().add(i * 4))) }))
    }
    #[inline(always)]
    fn load_bf16(from: &[u16]) -> Self {
        assert!(from.len() >= LANES);
        // SAFETY: the length was just checked.
        let load = |at: usize| unsafe {
            vreinterpretq_f32_u32(vshlq_n_u32::<16>(vmovl_u16(vld1_u16(from.as_ptr().add(at)))))
        };
        V128([load(0), load(4), load(8), load(12)])
    }
    #[inline(always)]
    fn round_to_i16(self, to: &mut [i16]) {
        assert!(to.len() >= LANES);
        let [a, b, c, d] = self.to_i32();
        // SAFETY: the length was just checked.
        unsafe {
            vst1q_s16(to.as_mut_ptr(), vqmovn_high_s32(vqmovn_s32(a), b));
            vst1q_s16(to.as_mut_ptr().add(8), vqmovn_high_s32(vqmovn_s32(c), d));
        }
    }
    #[inline(always)]
    fn pair_products(pairs: &Pairs<'_>, out: &mut [i32]) {
        pairs.check(out);
        // SAFETY: what is read and written was just checked.
        unsafe {
            match pairs.rows {
                1 => pair_rows::<1>(pairs, out),
                2 => pair_rows::<2>(pairs, out),
                3 => pair_rows::<3>(pairs, out),
                4 => pair_rows::<4>(pairs, out),
                5 => pair_rows::<5>(pairs, out),
                _ => pair_rows::<PAIR_ROWS>(pairs, out),
            }
        }
    }
    #[inline(always)]
    fn round_to_i8(self, to: &mut [i8]) -> i32 {
        assert!(to.len() >= LANES);
        let [a, b, c, d] = self.to_i32();
        // SAFETY: the length was just checked.
        unsafe {
            let low = vqmovn_high_s32(vqmovn_s32(a), b);
            let high = vqmovn_high_s32(vqmovn_s32(c), d);
            vst1q_s8(to.as_mut_ptr(), vqmovn_high_s16(vqmovn_s16(low), high));
            vaddvq_s32(vaddq_s32(vaddq_s32(a, b), vaddq_s32(c, d)))
        }
    }
}

/// [`Simd::pair_products`] of `R` rows, 8 columns at a time.
///
/// # Safety
/// [`Pairs::check`] was passed, and there are `R` rows.
#[inline(always)]
unsafe fn pair_rows<const R: usize>(pairs: &Pairs<'_>, out: &mut [i32]) {
    for column in (0..PAIR_COLUMNS).step_by(8) {
        let mut sums = [[unsafe { vdupq_n_s32(0) }; 2]; R];
        for step in 0..pairs.steps {
            // SAFETY: the caller's promise.
            unsafe {
                let b = pairs.b.as_ptr().add(step * pairs.b_stride + column * 2);
                let (low, high) = (vld1q_s16(b), vld1q_s16(b.add(8)));
                let (even, odd) = (vuzp1q_s16(low, high), vuzp2q_s16(low, high));
                for (r, sums) in sums.iter_mut().enumerate() {
                    let a = pairs.a.as_ptr().add(r * pairs.a_stride + step * 2);
                    let a = vreinterpret_s16_s32(vdup_n_s32(a.cast::<i32>().read_unaligned()));
                    sums[0] = vmlal_lane_s16::<0>(sums[0], vget_low_s16(even), a);
                    sums[1] = vmlal_high_lane_s16::<0>(sums[1], even, a);
                    sums[0] = vmlal_lane_s16::<1>(sums[0], vget_low_s16(odd), a);
                    sums[1] = vmlal_high_lane_s16::<1>(sums[1], odd, a);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                vst1q_s32(out.as_mut_ptr().add(r * PAIR_COLUMNS + column), sums[0]);
                vst1q_s32(out.as_mut_ptr().add(r * PAIR_COLUMNS + column + 4), sums[1]);
            }
        }
    }
}
