//! Reads what `redraft apply` works on, and refuses what cannot be edited as text before anything else happens.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use crate::cli::UsageError;

/// The file to edit: its bytes are UTF-8, exactly as on disk.
pub(super) fn read_file(path: &Path) -> Result<String, UsageError> {
    let shown = path.display();
    let refuse = |what: String| Err(UsageError(what));
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return refuse(format!("{shown} does not exist; give the path of the file to edit"));
        }
        Err(error) => return refuse(format!("cannot read {shown}: {error}")),
    };
    if metadata.is_dir() {
        return refuse(format!("{shown} is a folder; give the path of the file to edit"));
    }
    if !metadata.is_file() {
        return refuse(format!("{shown} is not a regular file; redraft edits regular files only"));
    }
    match fs::read(path) {
        Ok(bytes) => text(bytes, &shown.to_string()),
        Err(error) => refuse(format!("cannot read {shown}: {error}")),
    }
}

/// The suggestion, from a file or a pipe, or from standard input for `-`.
pub(super) fn read_suggestion(path: &Path) -> Result<String, UsageError> {
    let (bytes, name) = if path.as_os_str() == "-" {
        if io::stdin().is_terminal() {
            eprintln!("Paste the suggestion, then press Ctrl-D on a line of its own.");
        }
        let mut bytes = Vec::new();
        (io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes), "standard input".to_owned())
    } else {
        (fs::read(path), path.display().to_string())
    };
    let bytes = bytes.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => UsageError(format!("there is no suggestion at {name}: it does not exist")),
        io::ErrorKind::IsADirectory => {
            UsageError(format!("{name} is a folder; give a file with the suggestion"))
        }
        _ => UsageError(format!("cannot read the suggestion from {name}: {error}")),
    })?;
    let text = text(bytes, &name)?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    if text.trim().is_empty() {
        return Err(UsageError(format!("the suggestion is empty ({name} has no text)")));
    }
    Ok(text)
}

/// Bytes as text, or why they are none.
fn text(bytes: Vec<u8>, name: &str) -> Result<String, UsageError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(UsageError(format!("{name} is UTF-16; redraft edits UTF-8, so convert it first")));
    }
    if let Some(at) = bytes.iter().position(|&byte| byte == 0) {
        return Err(UsageError(format!(
            "{name} is a binary file (zero byte at offset {at}); redraft edits text"
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count();
        UsageError(format!("{name} is not UTF-8 (line {line}, offset {at}); convert it to UTF-8 first"))
    })
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn only_utf8_text_passes() {
        let error = |bytes: &[u8]| text(bytes.to_vec(), "x").unwrap_err().to_string();
        assert_eq!(text("\u{feff}é\r\n".as_bytes().to_vec(), "x").unwrap(), "\u{feff}é\r\n");
        assert!(error(b"ab\nc\xe9d").contains("line 2, offset 4"), "{}", error(b"ab\nc\xe9d"));
        assert!(error(b"a\0b").contains("offset 1"));
        assert!(error(b"\xff\xfea\0").contains("UTF-16"));
    }
}
