//! Sixteen f32 lanes, the same arithmetic on every instruction set, and the dispatch of a kernel written once over them.
#![allow(unsafe_code)]

use super::isa::Isa;

/// Lanes of one vector.
pub(crate) const LANES: usize = 16;

/// Sixteen f32 lanes. Every operation rounds as IEEE 754 says, so that all implementations agree bit for bit.
pub(crate) trait Simd: Copy {
    fn splat(value: f32) -> Self;
    /// # Safety
    /// `from` must be readable for 16 values.
    unsafe fn load_ptr(from: *const f32) -> Self;
    /// # Safety
    /// `to` must be writable for 16 values.
    unsafe fn store_ptr(self, to: *mut f32);
    /// # Safety
    /// `from` must be readable for 16 f16 values.
    unsafe fn load_f16_ptr(from: *const u16) -> Self;
    /// # Safety
    /// `to` must be writable for 16 f16 values.
    unsafe fn store_f16_ptr(self, to: *mut u16);
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

    /// The sum of all lanes, halves added to halves.
    #[inline(always)]
    fn reduce_sum(self) -> f32 {
        let mut lanes = self.to_array();
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                lanes[i] += lanes[i + half];
            }
        }
        lanes[0]
    }

    #[inline(always)]
    fn reduce_max(self) -> f32 {
        let mut lanes = self.to_array();
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                lanes[i] = if lanes[i + half] > lanes[i] { lanes[i + half] } else { lanes[i] };
            }
        }
        lanes[0]
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
        Isa::Avx512Vnni => unsafe { x86::with_avx512(kernel) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { x86::with_avx2(kernel) },
        _ => kernel.run::<Lanes>(),
    }
}

/// The portable implementation.
#[derive(Clone, Copy)]
pub(crate) struct Lanes([f32; LANES]);

impl Lanes {
    #[inline(always)]
    fn zip(self, other: Self, op: impl Fn(f32, f32) -> f32) -> Self {
        Lanes(std::array::from_fn(|i| op(self.0[i], other.0[i])))
    }
}

impl Simd for Lanes {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        Lanes([value; LANES])
    }
    #[inline(always)]
    unsafe fn load_ptr(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Lanes(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store_ptr(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn load_f16_ptr(from: *const u16) -> Self {
        // SAFETY: the caller's promise.
        let bits = unsafe { from.cast::<[u16; LANES]>().read_unaligned() };
        Lanes(bits.map(|bits| half::f16::from_bits(bits).to_f32()))
    }
    #[inline(always)]
    unsafe fn store_f16_ptr(self, to: *mut u16) {
        let bits = self.0.map(|value| half::f16::from_f32(value).to_bits());
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[u16; LANES]>().write_unaligned(bits) }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn mul_add(self, by: Self, plus: Self) -> Self {
        Lanes(std::array::from_fn(|i| self.0[i].mul_add(by.0[i], plus.0[i])))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Lanes(self.0.map(f32::abs))
    }
    #[inline(always)]
    fn round(self) -> Self {
        Lanes(self.0.map(f32::round_ties_even))
    }
    #[inline(always)]
    fn exp2_of_integer(self) -> Self {
        Lanes(self.0.map(|n| f32::from_bits(((n as i32 + 127) as u32) << 23)))
    }
    #[inline(always)]
    fn round_to_i8(self, to: &mut [i8]) -> i32 {
        let mut sum = 0;
        for (to, value) in to.iter_mut().zip(self.round().0) {
            *to = value as i8;
            sum += i32::from(*to);
        }
        sum
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Kernel, LANES, Simd};
    use std::arch::x86_64::*;

    /// # Safety
    /// The processor has AVX-512 F, BW, VL and DQ.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")]
    pub(super) unsafe fn with_avx512<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<V512>()
    }

    /// # Safety
    /// The processor has AVX2, FMA and F16C.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) unsafe fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<V256>()
    }

    #[derive(Clone, Copy)]
    pub(crate) struct V512(__m512);

    #[derive(Clone, Copy)]
    pub(crate) struct V256(__m256, __m256);

    // SAFETY of every block in the two implementations: a V512 or V256 is only made inside `with_avx512` or `with_avx2`,
    // whose callers checked the processor; pointers are the caller's promise.
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
        unsafe fn load_f16_ptr(from: *const u16) -> Self {
            V512(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) })
        }
        #[inline(always)]
        unsafe fn store_f16_ptr(self, to: *mut u16) {
            unsafe { _mm256_storeu_si256(to.cast(), _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self.0)) }
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
        fn round_to_i8(self, to: &mut [i8]) -> i32 {
            assert!(to.len() >= LANES);
            unsafe {
                let n = _mm512_cvtps_epi32(self.0);
                _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(n));
                _mm512_reduce_add_epi32(n)
            }
        }
    }

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
        unsafe fn load_f16_ptr(from: *const u16) -> Self {
            unsafe {
                V256(
                    _mm256_cvtph_ps(_mm_loadu_si128(from.cast())),
                    _mm256_cvtph_ps(_mm_loadu_si128(from.add(8).cast())),
                )
            }
        }
        #[inline(always)]
        unsafe fn store_f16_ptr(self, to: *mut u16) {
            unsafe {
                _mm_storeu_si128(to.cast(), _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self.0));
                _mm_storeu_si128(to.add(8).cast(), _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self.1));
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
        fn round_to_i8(self, to: &mut [i8]) -> i32 {
            let mut sum = 0;
            for (to, value) in to.iter_mut().zip(self.round().to_array()) {
                *to = value as i8;
                sum += i32::from(*to);
            }
            sum
        }
    }
}
