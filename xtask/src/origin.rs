//! The table in a `tests/vectors/ORIGIN.md`: which cases there are, what is signed in each, how, and with which key.

/// One row.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    /// The case's folder.
    pub(crate) case: String,
    pub(crate) algorithm: Algorithm,
    /// A file of the case, or a string in a JSON file of it: `body.json`, `body.json:data`.
    pub(crate) signed: String,
    /// For RSA a key in `crates/core/tests/vectors/keys`, or a public key file of the case that ends in `.pem`.
    /// For the others a file of the case or a string in one, as in `signed`.
    pub(crate) key: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256; `signature.txt` is base64.
    RsaSha256,
    /// `signature.txt` is lower-case hex.
    HmacSha256,
    /// The signed string is a whole compact JWS, signature included.
    Hs256,
    /// A folder of keys: `<name>.pkcs8.pem`, `<name>.pkcs1.pem` and `<name>.spki.pem` are one key.
    KeyPairs,
    /// A folder of data without a signature.
    Nothing,
}

const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("RSA-SHA256", Algorithm::RsaSha256),
    ("HMAC-SHA256", Algorithm::HmacSha256),
    ("HS256", Algorithm::Hs256),
    ("key pairs", Algorithm::KeyPairs),
    ("nothing", Algorithm::Nothing),
];

/// The rows of the first table that has the columns `case`, `signed bytes`, `algorithm` and `key`.
pub(crate) fn table(text: &str) -> Result<Vec<Row>, String> {
    let mut lines = text.lines().map(cells);
    let columns = lines.find_map(|header| {
        let column = |name: &str| header.iter().position(|cell| cell == name);
        Some([column("case")?, column("signed bytes")?, column("algorithm")?, column("key")?])
    });
    let Some([case, signed, algorithm, key]) = columns else {
        return Err("has no table with the columns `case`, `signed bytes`, `algorithm`, `key`".to_owned());
    };
    let rows: Vec<_> = lines.skip(1).take_while(|cells| !cells.is_empty()).collect();
    if rows.is_empty() {
        return Err("has a table without rows".to_owned());
    }
    let read = |cells: Vec<String>| {
        let cell = |column: usize| cells.get(column).cloned().unwrap_or_default();
        let named = cell(algorithm);
        let Some((_, algorithm)) = ALGORITHMS.into_iter().find(|(name, _)| *name == named) else {
            let known = ALGORITHMS.map(|(name, _)| name).join(", ");
            return Err(format!("gives `{}` the algorithm \"{named}\", which is none of {known}", cell(case)));
        };
        Ok(Row { case: cell(case), algorithm, signed: cell(signed), key: cell(key) })
    };
    rows.into_iter().map(read).collect()
}

/// The cells of a table line without their code marks; none where the line is no table line. `\|` is no separator.
pub(crate) fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    let split = |inner: &str| {
        let escaped = inner.replace("\\|", "\0");
        escaped.split('|').map(|cell| cell.replace('\0', "|").trim().trim_matches('`').to_owned()).collect()
    };
    inner.map(split).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_by_the_names_of_their_columns() {
        let text = "# Title\n\n| a | b |\n|---|---|\n| x | y |\n\n| case | shows | signed bytes | algorithm | key |\n\
            |---|---|---|---|---|\n| `one` | `a\\|b` | `body.json:data` | HS256 | `token.txt` |\n\
            | `keys` | keys | | key pairs | |\n\nMore text | with a bar |\n";
        let row = |case: &str, algorithm, signed: &str, key: &str| Row {
            case: case.to_owned(),
            algorithm,
            signed: signed.to_owned(),
            key: key.to_owned(),
        };
        let expected =
            [row("one", Algorithm::Hs256, "body.json:data", "token.txt"), row("keys", Algorithm::KeyPairs, "", "")];
        assert_eq!(table(text).expect("a table"), expected);
    }

    #[test]
    fn a_file_without_a_table_or_rows_or_with_an_unknown_algorithm_is_an_error() {
        assert!(table("# Title\n").expect_err("no table").contains("no table"));
        let header = "| case | signed bytes | algorithm | key |\n|---|---|---|---|\n";
        assert!(table(header).expect_err("no rows").contains("without rows"));
        assert!(table(&format!("{header}| `a` | `b` | MD5 | `c` |\n")).expect_err("MD5").contains("\"MD5\""));
    }
}
