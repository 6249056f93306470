//! What the demo works with: a sandbox, a configuration for it, a store and a keeper.

use std::path::PathBuf;
use std::time::Duration;

use rampauth_core::{Error, ErrorKind, Outcome};
use rampauth_keeper::Keeper;
use rampauth_sandbox::Sandbox;
use rampauth_store_sqlite::SqliteStore;
use tempfile::TempDir;

use crate::config::Config;
use crate::{sandbox_files, stored};

/// A sandbox, and what a user's program has to work with it. Dropped in the order of the fields.
pub(super) struct Setup {
    pub(super) keeper: Keeper,
    pub(super) store: SqliteStore,
    pub(super) config: Config,
    pub(super) sandbox: Sandbox,
    pub(super) folder: TempDir,
}

impl Setup {
    /// Writes a configuration and tokens for the sandbox, and reads them as any other.
    pub(super) fn new(sandbox: Sandbox) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("rampauth-demo-").tempdir().map_err(|error| {
            Error::input("start the demo", "there is no place for temporary files")
                .with_help("set TMPDIR to a folder that can be written")
                .with_source(error)
        })?;
        sandbox_files::write(folder.path(), true, &sandbox)?;
        let config = Config::load(&folder.path().join(CONFIG))?;
        let store = stored::create(&config)?;
        let keeper = stored::keeper(&config, &store, TIMEOUT)?.spawn()?;
        Ok(Self { keeper, store, config, sandbox, folder })
    }

    pub(super) fn config_path(&self) -> PathBuf {
        self.folder.path().join(CONFIG)
    }

    pub(super) async fn clear(self) -> Result<(), Error> {
        self.keeper.shutdown().await;
        self.sandbox.stop().await;
        drop((self.keeper, self.store));
        self.folder.close().map_err(|error| {
            Error::new(ErrorKind::Internal, Outcome::Unknown, "clear up", "the folder of keys cannot be removed")
                .with_source(error)
        })
    }
}

const CONFIG: &str = "rampauth.toml";
/// How long a request may take, as a profile has it that says nothing.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Something that the demo is there to show is not so.
pub(super) fn broken(action: &'static str, reason: &'static str) -> Error {
    Error::new(ErrorKind::Internal, Outcome::Unknown, action, reason)
}
