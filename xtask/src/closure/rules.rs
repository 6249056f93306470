//! The rules of the architecture that a dependency graph can break.

use crate::dependency_tree::{Closure, Closures};
use crate::workspace::Package;

/// By folder in `crates/`: the crates of ours it may be built with. The command line may use them all, a crate elsewhere has no
/// rule.
fn allowed(package: &Package) -> Option<&'static [&'static str]> {
    match package.folder.strip_prefix("crates/")? {
        // The sandbox shares no code with what it tests, so that a bug cannot cancel itself out.
        "core" | "sandbox" => Some(&[]),
        "store" => Some(&["rampauth-core"]),
        // An engine needs what is stored, and nothing of what drives it.
        "keeper" => Some(&["rampauth-core", "rampauth-store"]),
        store if store.starts_with("store-") => Some(&["rampauth-core", "rampauth-store"]),
        _ if package.is_provider() => Some(&["rampauth-core"]),
        _ => None,
    }
}

/// The folder of the one crate that may use all the others.
const COMMAND_LINE: &str = "crates/cli";

/// Which published crate may depend on which: all features and platforms, as the manifests declare it.
pub(super) fn directions(published: &[&Package], problems: &mut Vec<String>) -> usize {
    for package in published {
        let manifest = format!("{}/Cargo.toml", package.folder);
        let allowed = allowed(package);
        if allowed.is_none() && package.folder != COMMAND_LINE {
            problems.push(format!(
                "{manifest}: a published crate outside of `crates/`; move it there, where `allowed` in \
                 xtask/src/closure/rules.rs says what it may use"
            ));
        }
        for dependency in package.dependencies.iter().filter(|name| name.starts_with("rampauth")) {
            if !published.iter().any(|other| other.name == *dependency) {
                problems.push(format!(
                    "{manifest}: depends on `{dependency}`, which is not published; make it a dev-dependency"
                ));
            } else if allowed.is_some_and(|allowed| !allowed.contains(&dependency.as_str())) {
                problems.push(format!(
                    "{manifest}: may not depend on `{dependency}`; ARCHITECTURE.md has the directions, `allowed` in \
                     xtask/src/closure/rules.rs the rule of each crate"
                ));
            }
        }
    }
    published.len()
}

/// A client, its TLS, its runtime and the local signers: what a caller may bring instead.
const BACKENDS: [&str; 11] = [
    "aws-lc-rs",
    "aws-lc-sys",
    "hyper",
    "hyper-util",
    "native-tls",
    "openssl",
    "reqwest",
    "ring",
    "rsa",
    "rustls",
    "tokio",
];

/// The most crates that a service downloads for Transak with its own client.
const MOST_FOR_TRANSAK: usize = 40;

/// What one crate may not pull in.
pub(super) fn hold(package: &Package, closures: &Closures, problems: &mut Vec<String>) -> usize {
    let mut rules = 0;
    let mut without = |closure: &Closure, set: &str, forbidden: &[&str], why: &str| {
        rules += 1;
        for name in closure.names().into_iter().filter(|name| forbidden.contains(name)) {
            problems.push(format!(
                "{}: {set} pulls in `{name}`: {why}; find the way with `cargo tree -p {} -i {name} -e normal`",
                package.folder, package.name
            ));
        }
    };
    if package.is_provider() || package.is_named(&["rampauth-core"]) {
        without(
            &closures.none,
            "default-features = false",
            &BACKENDS,
            "a caller brings client and signer, or turns them on",
        );
    }
    if package.is_named(&["rampauth-transak", "rampauth-onboard"]) {
        without(&closures.default, "the default", &["rsa"], "this provider signs nothing with RSA");
    }
    if package.is_named(&["rampauth-sandbox"]) {
        without(
            &closures.all,
            "any feature",
            &["rsa"],
            "the sandbox verifies with another implementation than the clients sign with",
        );
    }
    if package.is_named(&["rampauth-transak"]) {
        rules += 1;
        let number = closures.none.0.len();
        if number > MOST_FOR_TRANSAK {
            problems.push(format!(
                "{}: default-features = false pulls in {number} crates, more than {MOST_FOR_TRANSAK}; look for one to do without",
                package.folder
            ));
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &str, name: &str, dependencies: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            folder: folder.to_owned(),
            published: true,
            library: None,
            features: Vec::new(),
            rust_version: None,
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn closure(names: &[&str]) -> Closure {
        Closure(names.iter().map(|name| ((*name).to_owned(), "1.0.0".to_owned())).collect())
    }

    fn closures(none: &[&str], default: &[&str], all: &[&str]) -> Closures {
        Closures { none: closure(none), default: closure(default), all: closure(all) }
    }

    #[test]
    fn each_crate_depends_only_where_it_may() {
        let core = package("crates/core", "rampauth-core", &["http"]);
        for (folder, dependency, fine) in [
            ("crates/alix", "rampauth-core", true),
            ("crates/alix", "rampauth-transak", false),
            ("crates/alix", "rampauth-keeper", false),
            ("crates/alix", "rampauth-test-kit", false),
            ("crates/core", "rampauth-alix", false),
            ("crates/sandbox", "rampauth-core", false),
            ("crates/keeper", "rampauth-core", true),
            ("crates/keeper", "rampauth-alix", false),
            ("crates/keeper", "rampauth-store", true),
            ("crates/store", "rampauth-core", true),
            ("crates/store", "rampauth-keeper", false),
            ("crates/store-redis", "rampauth-store", true),
            ("crates/store-redis", "rampauth-keeper", false),
            ("crates/store-redis", "rampauth-alix", false),
            ("crates/cli", "rampauth-alix", true),
            ("crates/foo", "rampauth-core", true),
            ("crates/foo", "rampauth-alix", false),
            ("tests/foo", "rampauth-core", false),
        ] {
            let tested = package(folder, "rampauth-tested", &[dependency]);
            let (keeper, alix) =
                (package("crates/keeper", "rampauth-keeper", &[]), package("crates/alix", "rampauth-alix", &[]));
            let transak = package("crates/transak", "rampauth-transak", &[]);
            let store = package("crates/store", "rampauth-store", &[]);
            let mut problems = Vec::new();
            assert_eq!(directions(&[&core, &keeper, &store, &alix, &transak, &tested], &mut problems), 6);
            assert_eq!(problems.is_empty(), fine, "{folder} on {dependency}: {problems:#?}");
        }
    }

    #[test]
    fn a_forbidden_crate_is_found_in_the_set_that_may_not_have_it() {
        let (transak, alix) =
            (package("crates/transak", "rampauth-transak", &[]), package("crates/alix", "rampauth-alix", &[]));
        let sandbox = package("crates/sandbox", "rampauth-sandbox", &[]);
        for (tested, sets, found) in [
            (&transak, closures(&["http"], &["reqwest", "tokio"], &["rsa"]), 0),
            (&transak, closures(&["http", "tokio"], &[], &[]), 1),
            (&transak, closures(&[], &["rsa"], &[]), 1),
            (&alix, closures(&[], &["rsa", "reqwest"], &[]), 0),
            (&alix, closures(&["rsa", "hyper"], &[], &[]), 2),
            (&sandbox, closures(&["tokio"], &["hyper"], &["rsa"]), 1),
        ] {
            let mut problems = Vec::new();
            assert!(hold(tested, &sets, &mut problems) > 0);
            assert_eq!(problems.len(), found, "{problems:#?}");
        }
    }

    #[test]
    fn transak_stays_small() {
        let transak = package("crates/transak", "rampauth-transak", &[]);
        for (number, found) in [(MOST_FOR_TRANSAK, 0), (MOST_FOR_TRANSAK + 1, 1)] {
            let names: Vec<_> = (0..number).map(|it| format!("crate-{it}")).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let mut problems = Vec::new();
            hold(&transak, &closures(&names, &[], &[]), &mut problems);
            assert_eq!(problems.len(), found, "{problems:#?}");
        }
    }
}
