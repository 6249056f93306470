//! Where sessions are kept, as the key `store` spells it.

/// The longest path that an error repeats, in characters: half a path would be a wrong piece of advice.
const MAX_REPEATED: usize = 120;

/// What a good `store` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StorePlace {
    /// The path of an SQLite file, as it was written; relative to the configuration's folder.
    Sqlite(String),
    /// Nothing that outlives the command.
    Memory,
    /// A kind of store that this program does not have yet.
    NotYet,
}

impl StorePlace {
    /// Reads `sqlite:REL`, `sqlite:/ABS`, `sqlite:///ABS`, `memory:`, and the URLs of servers.
    ///
    /// A path is taken as it stands: nothing in it is decoded, expanded or cut off, and what looks as if it should be is refused.
    ///
    /// # Errors
    ///
    /// Why it is none of them, with the right spelling where there is one. A URL may hold a password: nothing is repeated of a
    /// text with an `@`, and nothing that follows a `?`.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let is_url = |scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty());
        match text.strip_prefix("sqlite:") {
            Some(path) => sqlite(path).map(Self::Sqlite),
            None if text == "memory:" => Ok(Self::Memory),
            None if is_url("postgres://") || is_url("redis://") => Ok(Self::NotYet),
            None => Err(misspelt(text)),
        }
    }
}

/// The path after `sqlite:`.
fn sqlite(written: &str) -> Result<String, String> {
    if written.trim() != written {
        return Err(format!("there is white space around the path; {}", write(written.trim())));
    }
    if written.contains(char::is_control) {
        return Err(format!("there is a control character in the path; {WRITE}"));
    }
    if written == ":memory:" {
        return Err(format!("`:memory:` forgets every session when the command ends; {WRITE}"));
    }
    if let Some(uri) = written.strip_prefix("file:") {
        return Err(format!("`file:` URIs are not taken; {}", write(path_of_uri(uri))));
    }
    if let Some((path, _)) = written.split_once('?') {
        return Err(format!("options after a `?` are not taken; {}", write(path_of_uri(path))));
    }
    if let Some(escape) = percent_escape(written) {
        return Err(format!("`{escape}` is not decoded: write the character that it stands for"));
    }
    let path = match written.strip_prefix("//") {
        // Without a host between the second slash and the third, as URLs of local files are.
        Some(absolute) if absolute.starts_with('/') => local(absolute),
        Some(_) => return Err(format!("what follows `//` is read as a host; {}", write(path_of_uri(written)))),
        None => written,
    };
    check_path(path)?;
    Ok(path.to_owned())
}

fn check_path(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err(format!("it names no file; {WRITE}"));
    }
    if is_windows(path) && !cfg!(windows) {
        return Err("it is a path of Windows, and this system's paths have `/` between their parts".to_owned());
    }
    if path.starts_with(r"\\") {
        return Err("it is on a network share, which processes cannot share a store on; name a local file".to_owned());
    }
    if path.starts_with('~') {
        return Err("`~` is not expanded; write the whole path".to_owned());
    }
    if names_variable(path) {
        return Err("`$` is not expanded; write the whole path".to_owned());
    }
    let last = path.rsplit(std::path::is_separator).next().unwrap_or_default();
    if matches!(last, "" | "." | "..") {
        return Err(format!("it names a folder; name a file in it, such as {}", spelled(&join(path))));
    }
    if let Some(suffix) = ["-wal", "-shm", "-journal"].iter().find(|suffix| last.ends_with(**suffix)) {
        return Err(format!("a name that ends with `{suffix}` is that of a store's own log; name the store itself"));
    }
    Ok(())
}

const WRITE: &str = "write `sqlite:FILE`";

/// Advice to write this path, where it may be repeated and would be taken.
fn write(path: &str) -> String {
    if check_path(path).is_ok() && sqlite(path).is_ok() { format!("write {}", spelled(path)) } else { WRITE.to_owned() }
}

fn spelled(path: &str) -> String {
    let repeatable = !path.contains(['@', '`']) && !path.contains(char::is_control);
    if repeatable && path.chars().count() <= MAX_REPEATED {
        format!("`sqlite:{path}`")
    } else {
        "`sqlite:FILE`".to_owned()
    }
}

/// A file in the folder that this path names.
fn join(folder: &str) -> String {
    format!("{}/rampauth.db", folder.trim_end_matches('/'))
}

/// What is meant by the part of a URI after its scheme: the path without its host and without its options.
fn path_of_uri(uri: &str) -> &str {
    let path = uri.split_once('?').map_or(uri, |(path, _)| path);
    let Some(rest) = path.strip_prefix("//") else { return path };
    match rest.strip_prefix("localhost") {
        Some(absolute) if absolute.starts_with('/') => local(absolute),
        _ if rest.starts_with('/') => local(rest),
        // One that is relative, behind two slashes too many.
        _ => rest,
    }
}

/// The absolute path of a URI: on Windows `/C:/x` means `C:/x`.
fn local(absolute: &str) -> &str {
    let without = absolute.trim_start_matches('/');
    if cfg!(windows) && is_windows(without) { without } else { &absolute[absolute.len() - without.len() - 1..] }
}

/// `C:\x`, `C:/x`, `\\server\x`, `x\y`.
fn is_windows(path: &str) -> bool {
    let drive = path.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && path[1..].starts_with(':');
    drive || path.contains('\\')
}

fn percent_escape(path: &str) -> Option<&str> {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    path.match_indices('%').find_map(|(at, _)| path.get(at..at + 3).filter(|escape| is_hex(&escape[1..])))
}

fn names_variable(path: &str) -> bool {
    let begins_name = |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '{');
    path.match_indices('$').any(|(at, _)| begins_name(&path[at + 1..]))
}

/// What is wrong with a text that does not begin as a store does.
fn misspelt(text: &str) -> String {
    let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
    let meant = match scheme.to_ascii_lowercase().as_str() {
        "sqlite" | "sqlite3" | "file" => Some(path_of_uri(rest)),
        other if other.starts_with("sqlite+") => Some(path_of_uri(rest)),
        // A path without its kind, a drive of Windows included; anything else that has a colon could be a URL.
        "" => Some(text),
        _ if scheme.len() == 1 => Some(text),
        _ => None,
    };
    match meant {
        Some(path) => format!("a store begins with its kind; {}", write(path)),
        None => format!("it is no store that is known; {WRITE}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_as_it_stands() {
        for (written, path) in [
            ("sqlite:rampauth.db", "rampauth.db"),
            ("sqlite:./a/rampauth.db", "./a/rampauth.db"),
            ("sqlite:../rampauth.db", "../rampauth.db"),
            ("sqlite:/var/lib/rampauth.db", "/var/lib/rampauth.db"),
            ("sqlite:///var/lib/rampauth.db", "/var/lib/rampauth.db"),
            ("sqlite:////var/lib/rampauth.db", "/var/lib/rampauth.db"),
            ("sqlite:a b#1 100% $5 ключ.db", "a b#1 100% $5 ключ.db"),
        ] {
            assert_eq!(StorePlace::read(written), Ok(StorePlace::Sqlite(path.to_owned())), "{written}");
        }
        assert_eq!(StorePlace::read("memory:"), Ok(StorePlace::Memory));
        for url in ["postgres://jane@host/db", "redis://host"] {
            assert_eq!(StorePlace::read(url), Ok(StorePlace::NotYet));
        }
    }

    #[test]
    fn what_is_read_otherwise_elsewhere_is_refused_with_the_right_spelling() {
        let folder = "it names a folder; name a file in it, such as";
        for (written, why) in [
            ("sqlite:", "it names no file; write `sqlite:FILE`"),
            ("sqlite://", "what follows `//` is read as a host; write `sqlite:FILE`"),
            ("sqlite://rel.db", "what follows `//` is read as a host; write `sqlite:rel.db`"),
            ("sqlite://a/rel.db", "what follows `//` is read as a host; write `sqlite:a/rel.db`"),
            ("sqlite://localhost/a.db", "what follows `//` is read as a host; write `sqlite:/a.db`"),
            ("sqlite:a.db?mode=rwc", "options after a `?` are not taken; write `sqlite:a.db`"),
            ("sqlite://a.db?mode=rwc", "options after a `?` are not taken; write `sqlite:a.db`"),
            ("sqlite:///a.db?mode=rwc", "options after a `?` are not taken; write `sqlite:/a.db`"),
            ("sqlite:a.db?key=hunter2", "options after a `?` are not taken; write `sqlite:a.db`"),
            ("sqlite:file:a.db?mode=rwc", "`file:` URIs are not taken; write `sqlite:a.db`"),
            ("sqlite:file:///a.db", "`file:` URIs are not taken; write `sqlite:/a.db`"),
            ("sqlite:a%20b.db", "`%20` is not decoded: write the character that it stands for"),
            ("sqlite::memory:", "`:memory:` forgets every session when the command ends; write `sqlite:FILE`"),
            ("sqlite: a.db", "there is white space around the path; write `sqlite:a.db`"),
            ("sqlite:a\0.db", "there is a control character in the path; write `sqlite:FILE`"),
            ("sqlite:~/a.db", "`~` is not expanded; write the whole path"),
            ("sqlite:$HOME/a.db", "`$` is not expanded; write the whole path"),
            ("sqlite:${HOME}/a.db", "`$` is not expanded; write the whole path"),
            ("sqlite:a/", &format!("{folder} `sqlite:a/rampauth.db`")),
            ("sqlite:/", &format!("{folder} `sqlite:/rampauth.db`")),
            ("sqlite:///", &format!("{folder} `sqlite:/rampauth.db`")),
            ("sqlite:.", &format!("{folder} `sqlite:./rampauth.db`")),
            ("sqlite:a/..", &format!("{folder} `sqlite:a/../rampauth.db`")),
            ("sqlite:a.db-wal", "a name that ends with `-wal` is that of a store's own log; name the store itself"),
            (
                "sqlite:a.db-journal",
                "a name that ends with `-journal` is that of a store's own log; name the store itself",
            ),
            ("sqlite3:a.db", "a store begins with its kind; write `sqlite:a.db`"),
            ("sqlite3:///a.db", "a store begins with its kind; write `sqlite:/a.db`"),
            ("sqlite+aiosqlite:///a.db", "a store begins with its kind; write `sqlite:/a.db`"),
            ("SQLite:a.db", "a store begins with its kind; write `sqlite:a.db`"),
            ("file:a.db", "a store begins with its kind; write `sqlite:a.db`"),
            ("rampauth.db", "a store begins with its kind; write `sqlite:rampauth.db`"),
            ("/var/rampauth.db", "a store begins with its kind; write `sqlite:/var/rampauth.db`"),
            ("", "a store begins with its kind; write `sqlite:FILE`"),
            ("mysql://jane:hunter2@host", "it is no store that is known; write `sqlite:FILE`"),
            ("postgres://", "it is no store that is known; write `sqlite:FILE`"),
            ("memory:x", "it is no store that is known; write `sqlite:FILE`"),
        ] {
            assert_eq!(StorePlace::read(written), Err(why.to_owned()), "{written}");
        }
    }

    #[test]
    fn nothing_is_repeated_that_could_be_a_password() {
        for written in [
            "sqlite://jane:hunter2@host/a.db",
            "sqlite3://jane:hunter2@host/a.db",
            "sqlite:a?k=hunter2",
            "jane/hunter2@host",
        ] {
            let why = StorePlace::read(written).expect_err(written);
            assert!(!why.contains("hunter2"), "{written}: {why}");
        }
    }

    #[cfg(not(windows))]
    #[test]
    fn paths_of_windows_are_named_elsewhere() {
        for written in [
            r"sqlite:C:\rampauth.db",
            "sqlite:C:/rampauth.db",
            r"sqlite:a\b.db",
            r"sqlite:\\host\a.db",
            "sqlite:///C:/a.db",
        ] {
            let why = StorePlace::read(written);
            if written == "sqlite:///C:/a.db" {
                assert_eq!(why, Ok(StorePlace::Sqlite("/C:/a.db".to_owned())), "a folder may have that name");
                continue;
            }
            let why = why.expect_err(written);
            assert_eq!(
                why, "it is a path of Windows, and this system's paths have `/` between their parts",
                "{written}"
            );
        }
    }

    #[cfg(windows)]
    #[test]
    fn paths_of_windows_are_taken_where_they_belong() {
        for (written, path) in [
            (r"sqlite:C:\rampauth.db", r"C:\rampauth.db"),
            ("sqlite:C:/rampauth.db", "C:/rampauth.db"),
            ("sqlite:///C:/rampauth.db", "C:/rampauth.db"),
            (r"sqlite:a\b.db", r"a\b.db"),
        ] {
            assert_eq!(StorePlace::read(written), Ok(StorePlace::Sqlite(path.to_owned())), "{written}");
        }
        let why = StorePlace::read(r"sqlite:\\host\a.db").expect_err("a share");
        assert!(why.contains("network share"), "{why}");
    }
}
