//! The modules of one crate: which file each stands in, what it defines, and the paths in its code. Tests are left out.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, ItemMod, ItemUse, UseTree, Visibility};

use crate::tidy::tree::Tree;

/// A path in code, by its segments.
pub(super) type Path = Vec<String>;

/// A crate's modules; the first is its root.
pub(super) struct Crate(pub(super) Vec<Module>);

#[derive(Default)]
pub(super) struct Module {
    pub(super) file: String,
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, usize>,
    /// What is defined here, by name.
    pub(super) items: BTreeSet<String>,
    /// Names that `use` brings in, and where from.
    pub(super) names: BTreeMap<String, Path>,
    /// Where `use …::*` points.
    pub(super) globs: Vec<Path>,
    /// The paths in its code, those of `use` that is not `pub` included.
    pub(super) mentions: BTreeSet<Path>,
    /// The paths of `pub use`.
    pub(super) reexports: BTreeSet<Path>,
}

/// The files of a member that are the root of a crate.
pub(super) fn roots<'a>(tree: &'a Tree, folder: &str) -> Vec<&'a str> {
    let is_root = |path: &str| match path.split('/').collect::<Vec<_>>()[..] {
        ["src", "lib.rs" | "main.rs"] => true,
        ["src", "bin", file] | ["tests" | "examples" | "benches", file] => file.ends_with(".rs"),
        ["tests" | "examples" | "benches", _, "main.rs"] => true,
        _ => false,
    };
    let inside = |path: &str| path.strip_prefix(folder).and_then(|path| path.strip_prefix('/')).is_some_and(is_root);
    tree.files().map(|(path, _)| path).filter(|path| inside(path)).collect()
}

impl Crate {
    /// Reads the crate behind this root; a file that is no Rust is a problem.
    pub(super) fn read(tree: &Tree, root: &str, problems: &mut Vec<String>) -> Self {
        let mut all = Self(Vec::new());
        // A root looks for its modules beside itself.
        let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
        Reader { tree, problems }.file(&mut all, root, folder, None);
        all
    }
}

struct Reader<'a> {
    tree: &'a Tree,
    problems: &'a mut Vec<String>,
}

impl Reader<'_> {
    /// `folder` is where the files of its child modules stand.
    fn file(&mut self, all: &mut Crate, path: &str, folder: &str, parent: Option<usize>) -> usize {
        let parsed = syn::parse_file(self.tree.get(path).unwrap_or_default());
        let items = parsed.map(|file| file.items).unwrap_or_else(|error| {
            self.problems.push(format!("{path}: not Rust: {error}"));
            Vec::new()
        });
        self.module(all, &items, path, folder, parent)
    }

    fn module(&mut self, all: &mut Crate, items: &[Item], file: &str, folder: &str, parent: Option<usize>) -> usize {
        let index = all.0.len();
        let mut module = Module { file: file.to_owned(), parent, ..Module::default() };
        items.iter().for_each(|item| module.visit_item(item));
        all.0.push(module);
        for item in items {
            if let Item::Mod(child) = item
                && !of_tests(&child.attrs)
            {
                let name = child.ident.to_string();
                let inside = format!("{folder}/{name}");
                let below = match &child.content {
                    Some((_, items)) => Some(self.module(all, items, file, &inside, Some(index))),
                    None => self
                        .file_of(child, file, &inside)
                        .map(|(path, folder)| self.file(all, &path, &folder, Some(index))),
                };
                all.0[index].children.extend(below.map(|below| (name, below)));
            }
        }
        index
    }

    /// Where `mod child;` leads: the file, and the folder of what is below it.
    fn file_of(&mut self, child: &ItemMod, parent: &str, inside: &str) -> Option<(String, String)> {
        if let Some(stated) = child.attrs.iter().find_map(stated_path) {
            let path = joined(parent, &stated);
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
            return Some((path, folder));
        }
        let candidates = [(format!("{inside}.rs"), inside), (format!("{inside}/mod.rs"), inside)];
        let found = candidates.into_iter().find(|(path, _)| self.tree.get(path).is_some());
        if found.is_none() {
            self.problems
                .push(format!("{parent}: `mod {};` has no file; add {inside}.rs or drop the line", child.ident));
        }
        found.map(|(path, folder)| (path, folder.to_owned()))
    }
}

/// What `#[path = "…"]` says.
fn stated_path(attribute: &Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) = &pair.value else { return None };
    attribute.path().is_ident("path").then(|| path.value())
}

/// A path as the file `from` states it, from the root.
fn joined(from: &str, stated: &str) -> String {
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in stated.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Whether this is compiled for tests alone: `cfg(test)`, or `cfg(all(test, …))`.
fn of_tests(attributes: &[Attribute]) -> bool {
    let only_tests = |list: &syn::MetaList| {
        let condition = list.tokens.to_string().replace(' ', "");
        condition == "test" || condition.starts_with("all(test,")
    };
    attributes.iter().any(|it| it.path().is_ident("cfg") && it.meta.require_list().is_ok_and(only_tests))
}

impl Visit<'_> for Module {
    fn visit_item(&mut self, item: &Item) {
        let (name, attributes) = match item {
            Item::Const(it) => (Some(&it.ident), &it.attrs),
            Item::Enum(it) => (Some(&it.ident), &it.attrs),
            Item::Fn(it) => (Some(&it.sig.ident), &it.attrs),
            Item::Impl(it) => (None, &it.attrs),
            Item::Macro(it) => (it.ident.as_ref(), &it.attrs),
            Item::Static(it) => (Some(&it.ident), &it.attrs),
            Item::Struct(it) => (Some(&it.ident), &it.attrs),
            Item::Trait(it) => (Some(&it.ident), &it.attrs),
            Item::Type(it) => (Some(&it.ident), &it.attrs),
            Item::Union(it) => (Some(&it.ident), &it.attrs),
            Item::Use(it) => (None, &it.attrs),
            // A module of its own, and what brings no name of this crate.
            _ => return,
        };
        if !of_tests(attributes) {
            self.items.extend(name.map(ToString::to_string));
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &ImplItem) {
        if !matches!(item, ImplItem::Fn(it) if of_tests(&it.attrs)) {
            visit::visit_impl_item(self, item);
        }
    }

    /// Documentation is no code, and neither are the words of a derive.
    fn visit_attribute(&mut self, _: &Attribute) {}

    fn visit_item_use(&mut self, item: &ItemUse) {
        let is_private = matches!(item.vis, Visibility::Inherited);
        self.leaves(&mut Vec::new(), &item.tree, is_private);
    }

    fn visit_path(&mut self, path: &syn::Path) {
        if path.leading_colon.is_none() {
            self.mentions.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &syn::Macro) {
        self.visit_path(&invocation.path);
        self.tokens(invocation.tokens.clone());
    }
}

impl Module {
    /// What a `use` brings, leaf by leaf.
    fn leaves(&mut self, before: &mut Path, tree: &UseTree, is_private: bool) {
        match tree {
            UseTree::Path(part) => {
                before.push(part.ident.to_string());
                self.leaves(before, &part.tree, is_private);
                before.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.leaves(before, tree, is_private)),
            UseTree::Glob(_) => self.globs.push(before.clone()),
            UseTree::Name(leaf) => self.leaf(before, &leaf.ident.to_string(), None, is_private),
            UseTree::Rename(leaf) => {
                self.leaf(before, &leaf.ident.to_string(), Some(leaf.rename.to_string()), is_private);
            }
        }
    }

    fn leaf(&mut self, before: &Path, name: &str, renamed: Option<String>, is_private: bool) {
        let mut path = before.clone();
        if name != "self" || path.is_empty() {
            path.push(name.to_owned());
        }
        let known_as = renamed.or_else(|| path.last().cloned()).unwrap_or_default();
        if known_as != "_" {
            self.names.entry(known_as).or_insert_with(|| path.clone());
        }
        if is_private {
            self.mentions.insert(path)
        } else {
            self.reexports.insert(path)
        };
    }

    /// The paths in what is given to a macro: names joined by `::`. What follows a dot is a field or a method.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Path::new();
        let mut joins = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => joins += 1,
                TokenTree::Ident(name) => {
                    if joins != 2 && !path.is_empty() {
                        self.mentions.insert(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                    joins = 0;
                }
                other => {
                    self.mentions.insert(std::mem::take(&mut path));
                    joins = 0;
                    if let TokenTree::Punct(mark) = &other
                        && mark.as_char() == '.'
                    {
                        // No item has this name.
                        path.push(String::new());
                        joins = 2;
                    }
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.mentions.insert(path);
    }
}
