//! The real vocabularies against the ids that the reference tokenizer gives (`goldens/make.py`).

mod common;

use redraft_model::tokenizer::{StreamDecoder, Tokenizer};
use std::path::Path;

fn check(model: &str) {
    let Some(path) = common::model(model) else { return };
    let tokenizer = Tokenizer::from_gguf(&common::content(&path)).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    let goldens = std::fs::read_to_string(folder.join("tokenizer.json")).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&goldens).unwrap();
    assert!(rows.len() > 30);
    for row in rows {
        let name = row["file"].as_str().or(row["name"].as_str()).unwrap();
        let text = row["text"].as_str().map_or_else(
            || std::fs::read_to_string(folder.join("samples").join(name)).unwrap(),
            str::to_owned,
        );
        let wanted: Vec<u32> =
            row[model].as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
        let ids = tokenizer.encode(&text);
        assert_eq!(ids, wanted, "{name}");
        assert_eq!(tokenizer.decode(&ids), text, "{name}");
        let mut decoder = StreamDecoder::new(&tokenizer);
        let mut streamed: String = ids.iter().map(|&id| decoder.push(id)).collect();
        streamed.push_str(&decoder.finish());
        assert_eq!(streamed, text, "{name}");
    }
}

#[test]
fn qwen_encodes_as_the_reference() {
    check("qwen2.5-coder-0.5b");
}

#[test]
fn smollm_encodes_as_the_reference() {
    check("smollm2-135m");
}

#[test]
fn control_tokens_have_their_ids() {
    let Some(path) = common::model("qwen2.5-coder-0.5b") else { return };
    let tokenizer = Tokenizer::from_gguf(&common::content(&path)).unwrap();
    assert_eq!(tokenizer.vocab_size(), 151_936);
    assert_eq!(tokenizer.special_id("<|im_end|>"), Some(151_645));
    assert_eq!(tokenizer.eos_ids(), [151_643, 151_645, 151_662, 151_663, 151_664]);
    assert_eq!(tokenizer.encode_with_special("<|im_start|>user\n"), [151_644, 872, 198]);
    assert_eq!(tokenizer.missing_byte(&(0..128).map(char::from).collect::<String>()), None);

    let Some(path) = common::model("smollm2-135m") else { return };
    let tokenizer = Tokenizer::from_gguf(&common::content(&path)).unwrap();
    assert_eq!(tokenizer.encode_with_special("<|im_start|>"), [1]);
    assert_eq!(
        tokenizer.missing_byte("a\u{4}"),
        Some(4),
        "SmolLM's vocabulary lacks some control characters"
    );
}
