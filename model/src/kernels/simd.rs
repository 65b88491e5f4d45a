//! Sixteen f32 lanes, the same arithmetic on every instruction set, and the dispatch of a kernel written once over them.
#![allow(unsafe_code)]
// Registers are arrays walked by index: closures would not inherit the vector features.
#![allow(clippy::needless_range_loop)]

use super::isa::Isa;

/// Lanes of one vector.
pub(crate) const LANES: usize = 16;
/// Most rows of [`Simd::pair_products`].
pub(crate) const PAIR_ROWS: usize = 6;
/// Columns of [`Simd::pair_products`].
const PAIR_COLUMNS: usize = 64;

/// That the slices hold what [`Simd::pair_products`] reads and writes.
#[inline(always)]
fn check_pairs(
    rows: usize,
    a: &[i16],
    a_stride: usize,
    b: &[i16],
    b_stride: usize,
    steps: usize,
    out: &[i32],
) {
    assert!((1..=PAIR_ROWS).contains(&rows) && steps > 0);
    assert!(a.len() >= (rows - 1) * a_stride + 2 * steps);
    assert!(b.len() >= (steps - 1) * b_stride + 2 * PAIR_COLUMNS);
    assert!(out.len() >= rows * PAIR_COLUMNS);
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
    /// Rounds to the nearest, ties to even, into the first 16 of `to`. Lanes are within -32767..=32767.
    fn round_to_i16(self, to: &mut [i16]);
    /// Integer products of `rows` (at most [`PAIR_ROWS`]) rows of `a` with 64 columns of `b`, `out[row][64]`.
    ///
    /// Two numbers along the sum lie together: `a` is `[row][2 steps]` with rows `a_stride` apart, `b` is
    /// `[step][64][2]` with steps `b_stride` apart. No sum may leave the 32 bits.
    fn pair_products(
        rows: usize,
        a: &[i16],
        a_stride: usize,
        b: &[i16],
        b_stride: usize,
        steps: usize,
        out: &mut [i32],
    );
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
        Isa::Avx512Vnni => unsafe { x86::with_avx512(kernel) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::AvxVnni | Isa::Avx2 => unsafe { x86::with_avx2(kernel) },
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

    #[inline(always)]
    fn fold(self, op: impl Fn(f32, f32) -> f32) -> f32 {
        let mut lanes = self.0;
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                lanes[i] = op(lanes[i + half], lanes[i]);
            }
        }
        lanes[0]
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
    fn reduce_sum(self) -> f32 {
        self.fold(|a, b| a + b)
    }
    #[inline(always)]
    fn reduce_max(self) -> f32 {
        self.fold(|a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn first(self, count: usize, rest: Self) -> Self {
        Lanes(std::array::from_fn(|i| if i < count { self.0[i] } else { rest.0[i] }))
    }
    #[inline(always)]
    fn load_i32(from: &[i32]) -> Self {
        Lanes(std::array::from_fn(|i| from[i] as f32))
    }
    #[inline(always)]
    fn round_to_i16(self, to: &mut [i16]) {
        to[..LANES].iter_mut().zip(self.round().0).for_each(|(to, value)| *to = value as i16);
    }
    #[inline(always)]
    fn pair_products(
        rows: usize,
        a: &[i16],
        a_stride: usize,
        b: &[i16],
        b_stride: usize,
        steps: usize,
        out: &mut [i32],
    ) {
        check_pairs(rows, a, a_stride, b, b_stride, steps, out);
        for (row, out) in out.chunks_exact_mut(PAIR_COLUMNS).take(rows).enumerate() {
            out.fill(0);
            for step in 0..steps {
                let a = &a[row * a_stride + step * 2..][..2];
                for (out, b) in out.iter_mut().zip(b[step * b_stride..].chunks_exact(2)) {
                    *out += i32::from(a[0]) * i32::from(b[0]) + i32::from(a[1]) * i32::from(b[1]);
                }
            }
        }
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
    use super::{Kernel, LANES, PAIR_COLUMNS, PAIR_ROWS, Simd, check_pairs};
    use std::arch::asm;
    use std::arch::x86_64::*;

    /// # Safety
    /// The processor has AVX-512 F, BW, VL, DQ and VNNI.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
    pub(super) unsafe fn with_avx512<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<V512>()
    }

    /// # Safety
    /// The processor has AVX2, FMA and F16C.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) unsafe fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
        kernel.run::<V256>()
    }

    /// # Safety
    /// As [`with_avx512`]; pointers as `check_pairs` has it, for `R` rows.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")]
    #[inline]
    unsafe fn pairs512<const R: usize>(
        a: *const i16,
        a_stride: usize,
        b: *const i16,
        b_stride: usize,
        steps: usize,
        out: *mut i32,
    ) {
        const VECTORS: usize = PAIR_COLUMNS / LANES;
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [[_mm512_setzero_si512(); VECTORS]; R];
            for step in 0..steps {
                let mut w = [_mm512_setzero_si512(); VECTORS];
                for c in 0..VECTORS {
                    w[c] = _mm512_loadu_si512(b.add(step * b_stride + c * 32).cast());
                }
                for r in 0..R {
                    let pair = a.add(r * a_stride + step * 2).cast::<i32>().read_unaligned();
                    let pair = _mm512_set1_epi32(pair);
                    for c in 0..VECTORS {
                        // LLVM would make two instructions of the intrinsic, which here are slower.
                        asm!("vpdpwssd {0}, {1}, {2}", inout(zmm_reg) sums[r][c], in(zmm_reg) w[c],
                            in(zmm_reg) pair, options(pure, nomem, nostack, preserves_flags));
                    }
                }
            }
            for r in 0..R {
                for c in 0..VECTORS {
                    _mm512_storeu_si512(out.add(r * PAIR_COLUMNS + c * LANES).cast(), sums[r][c]);
                }
            }
        }
    }

    /// One row of [`Simd::pair_products`].
    ///
    /// # Safety
    /// As [`with_avx2`]; pointers as `check_pairs` has it, for one row.
    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    unsafe fn pairs256(a: *const i16, b: *const i16, b_stride: usize, steps: usize, out: *mut i32) {
        const VECTORS: usize = PAIR_COLUMNS / 8;
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [_mm256_setzero_si256(); VECTORS];
            for step in 0..steps {
                let pair = _mm256_set1_epi32(a.add(step * 2).cast::<i32>().read_unaligned());
                for c in 0..VECTORS {
                    let w = _mm256_loadu_si256(b.add(step * b_stride + c * 16).cast());
                    sums[c] = _mm256_add_epi32(sums[c], _mm256_madd_epi16(w, pair));
                }
            }
            for c in 0..VECTORS {
                _mm256_storeu_si256(out.add(c * 8).cast(), sums[c]);
            }
        }
    }

    #[derive(Clone, Copy)]
    pub(crate) struct V512(__m512);

    #[derive(Clone, Copy)]
    pub(crate) struct V256(__m256, __m256);

    impl V512 {
        #[inline(always)]
        fn halves(self) -> (__m256, __m256) {
            unsafe { (_mm512_castps512_ps256(self.0), _mm512_extractf32x8_ps::<1>(self.0)) }
        }
    }

    /// The rest of [`Simd::reduce_sum`].
    ///
    /// # Safety
    /// The processor has AVX.
    #[inline(always)]
    unsafe fn sum_of_eight(v: __m256) -> f32 {
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
    unsafe fn largest_of_eight(v: __m256) -> f32 {
        unsafe {
            let v = _mm_max_ps(_mm256_extractf128_ps::<1>(v), _mm256_castps256_ps128(v));
            let v = _mm_max_ps(_mm_movehl_ps(v, v), v);
            _mm_cvtss_f32(_mm_max_ss(_mm_shuffle_ps::<1>(v, v), v))
        }
    }

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
        fn round_to_i16(self, to: &mut [i16]) {
            assert!(to.len() >= LANES);
            unsafe {
                let n = _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(self.0));
                _mm256_storeu_si256(to.as_mut_ptr().cast(), n);
            }
        }
        #[inline(always)]
        fn pair_products(
            rows: usize,
            a: &[i16],
            a_stride: usize,
            b: &[i16],
            b_stride: usize,
            steps: usize,
            out: &mut [i32],
        ) {
            check_pairs(rows, a, a_stride, b, b_stride, steps, out);
            let (a, b, out) = (a.as_ptr(), b.as_ptr(), out.as_mut_ptr());
            unsafe {
                match rows {
                    1 => pairs512::<1>(a, a_stride, b, b_stride, steps, out),
                    2 => pairs512::<2>(a, a_stride, b, b_stride, steps, out),
                    3 => pairs512::<3>(a, a_stride, b, b_stride, steps, out),
                    4 => pairs512::<4>(a, a_stride, b, b_stride, steps, out),
                    5 => pairs512::<5>(a, a_stride, b, b_stride, steps, out),
                    _ => pairs512::<PAIR_ROWS>(a, a_stride, b, b_stride, steps, out),
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
        fn pair_products(
            rows: usize,
            a: &[i16],
            a_stride: usize,
            b: &[i16],
            b_stride: usize,
            steps: usize,
            out: &mut [i32],
        ) {
            check_pairs(rows, a, a_stride, b, b_stride, steps, out);
            for row in 0..rows {
                unsafe {
                    let a = a.as_ptr().add(row * a_stride);
                    pairs256(a, b.as_ptr(), b_stride, steps, out.as_mut_ptr().add(row * PAIR_COLUMNS));
                }
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
}
