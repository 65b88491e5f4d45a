//! The bytes of one file's record: a head that is read at every start, and a compressed body that is read when one of
//! the file's definitions is wanted.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use redraft_grammars::ItemKind;

use super::symbol::{Symbol, container};

/// What tells whether a file has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Time of the last change, in nanoseconds.
    pub(super) modified: i64,
    /// Its length in bytes.
    pub(super) size: u64,
}

/// The part of a record that is kept in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The path below the folder, with `/`.
    pub(super) path: String,
    /// `None` when the file is gone.
    pub(super) stamp: Option<Stamp>,
    /// [`key`]s of its symbols, sorted, each once.
    pub(super) keys: Vec<u32>,
}

/// What a symbol can be found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By<'n> {
    /// Its name.
    Name(&'n str),
    /// The type whose member it is.
    Container(&'n str),
}

/// A short hash; two names may share one, so what is found by it is compared.
pub(super) fn key(by: By<'_>) -> u32 {
    let (seed, name) = match by {
        By::Name(name) => (0, name),
        By::Container(name) => (1, name),
    };
    let long = checksum_from(seed, name.as_bytes());
    (long ^ (long >> 32)) as u32
}

/// FNV-1a: the same on every machine and in every version, as a file needs it.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    checksum_from(0, bytes)
}

fn checksum_from(seed: u64, bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// The keys by which a file's symbols are found.
pub(super) fn keys(symbols: &[Symbol]) -> Vec<u32> {
    let mut keys = Vec::with_capacity(symbols.len());
    for (at, symbol) in symbols.iter().enumerate() {
        // An impl is not looked for by its name; its members are found by their type.
        if symbol.kind != ItemKind::Impl {
            keys.push(key(By::Name(&symbol.name)));
        }
        if let Some(container) = container(symbols, at) {
            keys.push(key(By::Container(container)));
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

impl Head {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.path.len() + self.keys.len() * 4 + 24);
        put_text(&mut out, &self.path);
        match self.stamp {
            None => out.push(0),
            Some(stamp) => {
                out.push(1);
                out.extend(stamp.modified.to_le_bytes());
                out.extend(stamp.size.to_le_bytes());
            }
        }
        for key in &self.keys {
            out.extend(key.to_le_bytes());
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Head> {
        let mut bytes = Bytes(bytes);
        let path = bytes.text()?.to_owned();
        let stamp = match bytes.take(1)? {
            [0] => None,
            _ => Some(Stamp {
                modified: i64::from_le_bytes(bytes.take(8)?.try_into().ok()?),
                size: u64::from_le_bytes(bytes.take(8)?.try_into().ok()?),
            }),
        };
        let (keys, rest) = bytes.0.as_chunks::<4>();
        let keys = keys.iter().map(|key| u32::from_le_bytes(*key)).collect();
        rest.is_empty().then_some(Head { path, stamp, keys })
    }
}

/// The body of a record.
pub(super) fn encode_symbols(symbols: &[Symbol]) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, symbols.len());
    for symbol in symbols {
        out.push(symbol.kind as u8);
        put_number(&mut out, symbol.parent.map_or(0, |parent| parent as usize + 1));
        put_number(&mut out, symbol.lines.start as usize);
        put_number(&mut out, symbol.lines.len());
        put_text(&mut out, &symbol.name);
        put_text(&mut out, symbol.owner.as_deref().unwrap_or_default());
        put_text(&mut out, &symbol.text);
    }
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(out.len() / 3), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(&out);
    encoder.finish().unwrap_or_default()
}

/// What [`encode_symbols`] wrote; `None` when these bytes are something else.
pub(super) fn decode_symbols(bytes: &[u8]) -> Option<Vec<Symbol>> {
    let mut plain = Vec::new();
    DeflateDecoder::new(bytes).read_to_end(&mut plain).ok()?;
    let mut bytes = Bytes(&plain);
    let count = bytes.number()?;
    let mut symbols = Vec::with_capacity(count.min(plain.len()));
    for at in 0..count {
        let kind = *ItemKind::ALL.get(usize::from(bytes.take(1)?[0]))?;
        let parent = match bytes.number()? {
            0 => None,
            // A symbol comes after the one around it, so that walking outwards ends.
            outer if outer <= at => u32::try_from(outer - 1).ok(),
            _ => return None,
        };
        let start = u32::try_from(bytes.number()?).ok()?;
        let lines = start..start.checked_add(u32::try_from(bytes.number()?).ok()?)?;
        let name = bytes.text()?.to_owned();
        let owner = Some(bytes.text()?).filter(|owner| !owner.is_empty()).map(str::to_owned);
        let text = bytes.text()?.to_owned();
        symbols.push(Symbol { kind, name, parent, owner, lines, text });
    }
    Some(symbols)
}

fn put_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len());
    out.extend(text.as_bytes());
}

/// Bytes that are being read from the front.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.take(1)?[0];
            number |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'b str> {
        let length = self.number()?;
        std::str::from_utf8(self.take(length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn symbol() -> impl Strategy<Value = Symbol> {
        let kind = prop::sample::select(ItemKind::ALL.to_vec());
        let owner = prop::option::of("[a-z]+");
        (kind, any::<String>(), owner, any::<u16>(), 0u32..999, any::<String>()).prop_map(
            |(kind, name, owner, start, lines, text)| {
                let start = u32::from(start);
                Symbol { kind, name, parent: None, owner, lines: start..start + lines, text }
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            mut symbols in prop::collection::vec(symbol(), 0..20),
            path in any::<String>(),
            keys in prop::collection::vec(any::<u32>(), 0..9),
            stamp in prop::option::of((any::<i64>(), any::<u64>())),
        ) {
            for (at, symbol) in symbols.iter_mut().enumerate().skip(1) {
                symbol.parent = (at % 3 == 0).then_some(at as u32 / 2);
            }
            let body = encode_symbols(&symbols);
            prop_assert_eq!(decode_symbols(&body), Some(symbols));
            let stamp = stamp.map(|(modified, size)| Stamp { modified, size });
            let head = Head { path, stamp, keys };
            prop_assert_eq!(Head::decode(&head.encode()), Some(head));
        }

        #[test]
        fn what_is_not_a_record_is_refused_and_ends(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_symbols(&bytes);
            let _ = Head::decode(&bytes);
        }
    }

    #[test]
    fn names_and_containers_are_told_apart() {
        assert_ne!(key(By::Name("Queue")), key(By::Container("Queue")));
        assert_ne!(key(By::Name("Queue")), key(By::Name("queue")));
    }
}
