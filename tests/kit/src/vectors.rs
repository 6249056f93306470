//! Test vectors: a folder per case, a file per stage, read exactly as they are.

use std::fs;
use std::path::{Path, PathBuf};

/// The calling package's `tests/vectors`, as a `PathBuf`.
#[macro_export]
macro_rules! vectors_dir {
    () => {
        ::std::path::Path::new(::core::env!("CARGO_MANIFEST_DIR")).join("tests").join("vectors")
    };
}

/// One case: a folder of files.
#[derive(Clone, Debug)]
pub struct Case {
    /// The folder's own name, for messages.
    pub name: String,
    /// The folder.
    pub dir: PathBuf,
}

impl Case {
    /// The bytes of `file`.
    ///
    /// # Panics
    ///
    /// If the file cannot be read.
    #[track_caller]
    pub fn bytes(&self, file: &str) -> Vec<u8> {
        let path = self.dir.join(file);
        match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => panic!("vector {}: cannot read {}: {error}", self.name, path.display()),
        }
    }

    /// The bytes of `file` as UTF-8, nothing trimmed.
    ///
    /// # Panics
    ///
    /// If the file cannot be read or is not UTF-8.
    #[track_caller]
    pub fn text(&self, file: &str) -> String {
        match String::from_utf8(self.bytes(file)) {
            Ok(text) => text,
            Err(error) => panic!("vector {}: {file}: {error}", self.name),
        }
    }

    /// `file` as JSON.
    ///
    /// # Panics
    ///
    /// If the file cannot be read or is not JSON.
    #[track_caller]
    pub fn json(&self, file: &str) -> serde_json::Value {
        match serde_json::from_slice(&self.bytes(file)) {
            Ok(value) => value,
            Err(error) => panic!("vector {}: {file} is not JSON: {error}", self.name),
        }
    }

    /// Whether the case has `file`.
    pub fn has(&self, file: &str) -> bool {
        self.dir.join(file).is_file()
    }
}

/// Every case in `dir`, that is every folder in it that holds a file, sorted by name.
///
/// # Panics
///
/// If there is none: a test over no vectors proves nothing and must not pass.
#[track_caller]
pub fn cases(dir: impl AsRef<Path>) -> Vec<Case> {
    let dir = dir.as_ref();
    let mut cases: Vec<Case> = entries(dir)
        .into_iter()
        .filter(|path| path.is_dir() && entries(path).iter().any(|inner| inner.is_file()))
        .filter_map(|dir| Some(Case { name: dir.file_name()?.to_string_lossy().into_owned(), dir }))
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!cases.is_empty(), "no vectors in {}", dir.display());
    cases
}

#[track_caller]
fn entries(dir: &Path) -> Vec<PathBuf> {
    match fs::read_dir(dir).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect()) {
        Ok(paths) => paths,
        Err(error) => panic!("cannot list {}: {error}", dir.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for case in ["second", "first", "empty"] {
            fs::create_dir(dir.path().join(case)).expect("a case folder");
        }
        for (file, bytes) in [
            ("second/signature.bin", &b"\xff\x00"[..]),
            ("first/string-to-sign.txt", b" a|b\r\n\n"),
            ("first/inputs.json", br#"{"timestamp": 1}"#),
            ("stray.txt", b"beside the cases"),
        ] {
            fs::write(dir.path().join(file), bytes).expect("a vector file");
        }
        dir
    }

    #[test]
    fn cases_are_the_folders_that_hold_files_in_order() {
        let dir = folder();
        let names: Vec<String> = cases(dir.path()).into_iter().map(|case| case.name).collect();
        assert_eq!(names, ["first", "second"]);
    }

    #[test]
    fn files_are_read_exactly() {
        let dir = folder();
        let [first, second] = cases(dir.path()).try_into().expect("two cases");
        assert_eq!(first.text("string-to-sign.txt"), " a|b\r\n\n");
        assert_eq!(first.json("inputs.json")["timestamp"], 1);
        assert_eq!(second.bytes("signature.bin"), b"\xff\x00");
        assert!(first.has("inputs.json") && !second.has("inputs.json"));
    }

    #[test]
    #[should_panic(expected = "no vectors in")]
    fn a_folder_without_cases_panics() {
        cases(folder().path().join("empty"));
    }

    #[test]
    #[should_panic(expected = "cannot list")]
    fn a_missing_folder_panics() {
        cases(folder().path().join("absent"));
    }

    #[test]
    #[should_panic(expected = "vector first: cannot read")]
    fn a_missing_file_panics() {
        cases(folder().path())[0].text("absent.txt");
    }

    #[test]
    #[should_panic(expected = "vector second: signature.bin: invalid utf-8")]
    fn text_that_is_not_utf_8_panics() {
        cases(folder().path())[1].text("signature.bin");
    }

    #[test]
    fn the_folder_is_the_calling_packages_own() {
        assert!(vectors_dir!().ends_with("tests/kit/tests/vectors"), "{}", vectors_dir!().display());
    }
}
