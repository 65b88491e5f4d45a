//! Sixteen lanes in plain Rust: the definition that the others are tested against.
#![allow(unsafe_code)]

use super::{LANES, PAIR_COLUMNS, Pairs, Simd};

/// The portable implementation.
#[derive(Clone, Copy)]
pub(super) struct Lanes([f32; LANES]);

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
    fn load_bf16(from: &[u16]) -> Self {
        Lanes(std::array::from_fn(|i| f32::from_bits(u32::from(from[i]) << 16)))
    }
    #[inline(always)]
    fn round_to_i16(self, to: &mut [i16]) {
        to[..LANES].iter_mut().zip(self.round().0).for_each(|(to, value)| *to = value as i16);
    }
    #[inline(always)]
    fn pair_products(pairs: &Pairs<'_>, out: &mut [i32]) {
        pairs.check(out);
        let &Pairs { rows, a, a_stride, b, b_stride, steps } = pairs;
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
