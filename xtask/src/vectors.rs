//! `vectors`: every signature and key pair is checked with the `openssl` command, an implementation that is not ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::openssl;
use crate::origin::{self, Algorithm, Row};
use crate::outcome::{Failure, Outcome, count, settle};
use crate::workspace::Workspace;

/// The key pairs that every crate's RSA vectors share.
const KEYS: &str = "crates/core/tests/vectors/keys";

pub(crate) fn run(ws: &Workspace, _args: &[String]) -> Outcome {
    let version = openssl::version(&ws.root)?;
    let scratch = ws.target.join("xtask").join("vectors");
    fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    let (mut problems, mut rsa, mut hmac, mut keys) = (Vec::new(), 0, 0, 0);
    for package in &ws.packages {
        let folder = ws.root.join(&package.folder).join("tests").join("vectors");
        if !folder.is_dir() {
            continue;
        }
        let origin = format!("{}/tests/vectors/ORIGIN.md", package.folder);
        let rows = origin::table(&ws.read(&origin)?).map_err(|problem| format!("{origin}: {problem}"))?;
        let mut signatures = 0;
        for row in rows {
            let case = Case { root: &ws.root, folder: folder.join(&row.case), scratch: &scratch };
            let counter = match row.algorithm {
                Algorithm::RsaSha256 => &mut rsa,
                Algorithm::HmacSha256 | Algorithm::Hs256 => &mut hmac,
                Algorithm::KeyPairs | Algorithm::Nothing => &mut keys,
            };
            signatures += usize::from(!matches!(row.algorithm, Algorithm::KeyPairs | Algorithm::Nothing));
            match case.check(&row) {
                Ok(checked) => *counter += checked,
                Err(Failure(found)) => {
                    let place = format!("{}/tests/vectors/{}", package.folder, row.case);
                    problems.extend(found.into_iter().map(|problem| format!("{place}: {problem}")));
                }
            }
        }
        if signatures == 0 {
            problems.push(format!("{origin}: no row has a signature to check; vectors without one prove nothing"));
        }
    }
    for (kind, number) in [("RSA signature", rsa), ("HMAC", hmac), ("key encoding", keys)] {
        if number == 0 && problems.is_empty() {
            problems
                .push(format!("no {kind} was found to check: the vectors have moved, or their ORIGIN.md names none"));
        }
    }
    let counted = [count(rsa, "RSA signature"), count(hmac, "HMAC"), count(keys, "key encoding")].join(", ");
    settle(problems, format!("{counted} checked with {version}"))
}

struct Case<'a> {
    root: &'a Path,
    folder: PathBuf,
    scratch: &'a Path,
}

impl Case<'_> {
    /// Checks what the row says and returns how many things that were.
    fn check(&self, row: &Row) -> Result<usize, Failure> {
        match row.algorithm {
            Algorithm::RsaSha256 => self.rsa(row),
            Algorithm::HmacSha256 => {
                let mac = openssl::hmac_sha256(self.root, &self.bytes(&row.key)?, &self.bytes(&row.signed)?)?;
                self.same(&self.string("signature.txt")?, &openssl::hex(&mac))
            }
            Algorithm::Hs256 => self.jws(row),
            Algorithm::KeyPairs => self.key_pairs(),
            Algorithm::Nothing if self.folder.join("signature.txt").exists() => {
                Err("holds a signature.txt, yet its row says that nothing is signed; name algorithm and key".into())
            }
            Algorithm::Nothing => Ok(0),
        }
    }

    fn rsa(&self, row: &Row) -> Result<usize, Failure> {
        let text = self.string("signature.txt")?;
        let signature = openssl::from_base64(self.root, &text)?;
        self.same(&text, &openssl::base64(self.root, &signature)?)?;
        let key = match row.key.ends_with(".pem") {
            true => self.folder.join(&row.key),
            false => self.root.join(KEYS).join(format!("{}.spki.pem", row.key)),
        };
        if !key.is_file() {
            return Err(format!("the key `{}` is neither in {KEYS} nor a .pem file of the case", row.key).into());
        }
        let verified = openssl::rsa_verifies(&key, &signature, &self.bytes(&row.signed)?, self.scratch);
        let refused = |_| format!("openssl refuses signature.txt as `{}`'s over {}", row.key, row.signed).into();
        verified.map(|()| 1).map_err(refused)
    }

    fn jws(&self, row: &Row) -> Result<usize, Failure> {
        let jws = String::from_utf8_lossy(&self.bytes(&row.signed)?).into_owned();
        let Some((signed, signature)) = jws.rsplit_once('.') else {
            return Err(format!("{} is no compact JWS", row.signed).into());
        };
        let mac = openssl::hmac_sha256(self.root, &self.bytes(&row.key)?, signed.as_bytes())?;
        let encoded = openssl::base64(self.root, &mac)?;
        self.same(signature, &encoded.trim_end_matches('=').replace('+', "-").replace('/', "_"))
    }

    /// Files of one name are one key; each name has a public half for the signatures to be checked with.
    fn key_pairs(&self) -> Result<usize, Failure> {
        let mut halves: BTreeMap<String, String> = BTreeMap::new();
        let listing = fs::read_dir(&self.folder).map_err(|error| error.to_string())?;
        let mut files: Vec<_> = listing.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in &files {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let Some((key, "pkcs1.pem" | "pkcs8.pem" | "spki.pem")) = name.split_once('.') else {
                return Err(format!("{name}: not <name>.pkcs1.pem, <name>.pkcs8.pem or <name>.spki.pem").into());
            };
            let half = openssl::public_half(file, self.root)?;
            if *halves.entry(key.to_owned()).or_insert_with(|| half.clone()) != half {
                return Err(format!("{name}: another key than the other files of `{key}`").into());
            }
        }
        match halves.keys().find(|key| !self.folder.join(format!("{key}.spki.pem")).is_file()) {
            Some(key) => Err(format!("{key}.spki.pem: missing; write it with `openssl pkey -pubout`").into()),
            None => Ok(files.len()),
        }
    }

    fn same(&self, stated: &str, computed: &str) -> Result<usize, Failure> {
        if stated == computed {
            return Ok(1);
        }
        Err(format!("the signature is \"{stated}\", openssl says \"{computed}\"; see {}", self.folder.display()).into())
    }

    /// A file, or the string at a member of a JSON file: `inputs.json:apiSecret`.
    fn bytes(&self, named: &str) -> Result<Vec<u8>, Failure> {
        let (file, member) = named.split_once(':').map_or((named, None), |(file, member)| (file, Some(member)));
        let bytes = fs::read(self.folder.join(file)).map_err(|error| format!("{file}: {error}"))?;
        let Some(member) = member else { return Ok(bytes) };
        let json: Value = serde_json::from_slice(&bytes).map_err(|error| format!("{file}: {error}"))?;
        let string = json[member].as_str().ok_or_else(|| format!("{file}: `{member}` is not a string"))?;
        Ok(string.as_bytes().to_vec())
    }

    fn string(&self, file: &str) -> Result<String, Failure> {
        String::from_utf8(self.bytes(file)?).map_err(|_| format!("{file}: not UTF-8").into())
    }
}
