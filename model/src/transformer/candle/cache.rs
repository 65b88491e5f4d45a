//! The keys and values of one layer as tensors, growing in steps.

use candle_core::{Result, Tensor};

/// Positions by which there is more room at least.
const STEP: usize = 256;

/// Keys and values of one layer.
pub(crate) struct LayerTensors {
    /// Keys and values, each `[kv_heads, room, d]`; nothing before the first were written.
    held: Option<(Tensor, Tensor)>,
    /// Most positions.
    capacity: usize,
}

impl LayerTensors {
    /// Empty, for at most `capacity` positions.
    pub(super) fn new(capacity: usize) -> LayerTensors {
        LayerTensors { held: None, capacity }
    }

    /// Writes keys and values, each `[kv_heads, m, d]`, from position `start` on; gives views of all up to the last.
    pub(super) fn write(&mut self, start: usize, k: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor)> {
        let end = start + k.dim(1)?;
        let room = self.held.as_ref().map_or(0, |(k, _)| k.dims()[1]);
        if room < end {
            let room = end.max(2 * room).next_multiple_of(STEP).min(self.capacity.max(end));
            let old = self.held.take();
            let old = old.as_ref();
            self.held = Some((
                larger(old.map(|(k, _)| k), start, room, k)?,
                larger(old.map(|(_, v)| v), start, room, v)?,
            ));
        }
        let Some((all_k, all_v)) = &self.held else { candle_core::bail!("there is no room for keys") };
        all_k.slice_set(k, 1, start)?;
        all_v.slice_set(v, 1, start)?;
        Ok((all_k.narrow(1, 0, end)?, all_v.narrow(1, 0, end)?))
    }
}

/// Room for so many positions of vectors as `like` has, with the first `kept` of `old` in it.
fn larger(old: Option<&Tensor>, kept: usize, room: usize, like: &Tensor) -> Result<Tensor> {
    let (heads, _, d) = like.dims3()?;
    let new = Tensor::zeros((heads, room, d), like.dtype(), like.device())?;
    if let Some(old) = old.filter(|_| kept > 0) {
        new.slice_set(&old.narrow(1, 0, kept)?.contiguous()?, 1, 0)?;
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn what_was_written_stays_while_the_room_grows_and_is_written_over_after_a_cut() {
        let (heads, d) = (2, 4);
        let values = |from: usize, m: usize| {
            let value = |at: usize| (from + at / d % m + at / (m * d) * 10_000) as f32;
            Tensor::from_vec((0..heads * m * d).map(value).collect(), (heads, m, d), &Device::Cpu).unwrap()
        };
        let mut layer = LayerTensors::new(1000);
        let mut expect = |start: usize, m: usize, first: usize| {
            let k = values(first, m);
            let (all_k, all_v) = layer.write(start, &k, &(&k + 0.5).unwrap()).unwrap();
            assert_eq!(all_k.dims(), [heads, start + m, d]);
            let column = |all: &Tensor, head: usize| {
                let all = all.get(head).unwrap().narrow(1, 0, 1).unwrap();
                all.flatten_all().unwrap().to_vec1::<f32>().unwrap()
            };
            (column(&all_k, 1), column(&all_v, 0))
        };
        expect(0, 3, 0);
        expect(3, 1, 3);
        expect(4, 500, 4);
        let (k, v) = expect(504, 496, 504);
        assert!(k.iter().enumerate().all(|(at, k)| *k == (10_000 + at) as f32), "{k:?}");
        assert!(v.iter().enumerate().all(|(at, v)| *v == at as f32 + 0.5), "{v:?}");
        // Cut to two positions.
        let (k, _) = expect(2, 2, 90);
        assert_eq!(k, [10_000.0, 10_001.0, 10_090.0, 10_091.0]);
    }
}
