//! From the paths in a crate's code to the files that define what they name, through every `use` and `pub use` on the way.

use super::modules::{Crate, Module};

/// A file that uses something of another one.
pub(super) struct Import {
    pub(super) from: String,
    pub(super) to: String,
    /// What it uses.
    pub(super) name: String,
}

/// How many `use` a name may go through: what is deeper goes in a circle.
const DEEPEST: usize = 16;

/// What a path leads to.
enum Found {
    /// A module, which is no import by itself: what is used of it is.
    Module(usize),
    /// What this module defines under this name.
    Item(usize, String),
    /// Something of another crate.
    Elsewhere,
}

pub(super) fn between_files(of: &Crate) -> Vec<Import> {
    let mut imports = Vec::new();
    for (here, module) in of.0.iter().enumerate() {
        let mut import = |there: usize, name: &str| {
            let (from, to) = (module.file.clone(), of.0[there].file.clone());
            if from != to {
                imports.push(Import { from, to, name: name.to_owned() });
            }
        };
        let paths = module.mentions.iter().map(|path| (path, false));
        for (path, is_reexport) in paths.chain(module.reexports.iter().map(|path| (path, true))) {
            if let Some(Found::Item(there, name)) = of.resolve(here, path, 0)
                && !(is_reexport && of.is_below(there, here))
            {
                import(there, &name);
            }
        }
        for path in &module.globs {
            if let Some(Found::Module(there)) = of.resolve(here, path, 0)
                && let Some(name) = of.0[there].items.first()
                && !of.is_below(there, here)
            {
                import(there, name);
            }
        }
    }
    imports
}

impl Crate {
    fn resolve(&self, here: usize, path: &[String], depth: usize) -> Option<Found> {
        let (first, rest) = path.split_first()?;
        let mut module = match first.as_str() {
            _ if depth > DEEPEST => return None,
            "crate" => 0,
            "self" => here,
            "super" => self.0[here].parent?,
            name => match self.lookup(here, name, rest.is_empty(), depth) {
                Some(Found::Module(module)) => module,
                other => return other,
            },
        };
        for (number, name) in rest.iter().enumerate() {
            if name == "super" {
                module = self.0[module].parent?;
                continue;
            }
            match self.lookup(module, name, number + 1 == rest.len(), depth) {
                Some(Found::Module(next)) => module = next,
                // A name that nothing brings is made by a macro.
                None => return Some(Found::Item(module, name.clone())),
                other => return other,
            }
        }
        Some(Found::Module(module))
    }

    /// What a name is in a module. At the end of a path an item goes before a module of the same name, before that a module.
    fn lookup(&self, here: usize, name: &str, is_last: bool, depth: usize) -> Option<Found> {
        let Module { children, items, names, globs, .. } = &self.0[here];
        let child = children.get(name).map(|child| Found::Module(*child));
        let item = items.contains(name).then(|| Found::Item(here, name.to_owned()));
        // A path that begins with a name and leads nowhere in this crate begins with another crate.
        let through = |path: &Vec<String>| self.resolve(here, path, depth + 1).unwrap_or(Found::Elsewhere);
        let used = || names.get(name).map(through);
        let plain = if is_last { item.or_else(used).or(child) } else { child.or_else(used).or(item) };
        plain.or_else(|| {
            globs.iter().find_map(|path| match self.resolve(here, path, depth + 1)? {
                Found::Module(module) if depth < DEEPEST => self.lookup(module, name, is_last, depth + 1),
                _ => None,
            })
        })
    }

    /// Whether a module stands below another one.
    fn is_below(&self, module: usize, above: usize) -> bool {
        let mut parents = std::iter::successors(Some(module), |module| self.0[*module].parent);
        parents.any(|module| module == above)
    }
}
