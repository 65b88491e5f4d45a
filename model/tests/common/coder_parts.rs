//! The shape of the 0.5B model's layers.

const HIDDEN: usize = 896;
const FEED_FORWARD: usize = 4864;
/// Parts of a layer with their outputs and inputs.
pub(crate) const PARTS: [(&str, usize, usize); 7] = [
    ("attn_q", HIDDEN, HIDDEN),
    ("attn_k", 128, HIDDEN),
    ("attn_v", 128, HIDDEN),
    ("attn_output", HIDDEN, HIDDEN),
    ("ffn_gate", FEED_FORWARD, HIDDEN),
    ("ffn_up", FEED_FORWARD, HIDDEN),
    ("ffn_down", HIDDEN, FEED_FORWARD),
];
