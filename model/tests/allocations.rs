//! A forward takes no memory of the heap once its buffers are there: what decoding does for each token must not wait for
//! an allocator.

use redraft_model::fetch::{self, Silent};
use redraft_model::kv_cache::KvFormat;
use redraft_model::transformer::Transformer;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

// It counts for the whole process, so this file has one test only.
#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_forward_allocates_nothing_once_warm() {
    if std::env::var_os("REDRAFT_SLOW_TESTS").is_none_or(|value| value != "1") {
        return;
    }
    let path = fetch::ensure("smollm2-135m", &mut Silent).unwrap();
    let mut model = Transformer::load(&path, 2).unwrap();
    let mut cache = model.new_cache(KvFormat::default(), 512).unwrap();
    let tokens: Vec<u32> = (100..164).collect();
    let mut run = |tokens: &[u32]| {
        let region = Region::new(COUNTED);
        model.forward(&mut cache, tokens).unwrap();
        assert_eq!(model.argmax(0).unwrap().len(), tokens.len());
        region.change().allocations
    };
    // Cosines and sines of the positions ahead, each thread's buffers.
    assert!((0..2).map(|_| run(&tokens)).sum::<usize>() > 0, "the allocator is not counted");
    let lengths = [64, 1, 1, 1, 9, 1];
    assert_eq!(lengths.map(|len| run(&tokens[..len])), [0; 6]);
}
