//! The configuration file: found, read, and checked as a whole before anything is done with a part of it.

mod example;
mod exposed;
mod fault;
mod key;
mod network;
mod place;
mod profile;
mod sealing;
mod secret;
mod section;
mod store;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rampauth_core::Error;
use rampauth_keeper::SealingKeys;
use toml::de::{DeTable, DeValue};

pub(crate) use example::TEMPLATE;
pub(crate) use exposed::others_may_write;
pub(crate) use network::{CaFile, Network, Proxy};
pub(crate) use place::{not_expanded, printable};
pub(crate) use profile::{AlixPartner, PayByMerchant, Profile, Provider};
pub(crate) use secret::{SecretRef, Source as SecretSource};

use crate::nearest::nearest;
use crate::{env, input};
use network::Networks;
use place::{ACTION, File, Place};
use sealing::Sealing;
use section::Section;
use store::StorePlace;

/// The most that a configuration file may hold, in bytes: 1 MiB.
const MAX_LENGTH: usize = 1024 * 1024;
/// How long one step in the store may take unless the file says otherwise, in seconds.
const DEFAULT_STORE_TIMEOUT: u64 = 5;
const MAX_STORE_TIMEOUT: u64 = 60;
const VARIABLE: &str = "RAMPAUTH_CONFIG";
const DEFAULT: &str = "rampauth.toml";
const WRITE_STORE: &str = r#"write store = "sqlite:FILE"; the file is made where there is none"#;

/// A configuration file, all of it valid; the secrets that it names have not been looked at yet.
#[derive(Debug)]
pub(crate) struct Config {
    file: File,
    /// Where sessions are kept, and where that is said.
    store: Option<(StorePlace, Place)>,
    /// How long one step in the store may take.
    pub(crate) store_timeout: Duration,
    sealing: Option<Sealing>,
    profiles: BTreeMap<String, Arc<Profile>>,
}

/// The file that is meant: the argument, else `RAMPAUTH_CONFIG`, else `./rampauth.toml`.
pub(crate) fn path(argument: Option<&Path>) -> PathBuf {
    match argument {
        Some(path) => path.to_owned(),
        None => env::setting(VARIABLE).map_or_else(|| PathBuf::from(DEFAULT), PathBuf::from),
    }
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// What is wrong with it, by profile and key; never a value.
    pub(crate) fn load(path: &Path) -> Result<Self, Error> {
        let name = path.display();
        let text = match input::file(path, MAX_LENGTH) {
            Ok(Some(text)) => text,
            Ok(None) => {
                return Err(Error::config(ACTION, format!("{name} is longer than 1 MiB"))
                    .with_help("give the configuration with --config or RAMPAUTH_CONFIG"));
            }
            Err(error) => {
                let help = "give a file with --config or RAMPAUTH_CONFIG, or write one with `rampauth init`";
                return Err(Error::config(ACTION, format!("{name} cannot be read"))
                    .with_help(not_expanded(path).unwrap_or(help))
                    .with_source(error));
            }
        };
        let text = input::text(&text).map_err(|it| {
            Error::config(ACTION, format!("{name} is {it}"))
                .with_help("save the file as UTF-8, which TOML is written in")
        })?;
        let config = Self::parse(text, File::new(path, text))?;
        tracing::debug!(file = %name, profiles = config.profiles.len(), "read the configuration");
        Ok(config)
    }

    fn parse(text: &str, file: File) -> Result<Self, Error> {
        let table = match DeTable::parse(text) {
            Ok(table) => table.into_inner(),
            Err(error) => return Err(fault::explain(&file, text, &error)),
        };
        let mut top = Section::new(Place::top(&file), table);
        top.allow(&["store", "store_timeout_seconds", "sealing_key", "readable_keys", "proxy", "ca_file", "profile"])?;
        let store = match top.text("store")? {
            Some((text, place)) => {
                let store = StorePlace::read(&text).map_err(|reason| place.refuse(reason).with_help(WRITE_STORE))?;
                Some((store, place))
            }
            None => None,
        };
        let store_timeout = top.number("store_timeout_seconds", 1, MAX_STORE_TIMEOUT)?.unwrap_or(DEFAULT_STORE_TIMEOUT);
        let store_timeout = Duration::from_secs(store_timeout);
        let sealing = Sealing::read(&mut top)?;
        let mut networks = Networks::read(&mut top)?;
        let mut profiles = BTreeMap::new();
        for (name, value) in top.tables("profile")? {
            let place = Place::profile(&file, &name, value.span().start);
            if name.is_empty() {
                return Err(place.refuse("a profile needs a name").with_help("write `[profile.card]`, for example"));
            }
            let DeValue::Table(table) = value.into_inner() else {
                return Err(place.refuse(format!("it is not a table, written `[profile.{}]`", printable(&name))));
            };
            let profile = Profile::read(&name, Section::new(place, table), &mut networks)?;
            profiles.insert(name, Arc::new(profile));
        }
        Ok(Self { file, store, store_timeout, sealing, profiles })
    }

    /// The folder that the file is in.
    pub(crate) fn folder(&self) -> &Path {
        self.file.folder()
    }

    /// The SQLite file that sessions are kept in.
    ///
    /// # Errors
    ///
    /// When the configuration names no store, one that keeps nothing beyond the command, or one of another kind.
    pub(crate) fn sqlite(&self) -> Result<PathBuf, Error> {
        let Some((store, place)) = &self.store else {
            let place = Place::top(&self.file).missing_key("store");
            return Err(place.refuse("it is missing, and says where sessions are kept").with_help(WRITE_STORE));
        };
        match store {
            StorePlace::Sqlite(path) => Ok(place.resolve(path)),
            StorePlace::Memory => {
                Err(place.refuse("`memory:` forgets every session when the command ends").with_help(WRITE_STORE))
            }
            StorePlace::NotYet => {
                Err(place.refuse("this store is not supported yet, only `sqlite:FILE` is").with_help(WRITE_STORE))
            }
        }
    }

    /// The keys that tokens are sealed with, fetched; `None` where they are not to be.
    ///
    /// # Errors
    ///
    /// When a key cannot be had or is none.
    pub(crate) fn sealing(&self) -> Result<Option<SealingKeys>, Error> {
        self.sealing.as_ref().map(Sealing::load).transpose()
    }

    /// The same where they have to be given.
    ///
    /// # Errors
    ///
    /// As [`sealing`](Self::sealing); and when there are none.
    pub(crate) fn sealing_keys(&self) -> Result<SealingKeys, Error> {
        self.sealing()?.ok_or_else(|| Sealing::missing(&Place::top(&self.file)))
    }

    /// All profiles, by name.
    pub(crate) fn profiles(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.profiles.values()
    }

    /// The profile of this name.
    ///
    /// # Errors
    ///
    /// When there is none; the error lists those that there are.
    pub(crate) fn profile(&self, name: &str) -> Result<&Profile, Error> {
        self.profiles.get(name).map(Arc::as_ref).ok_or_else(|| {
            let names: Vec<String> = self.profiles.keys().map(|name| printable(name)).collect();
            let there = if names.is_empty() { "no profile at all".to_owned() } else { names.join(", ") };
            let perhaps = match nearest(name, self.profiles.keys().map(String::as_str)) {
                Some(known) => format!("perhaps `{}`; ", printable(known)),
                None => String::new(),
            };
            let file = self.file.name();
            let reason = format!("there is no profile `{}` in {file}; {perhaps}it has {there}", printable(name));
            Error::config(ACTION, reason)
                .with_help("name one of the file's profiles, or give another file with --config")
        })
    }
}
