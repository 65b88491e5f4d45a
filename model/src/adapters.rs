//! The adapters that come with Redraft. Their bytes are part of the program: nothing has to be fetched, and what runs is what
//! was measured.
//!
//! Wherever the file of an adapter is accepted, the name of a row works as well.

/// One adapter.
#[derive(Debug)]
pub struct Row {
    /// The name that a user types.
    pub name: &'static str,
    /// What it is for, for people.
    pub title: &'static str,
    /// The SPDX identifier of its licence.
    pub licence: &'static str,
    /// The model of the [catalogue](crate::catalogue) that it was trained beside.
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
        sha256: "2da47e370175eb27990185b9d2db190583a0287f93738b9f76cd74d84b362af4",
        bytes: include_bytes!("../adapters/qwen2.5-coder-1.5b-rewrite.gguf"),
    },
];

/// The row of that name, in any case.
pub fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;
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
}
