//! The adapters that come with Redraft. Their bytes are part of the program: nothing has to be fetched, and what runs is what
//! was measured.
//!
//! Wherever the file of an adapter is accepted, the name of a row works as well.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::catalogue;

/// One adapter.
#[derive(Debug)]
pub struct Row {
    /// The name that a user types.
    pub name: &'static str,
    /// What it is for, for people.
    pub title: &'static str,
    /// The SPDX identifier of its licence.
    pub licence: &'static str,
    /// The model of the [catalogue] that it was trained beside.
    pub base: &'static str,
    /// SHA-256 of its file in lower-case hexadecimal.
    pub sha256: &'static str,
    /// Its file, in the GGUF format.
    pub bytes: &'static [u8],
}

/// All of them; their data, recipes and figures are in `model/adapters/README.md`.
pub static ROWS: &[Row] = &[
    Row {
        name: "qwen2.5-coder-0.5b-rewrite",
        title: "writes an edit's places anew",
        licence: "Apache-2.0",
        base: "qwen2.5-coder-0.5b",
        sha256: "7ba23bc0ecd032966ffa52e34a93521dfda5424abeeb24cc1cafc6fac0111869",
        bytes: include_bytes!("../adapters/qwen2.5-coder-0.5b-rewrite.gguf"),
    },
    Row {
        name: "qwen2.5-coder-1.5b-rewrite",
        title: "writes an edit's places anew",
        licence: "Apache-2.0",
        base: "qwen2.5-coder-1.5b",
        sha256: "88c76a06a9a5cb7fdb95d8f055367990b48f8b523768c7723c3a359ee54cd32e",
        bytes: include_bytes!("../adapters/qwen2.5-coder-1.5b-rewrite.gguf"),
    },
];

/// The row of that name, in any case.
pub fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

/// Which adapter a model's rewrites go through, as a user says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// `auto`: the one that comes with Redraft for the model, if there is one.
    #[default]
    Auto,
    /// `none`: the model rewrites alone.
    None,
    /// The name of a row, or a file.
    Named(PathBuf),
}

impl Choice {
    /// The adapter for `model`, a name of the catalogue or a file; that of [`Choice::Auto`] only for a name.
    pub fn beside(&self, model: &str) -> Option<PathBuf> {
        match self {
            Choice::Auto => {
                let base = catalogue::find(model)?.name;
                ROWS.iter().find(|row| row.base == base).map(|row| row.name.into())
            }
            Choice::None => None,
            Choice::Named(adapter) => Some(adapter.clone()),
        }
    }
}

impl FromStr for Choice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Choice::Auto,
            "none" => Choice::None,
            named => Choice::Named(named.into()),
        })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Auto => f.write_str("auto"),
            Choice::None => f.write_str("none"),
            Choice::Named(adapter) => adapter.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn rows_are_what_they_say() {
        for row in ROWS {
            let sha256: String = Sha256::digest(row.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(sha256, row.sha256, "{}", row.name);
            assert!(row.bytes.len() <= 20 << 20, "{} is small enough for the repository", row.name);
            assert!(catalogue::find(row.base).is_some() && catalogue::find(row.name).is_none());
            assert!(std::ptr::eq(find(&row.name.to_uppercase()).unwrap(), row));
        }
    }

    #[test]
    fn a_model_gets_its_own_adapter_unless_another_or_none_is_named() {
        let beside = |choice: &str, model: &str| {
            let choice: Choice = choice.parse().unwrap();
            choice.beside(model).map(|adapter| adapter.display().to_string())
        };
        for row in ROWS {
            assert_eq!(beside("auto", &row.base.to_uppercase()).as_deref(), Some(row.name));
            assert_eq!(beside("none", row.base), None);
            assert_eq!(beside("my.gguf", row.base).as_deref(), Some("my.gguf"));
        }
        assert_eq!(beside("auto", "/models/qwen2.5-coder-0.5b.gguf"), None);
    }
}
