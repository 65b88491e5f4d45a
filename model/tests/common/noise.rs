//! Weights that mean nothing.

/// Numbers in `-size..size` that depend on `seed` alone.
pub(crate) fn noise(len: usize, size: f32, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| size * next()).collect()
}
