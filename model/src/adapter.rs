//! Adapters: small trained matrices beside those of a base model (LoRA), in a GGUF file of llama.cpp's form.
//!
//! An adapter is never merged into the weights: the same loaded model runs with it and without it.

use crate::adapters;
use crate::error::ModelError;
use crate::gguf::GgufFile;
use crate::kernels::low_rank::{LowRank, MOST};
use std::path::Path;

/// The key under which an adapter names the size in bytes of the file that it was trained beside.
const BASE_SIZE: &str = "redraft.adapter.base_size";

/// An adapter's file, open.
pub(crate) struct AdapterFile {
    file: GgufFile,
    alpha: f32,
}

impl AdapterFile {
    /// Opens `path`, or the adapter of that name that comes with Redraft, and checks that it was made for `base`, a model
    /// of this architecture.
    pub(crate) fn open(path: &Path, base: &GgufFile, architecture: &str) -> Result<AdapterFile, ModelError> {
        let wrong = |what: String| Err(ModelError::Unsupported(format!("{}: {what}", path.display())));
        let names = || adapters::ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
        let file = match path.to_str().and_then(adapters::find) {
            Some(row) => GgufFile::own(row.name, row.bytes)?,
            None if !path.exists() => {
                return wrong(format!("no such file, and no such adapter among {}", names()));
            }
            None => GgufFile::open(path)?,
        };
        if file.string("general.type") != Some("adapter") || file.string("adapter.type") != Some("lora") {
            return wrong("this is no LoRA adapter in the GGUF format".to_owned());
        }
        match file.string("general.architecture") {
            Some(named) if named == architecture => {}
            named => {
                let named = named.unwrap_or("unknown");
                return wrong(format!("an adapter for {named} models does not fit a {architecture} model"));
            }
        }
        if let (Some(wanted), have) = (file.number(BASE_SIZE), base.size())
            && wanted != have
        {
            return wrong(format!(
                "the adapter was trained beside a model file of {wanted} bytes, this one has {have}: name the model that \
                 it belongs to"
            ));
        }
        let Some(alpha) = file.float("adapter.lora.alpha") else {
            return Err(file.corrupt("adapter.lora.alpha is missing"));
        };
        Ok(AdapterFile { file, alpha })
    }

    /// What goes beside the matrix `name` `[n, k]`; nothing if the adapter leaves it as it is. `at` as in [`LowRank::new`].
    pub(crate) fn beside(
        &self,
        name: &str,
        n: usize,
        k: usize,
        at: usize,
    ) -> Result<Option<LowRank>, ModelError> {
        let Some(Parts { a, b, rank, scale }) = self.parts(name, n, k)? else { return Ok(None) };
        let error = || ModelError::Unsupported(format!("an adapter of rank {rank}; {MOST} is the most"));
        LowRank::new(&a, &b, rank, scale, at).map(Some).ok_or_else(error)
    }

    /// The same as it is in the file.
    pub(crate) fn parts(&self, name: &str, n: usize, k: usize) -> Result<Option<Parts>, ModelError> {
        let (a, b) = (format!("{name}.lora_a"), format!("{name}.lora_b"));
        if !self.file.has(&a) && !self.file.has(&b) {
            return Ok(None);
        }
        let (a, b) = (self.matrix(&a)?, self.matrix(&b)?);
        let rank = a.rows;
        if rank == 0 || (a.width, b.rows, b.width) != (k, n, rank) {
            return Err(self.file.corrupt(format!(
                "the parts for {name} are {rank}x{} and {}x{} instead of {rank}x{k} and {n}x{rank}",
                a.width, b.rows, b.width
            )));
        }
        Ok(Some(Parts { a: a.values, b: b.values, rank, scale: self.alpha / rank as f32 }))
    }

    fn matrix(&self, name: &str) -> Result<Matrix, ModelError> {
        let tensor = self.file.tensor(name)?;
        let mut values = vec![0.0; tensor.n * tensor.k];
        let bytes = self.file.bytes(&tensor).chunks_exact(tensor.blocks.row_bytes(tensor.k));
        bytes
            .zip(values.chunks_exact_mut(tensor.k))
            .for_each(|(row, out)| tensor.blocks.dequantize_row(row, out));
        if values.iter().any(|value| !value.is_finite()) {
            return Err(self.file.corrupt(format!("tensor {name} holds what is no number")));
        }
        Ok(Matrix { rows: tensor.n, width: tensor.k, values })
    }
}

/// What an adapter has for one matrix `[n, k]`: `scale B A` is added to it.
pub(crate) struct Parts {
    /// `[rank][k]`
    pub(crate) a: Vec<f32>,
    /// `[n][rank]`
    pub(crate) b: Vec<f32>,
    pub(crate) rank: usize,
    pub(crate) scale: f32,
}

struct Matrix {
    rows: usize,
    width: usize,
    values: Vec<f32>,
}
