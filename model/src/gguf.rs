//! A GGUF file, memory-mapped or part of the program: candle reads its directory, the tensors' bytes are looked at in place.

use crate::error::ModelError;
use crate::kernels::blocks::Blocks;
use candle_core::Device;
use candle_core::quantized::QTensor;
use candle_core::quantized::gguf_file::{Content, Value};
use memmap2::Mmap;
use std::fs::File;
use std::io::Cursor;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

/// An open model file.
pub struct GgufFile {
    path: PathBuf,
    bytes: Bytes,
    content: Content,
}

/// Where a file's bytes are.
enum Bytes {
    Mapped(Mmap),
    Own(&'static [u8]),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Own(bytes) => bytes,
        }
    }
}

/// Where a tensor's bytes are and what they mean.
#[derive(Clone, Debug)]
pub struct TensorBytes {
    /// Byte range in the file.
    pub range: Range<usize>,
    /// Format.
    pub blocks: Blocks,
    /// Rows (output features); 1 for vectors.
    pub n: usize,
    /// Values of a row.
    pub k: usize,
}

impl GgufFile {
    /// Opens and checks `path`: every tensor that the directory names must lie within the file.
    pub fn open(path: &Path) -> Result<GgufFile, ModelError> {
        let io = |source| ModelError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(io(std::io::Error::other("it is not a regular file")));
        }
        if metadata.len() == 0 {
            return Err(ModelError::Corrupt {
                path: path.to_owned(),
                reason: "the file is empty".to_owned(),
            });
        }
        // SAFETY: the map is read-only. Model files are replaced by renaming, never written in place; a program that
        // cuts the file while it is mapped would end this process, as with every memory-mapped file.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        GgufFile::read(path, Bytes::Mapped(map))
    }

    /// A file that is part of the program; `name` stands for its path.
    pub fn own(name: &str, bytes: &'static [u8]) -> Result<GgufFile, ModelError> {
        GgufFile::read(Path::new(name), Bytes::Own(bytes))
    }

    fn read(path: &Path, bytes: Bytes) -> Result<GgufFile, ModelError> {
        let corrupt = |reason: String| ModelError::Corrupt { path: path.to_owned(), reason };
        let content =
            Content::read(&mut Cursor::new(&bytes[..])).map_err(|error| corrupt(error.to_string()))?;
        let file = GgufFile { path: path.to_owned(), bytes, content };
        for (name, info) in &file.content.tensor_infos {
            let elements = info.shape.elem_count();
            let per_block = info.ggml_dtype.block_size();
            let size = (elements / per_block).checked_mul(info.ggml_dtype.type_size());
            let end = size.and_then(|size| {
                size.checked_add(info.offset as usize)?.checked_add(file.content.tensor_data_offset as usize)
            });
            if end.is_none_or(|end| end > file.bytes.len()) {
                return Err(corrupt(format!(
                    "tensor {name} reaches past the end of the file ({} bytes): the download was cut short",
                    file.bytes.len()
                )));
            }
        }
        Ok(file)
    }

    /// The directory and metadata as candle reads them.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The error of a file that contradicts itself.
    pub fn corrupt(&self, reason: impl Into<String>) -> ModelError {
        ModelError::Corrupt { path: self.path.clone(), reason: reason.into() }
    }

    /// An unsigned number of the metadata, whatever its width.
    pub fn number(&self, key: &str) -> Option<usize> {
        let value = self.content.metadata.get(key)?;
        match value {
            Value::U8(v) => Some(usize::from(*v)),
            Value::U16(v) => Some(usize::from(*v)),
            Value::U32(v) => Some(*v as usize),
            Value::I32(v) => usize::try_from(*v).ok(),
            Value::U64(v) => usize::try_from(*v).ok(),
            Value::I64(v) => usize::try_from(*v).ok(),
            _ => None,
        }
    }

    /// A float of the metadata.
    pub fn float(&self, key: &str) -> Option<f32> {
        match self.content.metadata.get(key)? {
            Value::F32(v) => Some(*v),
            Value::F64(v) => Some(*v as f32),
            _ => None,
        }
    }

    /// A string of the metadata.
    pub fn string(&self, key: &str) -> Option<&str> {
        self.content.metadata.get(key)?.to_string().ok().map(String::as_str)
    }

    /// Whether a tensor of this name is there.
    pub fn has(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// A tensor of one or two dimensions.
    pub fn tensor(&self, name: &str) -> Result<TensorBytes, ModelError> {
        let info = self
            .content
            .tensor_infos
            .get(name)
            .ok_or_else(|| self.corrupt(format!("tensor {name} is missing")))?;
        let (n, k) = match info.shape.dims() {
            [k] => (1, *k),
            [n, k] => (*n, *k),
            dims => return Err(self.corrupt(format!("tensor {name} has {} dimensions", dims.len()))),
        };
        let blocks = Blocks::of(info.ggml_dtype).ok_or_else(|| {
            ModelError::Unsupported(format!(
                "tensor {name} is in the format {:?}; formats that run are q4_0, q4_1, q5_0, q5_1, q8_0, q4_K, q5_K, \
                 q6_K, f16, bf16 and f32",
                info.ggml_dtype
            ))
        })?;
        let start = (self.content.tensor_data_offset + info.offset) as usize;
        let range = start..start + n * blocks.row_bytes(k);
        if range.end > self.bytes.len() || !k.is_multiple_of(info.ggml_dtype.block_size()) {
            return Err(self.corrupt(format!("tensor {name} does not fit its shape")));
        }
        Ok(TensorBytes { range, blocks, n, k })
    }

    /// A matrix of `n` rows of `k` values, its shape checked.
    pub fn matrix(&self, name: &str, n: usize, k: usize) -> Result<TensorBytes, ModelError> {
        let tensor = self.tensor(name)?;
        if (tensor.n, tensor.k) != (n, k) {
            return Err(
                self.corrupt(format!("tensor {name} is {}x{} instead of {n}x{k}", tensor.n, tensor.k))
            );
        }
        Ok(tensor)
    }

    /// A tensor as candle holds it on a device.
    pub fn quantized(&self, name: &str, device: &Device) -> candle_core::Result<QTensor> {
        self.content.tensor(&mut Cursor::new(&self.bytes[..]), name, device)
    }

    /// The bytes of a tensor.
    pub fn bytes(&self, tensor: &TensorBytes) -> &[u8] {
        &self.bytes[tensor.range.clone()]
    }

    /// A vector as f32, its length checked.
    pub fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, ModelError> {
        let tensor = self.tensor(name)?;
        if tensor.n != 1 || tensor.k != len {
            return Err(self.corrupt(format!("tensor {name} has {} values instead of {len}", tensor.k)));
        }
        let mut out = vec![0.0; len];
        tensor.blocks.dequantize_row(self.bytes(&tensor), &mut out);
        Ok(out)
    }

    /// Tells the system that a tensor's pages are not needed again soon, so that they do not count as our memory.
    pub fn release(&self, tensor: &TensorBytes) {
        const PAGE: usize = 4096;
        let start = tensor.range.start.next_multiple_of(PAGE);
        let end = tensor.range.end / PAGE * PAGE;
        if start < end {
            #[cfg(unix)]
            if let Bytes::Mapped(map) = &self.bytes {
                // SAFETY: dropping clean pages of a read-only file mapping loses nothing: they are read again when touched.
                #[allow(unsafe_code)]
                let _ = unsafe {
                    map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, end - start)
                };
            }
        }
    }
}
