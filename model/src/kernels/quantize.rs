//! Activations as signed bytes: one f32 scale for each group of values of a row, and the sums that zero points and
//! minima need.

use super::blocks::BLOCK;
use super::simd::{Simd, dispatch};
use super::{isa::Isa, pool::Pool};

/// Rows are padded to a multiple of this, so that tile kernels may read whole tiles.
pub const ROW_TILE: usize = 16;

/// Quantized rows of one input: `q[m][k]`, `scales[m][k / group]`, `sums[m][k / 16]`.
#[derive(Default)]
pub struct Activations {
    /// Rows in use.
    pub m: usize,
    /// Values of a row.
    pub k: usize,
    /// Values that share a scale.
    pub group: usize,
    /// Signed bytes, `m` padded to [`ROW_TILE`].
    pub q: Vec<i8>,
    /// Scales.
    pub scales: Vec<f32>,
    /// Sums of 16 neighbouring bytes.
    pub sums: Vec<i32>,
}

/// Values that share an activation scale in rows of `k`: the largest of 128, 64 and 32 that divides `k`.
pub fn group_of(k: usize) -> usize {
    [128, 64].into_iter().find(|group| k.is_multiple_of(*group)).unwrap_or(BLOCK)
}

impl Activations {
    /// Sets the shape; the contents are undefined until [`Activations::fill`] has run. Keeps its allocation.
    pub fn reshape(&mut self, m: usize, k: usize) {
        (self.m, self.k, self.group) = (m, k, group_of(k));
        let padded = m.next_multiple_of(ROW_TILE);
        let grow = |len: usize, have: usize| len.max(have);
        self.q.resize(grow(padded * k, self.q.len()), 0);
        self.scales.resize(grow(padded * k / self.group, self.scales.len()), 0.0);
        self.sums.resize(grow(padded * k / 16, self.sums.len()), 0);
    }

    /// Fills every row: `produce(row, values)` writes the f32 values of a row, which are then quantized.
    pub fn fill(
        &mut self,
        isa: Isa,
        pool: &Pool,
        width: usize,
        produce: &(dyn Fn(usize, &mut [f32]) + Sync),
    ) {
        debug_assert_eq!(width, self.k);
        let (k, group) = (self.k, self.group);
        let rows = Rows {
            q: self.q.as_mut_ptr() as usize,
            scales: self.scales.as_mut_ptr() as usize,
            sums: self.sums.as_mut_ptr() as usize,
        };
        let task = |row: usize, _: usize| {
            ROW.with_borrow_mut(|values| {
                values.resize(k, 0.0);
                produce(row, values);
                // SAFETY: each task has its own row, and `reshape` made room for all rows.
                #[allow(unsafe_code)]
                let (q, scales, sums) = unsafe {
                    (
                        std::slice::from_raw_parts_mut((rows.q as *mut i8).add(row * k), k),
                        std::slice::from_raw_parts_mut(
                            (rows.scales as *mut f32).add(row * k / group),
                            k / group,
                        ),
                        std::slice::from_raw_parts_mut((rows.sums as *mut i32).add(row * k / 16), k / 16),
                    )
                };
                dispatch(isa, QuantizeRow { values, group, q, scales, sums });
            });
        };
        if self.m < 4 {
            (0..self.m).for_each(|row| task(row, 0));
        } else {
            pool.for_each(self.m, &task);
        }
    }
}

thread_local! {
    static ROW: std::cell::RefCell<Vec<f32>> = const { std::cell::RefCell::new(Vec::new()) };
}

#[derive(Clone, Copy)]
struct Rows {
    q: usize,
    scales: usize,
    sums: usize,
}

struct QuantizeRow<'a> {
    values: &'a [f32],
    group: usize,
    q: &'a mut [i8],
    scales: &'a mut [f32],
    sums: &'a mut [i32],
}

impl super::simd::Kernel for QuantizeRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let groups = self.values.chunks_exact(self.group).zip(self.q.chunks_exact_mut(self.group));
        let sums = self.sums.chunks_exact_mut(self.group / 16);
        for (((values, q), sums), scale) in groups.zip(sums).zip(self.scales) {
            let mut largest = S::splat(0.0);
            for chunk in values.chunks_exact(16) {
                largest = largest.max(S::load(chunk).abs());
            }
            let largest = largest.reduce_max();
            *scale = largest / 127.0;
            let inverse = S::splat(if largest > 0.0 { 127.0 / largest } else { 0.0 });
            for ((chunk, q), sum) in values.chunks_exact(16).zip(q.chunks_exact_mut(16)).zip(sums) {
                *sum = S::load(chunk).mul(inverse).round_to_i8(q);
            }
        }
    }
}
