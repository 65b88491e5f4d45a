//! Activations as signed bytes: one f32 scale for each group of values of a row, and the sums that zero points and
//! minima need.

use super::blocks::BLOCK;
use super::packed::{CHUNK, PANEL};
use super::simd::{Simd, dispatch};
use super::{isa::Isa, pool::Pool};

/// Quantized rows of one input. All three parts lie in chunks of [`CHUNK`] values along `k`, row after row within each:
/// what a kernel reads beside one chunk of weights lies together.
#[derive(Default)]
pub struct Activations {
    /// Rows in use.
    pub m: usize,
    /// Values of a row.
    pub k: usize,
    /// Values that share a scale.
    pub group: usize,
    /// Signed bytes.
    pub q: Vec<i8>,
    /// Scales, one for each group.
    pub scales: Vec<f32>,
    /// Sums of 16 neighbouring bytes.
    pub sums: Vec<i32>,
    /// The rows' products with adapters (see [`super::low_rank`]), `[m][low_width]`.
    pub low: Vec<f32>,
    /// Products of a row; 0 if adapters do not count.
    pub low_width: usize,
}

/// Values that share an activation scale in rows of `k`: 64 if that divides `k`, otherwise 32. With 128 the error is above
/// llama.cpp's (mean KL from f32 0.0011, with 64 0.0007, with 32 0.0004; theirs 0.0007), and nothing is faster.
pub fn group_of(k: usize) -> usize {
    if k.is_multiple_of(PANEL) { PANEL } else { BLOCK }
}

impl Activations {
    /// Sets the shape; the contents are undefined until every row was written. Keeps its allocation.
    pub fn reshape(&mut self, m: usize, k: usize) {
        (self.m, self.k, self.group, self.low_width) = (m, k, group_of(k), 0);
        let grow = |len: usize, have: usize| len.max(have);
        self.q.resize(grow(m * k, self.q.len()), 0);
        self.scales.resize(grow(m * k / self.group, self.scales.len()), 0.0);
        self.sums.resize(grow(m * k / 16, self.sums.len()), 0);
    }

    /// Where the values of `row` from `start` (a multiple of [`CHUNK`]) on lie in `q`; they go on for the chunk. The
    /// groups' scales and the sums begin at this place over `group` and over 16.
    pub fn place(&self, row: usize, start: usize) -> usize {
        start * self.m + row * CHUNK.min(self.k - start)
    }

    /// Fills every row: `produce(row, values)` writes the f32 values of a row, which are then quantized.
    pub fn fill(&mut self, isa: Isa, pool: &Pool, produce: &(dyn Fn(usize, &mut [f32]) + Sync)) {
        let (m, k, writer) = (self.m, self.k, self.writer());
        let task = |row: usize, _: usize| {
            ROW.with_borrow_mut(|values| {
                values.resize(k, 0.0);
                produce(row, values);
                // SAFETY: each task has its own row, and nothing else touches them meanwhile.
                #[allow(unsafe_code)]
                unsafe {
                    writer.write(isa, row, 0, values);
                }
            });
        };
        if m < 4 {
            (0..m).for_each(|row| task(row, 0));
        } else {
            pool.for_each(m, &task);
        }
    }

    /// A handle through which threads write different groups at once.
    pub(super) fn writer(&mut self) -> Writer {
        Writer {
            m: self.m,
            k: self.k,
            group: self.group,
            q: self.q.as_mut_ptr() as usize,
            scales: self.scales.as_mut_ptr() as usize,
            sums: self.sums.as_mut_ptr() as usize,
        }
    }
}

thread_local! {
    static ROW: std::cell::RefCell<Vec<f32>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// See [`Activations::writer`].
#[derive(Clone, Copy)]
pub(super) struct Writer {
    m: usize,
    k: usize,
    group: usize,
    q: usize,
    scales: usize,
    sums: usize,
}

impl Writer {
    /// Quantizes whole groups of a row, those from value `start` on.
    ///
    /// # Safety
    /// The activations live and are not reshaped, and no other thread reads or writes these groups meanwhile.
    #[allow(unsafe_code)]
    pub(super) unsafe fn write(&self, isa: Isa, row: usize, start: usize, values: &[f32]) {
        let Writer { m, k, group, .. } = *self;
        assert!(row < m && start + values.len() <= k);
        assert!(start.is_multiple_of(group) && values.len().is_multiple_of(group));
        for (i, values) in values.chunks_exact(group).enumerate() {
            let value = start + i * group;
            let chunk = value / CHUNK * CHUNK;
            let at = chunk * m + row * CHUNK.min(k - chunk) + value - chunk;
            // SAFETY: `reshape` made room for `m` rows of `k`; the rest is the caller's promise.
            let (q, scale, sums) = unsafe {
                (
                    std::slice::from_raw_parts_mut((self.q as *mut i8).add(at), group),
                    &mut *(self.scales as *mut f32).add(at / group),
                    std::slice::from_raw_parts_mut((self.sums as *mut i32).add(at / 16), group / 16),
                )
            };
            dispatch(isa, QuantizeGroup { values, q, scale, sums });
        }
    }
}

struct QuantizeGroup<'a> {
    values: &'a [f32],
    q: &'a mut [i8],
    scale: &'a mut f32,
    sums: &'a mut [i32],
}

impl super::simd::Kernel for QuantizeGroup<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let mut largest = S::splat(0.0);
        for chunk in self.values.chunks_exact(16) {
            largest = largest.max(S::load(chunk).abs());
        }
        let largest = largest.reduce_max();
        *self.scale = largest / 127.0;
        let inverse = S::splat(if largest > 0.0 { 127.0 / largest } else { 0.0 });
        for ((chunk, q), sum) in self.values.chunks_exact(16).zip(self.q.chunks_exact_mut(16)).zip(self.sums)
        {
            *sum = S::load(chunk).mul(inverse).round_to_i8(q);
        }
    }
}
