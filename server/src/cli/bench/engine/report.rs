//! What was measured, as a table and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Speeds;
use crate::cli::{doctor, size_text};

/// What the columns of the comparison do not say by themselves.
const NOTE: &str = "\
llama.cpp's column is its prefill, which computes the logits of the last position only; Redraft's forward
verifies, so it computes the most likely token of every position.
";

/// The table for people.
pub(super) fn text(speeds: &Speeds) -> String {
    let mut text = format!(
        "{}: on {}, {} threads of {} processors, kernels {}\n\
         load to first token {:.2} s, peak memory {}, decoding {:.1} tokens/s ({} of weights a token)\n",
        speeds.model,
        speeds.device,
        speeds.threads,
        speeds.processors,
        speeds.kernels,
        speeds.load_seconds,
        speeds.peak_rss_bytes.map_or("unknown".to_owned(), size_text),
        speeds.decode,
        size_text(speeds.weight_bytes as u64),
    );
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        text,
        "self-measurement: {}",
        speeds.tuning.as_ref().map_or("not made yet".to_owned(), |tuning| {
            format!(
                "prompts in forwards of {} tokens, by {} rounds",
                tuning.costs.prefill_chunk(),
                tuning.rounds
            )
        })
    );
    if let Some(llama) = &speeds.llama {
        let ratio = speeds.decode / llama.decode;
        let _ = writeln!(
            text,
            "llama.cpp (build {}): decoding {:.1} tokens/s, so Redraft's {ratio:.2} times as fast",
            llama.build, llama.decode
        );
    }
    let _ = write!(
        text,
        "\nverification, every position's most likely token (medians of {}):\n\n{:>8} {:>8} {:>12} {:>10} {:>12}",
        speeds.runs, "context", "tokens", "ms/forward", "tokens/s", "over single"
    );
    text += if speeds.llama.is_some() { "    llama.cpp    ratio\n" } else { "\n" };
    for forward in &speeds.forwards {
        let gain = speeds.over_single(forward).map_or(String::new(), |gain| format!("{gain:.1}"));
        let (milliseconds, rate) = (forward.seconds * 1e3, forward.rate());
        let _ = write!(
            text,
            "{:>8} {:>8} {milliseconds:>12.2} {rate:>10.0} {gain:>12}",
            forward.context, forward.tokens
        );
        if let Some(theirs) = speeds.theirs(forward) {
            let _ = write!(text, " {theirs:>12.0} {:>8.2}", rate / theirs);
        }
        text.push('\n');
    }
    if speeds.llama.is_some() {
        text.push('\n');
        text += NOTE;
    }
    text
}

/// The same as JSON.
pub(super) fn json(speeds: &Speeds) -> Value {
    let rows: Vec<_> = speeds
        .forwards
        .iter()
        .map(|forward| {
            let mut row = json!({
                "tokens": forward.tokens, "context": forward.context, "seconds": forward.seconds,
            });
            if let Some(theirs) = speeds.theirs(forward) {
                row["llama_cpp_tokens_per_second"] = theirs.into();
                row["ratio"] = (forward.rate() / theirs).into();
            }
            row
        })
        .collect();
    let mut result = json!({
        "model": speeds.model,
        "device": speeds.device.to_string(),
        "threads": speeds.threads,
        "processors": speeds.processors,
        "self_measurement": speeds.tuning.as_ref().map(|tuning| json!({
            "rounds": tuning.rounds,
            "prefill_chunk": tuning.costs.prefill_chunk(),
            "forward": tuning.costs.points(),
        })),
        "cpu_features": doctor::cpu_features(),
        "isa": speeds.kernels,
        "load_seconds": speeds.load_seconds,
        "peak_rss_bytes": speeds.peak_rss_bytes,
        "weight_bytes_per_token": speeds.weight_bytes,
        "decode_tokens_per_second": speeds.decode,
        "forward": rows,
    });
    if let Some(llama) = &speeds.llama {
        result["llama_cpp"] = json!({
            "build": llama.build,
            "decode_tokens_per_second": llama.decode,
            "decode_ratio": speeds.decode / llama.decode,
            "prefill_logits": "last position only",
        });
    }
    result
}
