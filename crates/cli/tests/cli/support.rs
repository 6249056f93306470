//! Runs the binary in a folder of its own, with nothing of the caller's environment that it would read.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rampauth_sandbox::{Call, IssuedTokens, Sandbox};
use rampauth_test_kit::keys;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The Alix secret key of [`Home::new`].
pub(crate) const SECRET_KEY: &str = "alix-secret";

/// The key that [`Home::stored_at`] and [`Kit::of`] seal tokens with.
pub(crate) const SEALING_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
/// How they say so.
pub(crate) const SEALED: &str = "store = \"sqlite:rampauth.db\"\nsealing_key = { file = \"sealing.key\" }\n";

/// A folder with `rampauth.toml` and the files that it may name: the partner's key, the provider's public one twice, a
/// secret key and a sealing key.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new(config: &str) -> Self {
        let home = Self(tempfile::tempdir().expect("a folder"));
        home.write("rampauth.toml", config);
        home.write("partner.pem", keys::PARTNER_PKCS8.pem);
        home.write("alix.pub.pem", keys::PROVIDER_SPKI.pem);
        home.write("payby.pub.pem", keys::PROVIDER_SPKI.pem);
        home.write("secret.txt", SECRET_KEY);
        home.write("sealing.key", SEALING_KEY);
        home
    }

    /// The five profiles `card`, `ramp`, `user`, `payby`, `onboard`, all at this address.
    pub(crate) fn at(base_url: &str) -> Self {
        Self::new(&profiles(base_url))
    }

    /// The same with the shortest timeout, for a peer that never answers.
    pub(crate) fn in_haste_at(base_url: &str) -> Self {
        Self::new(&profiles(base_url).replace("timeout_seconds = 30", "timeout_seconds = 1"))
    }

    /// The same with a store.
    pub(crate) fn stored_at(base_url: &str) -> Self {
        Self::new(&format!("{SEALED}{}", profiles(base_url)))
    }

    /// The same that waits for the store no longer than it has to.
    pub(crate) fn hastily_stored_at(base_url: &str) -> Self {
        Self::new(&format!("{SEALED}store_timeout_seconds = 1\n{}", profiles(base_url)))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The store's file, past the store.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path().join("rampauth.db")).expect("a database")
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), text).expect("a file written");
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let mut run = Run::new(arguments);
        run.command.current_dir(self.path()).env("XDG_STATE_HOME", self.path().join("state"));
        run
    }
}

/// A folder with five profiles of a sandbox, a store, and tokens.
pub(crate) struct Kit {
    pub(crate) home: Home,
}

impl Kit {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        let (credentials, url) = (sandbox.credentials(), sandbox.url());
        let home = Home::new(&format!(
            r#"{SEALED}[profile.card]
provider = "alix-card"
base_url = "{url}"
partner_code = "{partner_code}"
secret_key = {{ file = "secret.txt" }}
signing_key = {{ file = "partner.pem" }}
[profile.ramp]
provider = "alix-on-off-ramp"
base_url = "{url}"
partner_code = "{partner_code}"
secret_key = {{ file = "secret.txt" }}
signing_key = {{ file = "partner.pem" }}
provider_public_key = {{ file = "alix.pub.pem" }}
email = "{email}"
[profile.user]
provider = "transak-user"
base_url = "{url}"
api_key = {{ file = "api-key.txt" }}
[profile.payby]
provider = "payby"
base_url = "{url}"
partner_id = "{partner_id}"
signing_key = {{ file = "partner.pem" }}
provider_public_key = {{ file = "payby.pub.pem" }}
subject = "iPhone"
refresh_token_field = "{field}"
[profile.onboard]
provider = "onboard"
base_url = "{url}"
user_id = "{user_id}"
"#,
            partner_code = credentials.alix.partner_code,
            email = credentials.alix.email,
            partner_id = credentials.payby.partner_id,
            field = credentials.payby.refresh_token_field,
            user_id = credentials.onboard.user_id,
        ));
        home.write("secret.txt", &credentials.alix.secret_key);
        home.write("partner.pem", &credentials.alix.signing_key);
        home.write("alix.pub.pem", &credentials.alix.provider_public_key);
        home.write("payby.pub.pem", &credentials.payby.provider_public_key);
        home.write("api-key.txt", &credentials.transak.api_key);
        for (profile, call) in PROFILES {
            home.write(&format!("{profile}.json"), with_times(&sandbox.issue(call)));
        }
        Self { home }
    }

    /// The live tokens of this profile that it was made with.
    pub(crate) fn tokens(&self, profile: &str) -> String {
        fs::read_to_string(self.home.path().join(format!("{profile}.json"))).expect("the tokens")
    }

    pub(crate) fn import(&self, profile: &str) -> Done {
        self.home.run(&["import", profile, "--replace"]).stdin(self.tokens(profile)).done()
    }
}

pub(crate) const PROFILES: [(&str, Call); 5] = [
    ("card", Call::AlixCard),
    ("ramp", Call::AlixOnOffRamp),
    ("user", Call::TransakUser),
    ("payby", Call::PayBy),
    ("onboard", Call::Onboard),
];

/// Tokens as the command reads them, with their times.
fn with_times(tokens: &IssuedTokens) -> String {
    let time = |time: std::time::SystemTime| {
        let time = jiff::Timestamp::try_from(time).expect("in the calendar").as_second();
        jiff::Timestamp::from_second(time).expect("in the calendar").to_string()
    };
    json!({
        "accessToken": tokens.access_token,
        "refreshToken": tokens.refresh_token,
        "accessTokenExpiresAt": time(tokens.access_token_expires_at),
        "refreshTokenExpiresAt": tokens.refresh_token_expires_at.map(time),
    })
    .to_string()
}

/// The text of a configuration with one profile per provider.
pub(crate) fn profiles(base_url: &str) -> String {
    let common = format!("base_url = \"{base_url}\"\ntimeout_seconds = 30\n");
    let alix = "partner_code = \"zencardtest\"\nsecret_key = { file = \"secret.txt\" }\nsigning_key = { file = \"partner.pem\" }\n";
    format!(
        "[profile.card]\nprovider = \"alix-card\"\n{common}{alix}
[profile.ramp]\nprovider = \"alix-on-off-ramp\"\n{common}{alix}provider_public_key = {{ file = \"alix.pub.pem\" }}\nemail = \"Jane@example.com\"
[profile.user]\nprovider = \"transak-user\"\n{common}
[profile.payby]\nprovider = \"payby\"\n{common}partner_id = \"200001200101\"\nsigning_key = {{ file = \"partner.pem\" }}\nprovider_public_key = {{ file = \"payby.pub.pem\" }}\nmerchant_order_no = \"M1\"\nsubject = \"iPhone\"
[profile.onboard]\nprovider = \"onboard\"\n{common}user_id = \"u-1\"\n"
    )
}

/// One run of the binary.
pub(crate) struct Run {
    command: Command,
    stdin: Option<Vec<u8>>,
    stdout: Option<Stdio>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rampauth"));
        command.args(arguments);
        for name in ["RAMPAUTH_CONFIG", "RAMPAUTH_LOG", "NO_COLOR"] {
            command.env_remove(name);
        }
        // The locale decides which characters tables are drawn with.
        command.env("LC_ALL", "C.UTF-8");
        Self { command, stdin: None, stdout: None }
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Without it, standard input is the null device.
    pub(crate) fn stdin(mut self, text: impl AsRef<[u8]>) -> Self {
        self.stdin = Some(text.as_ref().to_vec());
        self
    }

    pub(crate) fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.stdout = Some(to.into());
        self
    }

    /// The same, started by a shell that does something first.
    #[cfg(unix)]
    pub(crate) fn through_shell(mut self, script: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(self.command.get_program()).args(self.command.get_args());
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        self.command = command;
        self
    }

    /// The command, for what is not waited for.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    pub(crate) fn done(mut self) -> Done {
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        let stdout = self.stdout.unwrap_or_else(Stdio::piped);
        let mut child =
            self.command.stdin(stdin).stdout(stdout).stderr(Stdio::piped()).spawn().expect("the binary starts");
        if let (Some(text), Some(mut stdin)) = (self.stdin, child.stdin.take()) {
            // A command that refuses does not read all of it.
            drop(stdin.write_all(&text));
        }
        let output = child.wait_with_output().expect("the binary ends");
        Done {
            code: output.status.code().expect("an exit code, no signal"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

impl Done {
    /// Standard output of a run that succeeded and had nothing to say on standard error, but that tokens which were imported
    /// tell no expiry: many tests need none.
    #[track_caller]
    pub(crate) fn output(self) -> String {
        let said = |line: &&str| !line.contains("nobody knows when the access token expires");
        let stderr: Vec<&str> = self.stderr.lines().filter(said).collect();
        assert_eq!((self.code, stderr), (0, Vec::new()), "{}", self.stdout);
        self.stdout
    }

    /// The same, one line of JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let text = self.output();
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The error of a run with `--json` that failed: one line on standard error, nothing on standard output.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        assert!(self.code != 0 && self.stdout.is_empty(), "{self:?}");
        assert!(self.stderr.lines().count() == 1 && self.stderr.ends_with('\n'), "{}", self.stderr);
        let mut document: Value = serde_json::from_str(&self.stderr).expect("JSON");
        let error = document["error"].take();
        // Each says what to do here, and neither in general nor in the words of the libraries.
        let help = error["help"].as_str().expect("a text");
        let is_crooked =
            ["that the message names", "`Keeper", "::", "check_keys"].iter().any(|words| help.contains(words));
        assert!(!help.is_empty() && (!is_crooked || help.contains("[::1]")), "{error}");
        let members: Vec<&str> = error.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(
            members,
            ["code", "help", "kind", "message", "outcome", "providerMessage", "retryAfterSeconds", "status"]
        );
        error
    }

    /// The message of a run with `--json` that was refused with exit code 2; without the system's own words, which are
    /// others on each.
    #[track_caller]
    pub(crate) fn refusal(&self) -> String {
        let error = self.error();
        assert_eq!((self.code, &error["outcome"]), (2, &json!("not_sent")), "{error}");
        assert!(error["kind"] == "config" || error["kind"] == "input", "{error}");
        let message = error["message"].as_str().expect("a text");
        match message.split_once("cannot be read: ") {
            Some((ours, systems)) if systems.contains("os error") => format!("{ours}cannot be read"),
            _ => message.to_owned(),
        }
    }
}

/// A sandbox in this process.
pub(crate) fn sandbox() -> Sandbox {
    start(Sandbox::builder())
}

pub(crate) fn start(builder: rampauth_sandbox::Builder) -> Sandbox {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(builder.start()).expect("a sandbox")
}

/// Tokens as the command reads them, without their times.
pub(crate) fn as_input(tokens: &IssuedTokens) -> String {
    json!({"accessToken": tokens.access_token, "refreshToken": tokens.refresh_token}).to_string()
}
