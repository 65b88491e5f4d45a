use super::{StreamDecoder, Tokenizer, TokenizerError};
use candle_core::quantized::gguf_file::{Content, Value, VersionedMagic};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::LazyLock;

fn texts(rows: &[String]) -> Value {
    Value::Array(rows.iter().cloned().map(Value::String).collect())
}

/// The character that byte-level vocabularies write for a byte.
fn written(byte: u8) -> char {
    (0..0x144).filter_map(char::from_u32).find(|&c| super::byte_of(c) == Some(byte)).unwrap()
}

/// A tokenizer of all bytes and these control tokens, for tests of other modules.
pub(crate) fn with_control_tokens(control: &[&str]) -> Tokenizer {
    let mut metadata = metadata("qwen2");
    for (key, ordinary) in [("tokens", None), ("token_type", Some(Value::I32(3)))] {
        let Some(Value::Array(rows)) = metadata.get_mut(&format!("tokenizer.ggml.{key}")) else {
            unreachable!()
        };
        rows.truncate(rows.len() - 3);
        rows.extend(control.iter().map(|text| ordinary.clone().unwrap_or(Value::String((*text).to_owned()))));
    }
    build(metadata).unwrap()
}

/// A small file's metadata: all bytes, a few merges, two control tokens and a user-defined one.
fn metadata(pre: &str) -> HashMap<String, Value> {
    let mut tokens: Vec<String> = (0..=255).map(|byte| written(byte).to_string()).collect();
    let merges = ["Ġ Ġ", "ĠĠ ĠĠ", "i n", "Ġ in", "Ċ Ċ", "å ı", "â Ģ", "< |", "Ã ©", "t h"].map(str::to_owned);
    tokens.extend(merges.iter().map(|rule| rule.replace(' ', "")));
    let ordinary = tokens.len();
    tokens.extend(["<|im_start|>", "<|im_end|>", "<tool_call>"].map(str::to_owned));
    let types = (0..tokens.len()).map(|id| match id {
        _ if id < ordinary => 1,
        _ if id + 1 < tokens.len() => 3,
        _ => 4,
    });
    let types = Value::Array(types.map(Value::I32).collect());
    HashMap::from([
        ("tokenizer.ggml.model".to_owned(), Value::String("gpt2".to_owned())),
        ("tokenizer.ggml.pre".to_owned(), Value::String(pre.to_owned())),
        ("tokenizer.ggml.tokens".to_owned(), texts(&tokens)),
        ("tokenizer.ggml.token_type".to_owned(), types),
        ("tokenizer.ggml.merges".to_owned(), texts(&merges)),
        ("tokenizer.ggml.eos_token_id".to_owned(), Value::U32(ordinary as u32)),
    ])
}

fn build(metadata: HashMap<String, Value>) -> Result<Tokenizer, TokenizerError> {
    let content = Content {
        magic: VersionedMagic::GgufV3,
        metadata,
        tensor_infos: HashMap::new(),
        tensor_data_offset: 0,
    };
    Tokenizer::from_gguf(&content)
}

fn small() -> Tokenizer {
    build(metadata("qwen2")).unwrap()
}

#[test]
fn merges_inside_pieces_only() {
    let tokenizer = small();
    let pieces = |text| {
        let ids = tokenizer.encode(text);
        ids.into_iter().map(|id| tokenizer.decode(&[id])).collect::<Vec<_>>()
    };
    assert_eq!(pieces("    in"), ["  ", " ", " in"]);
    assert_eq!(pieces("\n\nin"), ["\n\n", "in"]);
    assert_eq!(pieces("the"), ["th", "e"]);
}

#[test]
fn typed_control_tokens_are_plain_text() {
    let tokenizer = small();
    let typed = "a <|im_end|>\n<|im_start|>assistant<tool_call>";
    let ids = tokenizer.encode(typed);
    for special in ["<|im_start|>", "<|im_end|>", "<tool_call>"] {
        assert!(!ids.contains(&tokenizer.special_id(special).unwrap()), "{special}");
    }
    assert_eq!(tokenizer.decode(&ids), typed);
}

#[test]
fn templates_yield_control_tokens() {
    let tokenizer = small();
    let (start, end) =
        (tokenizer.special_id("<|im_start|>").unwrap(), tokenizer.special_id("<|im_end|>").unwrap());
    let ids = tokenizer.encode_with_special("<|im_start|>in<|im_end|><|im_en");
    let mut wanted = vec![start];
    wanted.extend(tokenizer.encode("in"));
    wanted.push(end);
    wanted.extend(tokenizer.encode("<|im_en"));
    assert_eq!(ids, wanted);
    assert_eq!(tokenizer.decode(&ids), "<|im_start|>in<|im_end|><|im_en");
}

#[test]
fn ends_are_the_files_own_and_the_known_ones() {
    let tokenizer = small();
    let id = |text| tokenizer.special_id(text).unwrap();
    assert_eq!(tokenizer.eos_ids(), [id("<|im_start|>"), id("<|im_end|>")]);
}

#[test]
fn ids_outside_the_vocabulary_are_no_text() {
    let tokenizer = small();
    let outside = tokenizer.vocab_size() as u32;
    assert_eq!(tokenizer.token_bytes(outside), b"");
    assert_eq!(tokenizer.decode(&[0, u32::MAX]), tokenizer.decode(&[0]));
}

#[test]
fn a_byte_without_token_is_reported() {
    let mut lacking = metadata("smollm");
    let Some(Value::Array(tokens)) = lacking.get_mut("tokenizer.ggml.tokens") else { unreachable!() };
    tokens[4] = Value::String("?!".to_owned());
    let tokenizer = build(lacking).unwrap();
    assert_eq!(tokenizer.missing_byte("a\u{4}b"), Some(4));
    assert_eq!(tokenizer.missing_byte("a b é"), None);
    assert_eq!(tokenizer.decode(&tokenizer.encode("a\u{4}b")), "ab");
}

#[test]
fn whole_tokens_come_first_where_the_vocabulary_says_so() {
    let mut with_word = metadata("llama-bpe");
    for (key, value) in [("tokens", Value::String("xyz".to_owned())), ("token_type", Value::I32(1))] {
        let Some(Value::Array(rows)) = with_word.get_mut(&format!("tokenizer.ggml.{key}")) else {
            unreachable!()
        };
        rows.push(value);
    }
    let merged = HashMap::from_iter(
        with_word
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .chain([("tokenizer.ggml.pre".to_owned(), Value::String("smaug-bpe".to_owned()))]),
    );
    assert_eq!(build(with_word).unwrap().encode("xyz").len(), 1);
    assert_eq!(build(merged).unwrap().encode("xyz").len(), 3);
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let error = |change: &dyn Fn(&mut HashMap<String, Value>)| {
        let mut metadata = metadata("qwen2");
        change(&mut metadata);
        build(metadata).err().expect("an error").to_string()
    };
    let set = |key: &str, text: &str| {
        let (key, value) = (format!("tokenizer.ggml.{key}"), Value::String(text.to_owned()));
        error(&|metadata| drop(metadata.insert(key.clone(), value.clone())))
    };
    let unknown = set("pre", "viking");
    assert!(unknown.contains("viking") && unknown.contains("qwen2, refact"), "{unknown}");
    assert!(set("model", "llama").contains("kind `llama`"));
    assert!(set("merges", "in").contains("tokenizer.ggml.merges"));
    assert!(error(&|metadata| drop(metadata.remove("tokenizer.ggml.pre"))).contains("none named"));
    assert!(error(&|metadata| drop(metadata.remove("tokenizer.ggml.tokens"))).contains("ggml.tokens"));
    let short = Value::Array(vec![Value::I32(1)]);
    let short =
        error(&|metadata| drop(metadata.insert("tokenizer.ggml.token_type".to_owned(), short.clone())));
    assert!(short.contains("token_type"), "{short}");
    let rule = texts(&["in g".to_owned()]);
    let rule = error(&|metadata| drop(metadata.insert("tokenizer.ggml.merges".to_owned(), rule.clone())));
    assert!(rule.contains("rule 0") && rule.contains("in g"), "{rule}");
}

#[test]
fn a_character_is_emitted_when_it_is_whole() {
    let tokenizer = small();
    let mut decoder = StreamDecoder::new(&tokenizer);
    let mut emitted = Vec::new();
    for byte in "é👩x".bytes().chain([0xf0, 0x9f]) {
        emitted.push(decoder.push(u32::from(byte)));
    }
    assert_eq!(emitted, ["", "é", "", "", "", "👩", "x", "", ""]);
    assert_eq!(decoder.finish(), "\u{fffd}");
}

proptest! {
    #[test]
    fn every_text_survives(text in any::<String>()) {
        static TOKENIZERS: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
            ["qwen2", "smollm", "llama-bpe", "gpt-2"].map(|pre| build(metadata(pre)).unwrap()).into()
        });
        for tokenizer in TOKENIZERS.iter() {
            prop_assert_eq!(tokenizer.decode(&tokenizer.encode(&text)), text.as_str());
        }
    }

    #[test]
    fn streamed_text_is_the_whole_text(ids in proptest::collection::vec(0..270_u32, 0..40)) {
        let tokenizer = small();
        let mut decoder = StreamDecoder::new(&tokenizer);
        let mut streamed: String = ids.iter().map(|&id| decoder.push(id)).collect();
        streamed.push_str(&decoder.finish());
        prop_assert_eq!(streamed, tokenizer.decode(&ids));
    }
}
