//! From the root of a crate over everything public, as rustdoc's JSON has it.
//!
//! The format is followed by its shape rather than by its types: a reference to a type or trait is any object with
//! `path`, `id` and `args`, wherever it stands. So a new kind of item is looked at without a change here.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use crate::workspace::list;

/// What was seen of a crate's API.
pub(super) struct Api<'a> {
    description: &'a Value,
    allowed: &'a [&'a str],
    exception: (&'a str, &'a str),
    seen: HashSet<u64>,
    /// Public items, implementations included.
    pub(super) items: usize,
    /// References to types and traits in them.
    pub(super) references: usize,
    /// Where a type or trait of a crate that is not allowed is named.
    pub(super) leaks: BTreeSet<String>,
}

/// Where an item keeps the ids of what stands in it.
const CHILDREN: [&str; 9] = [
    "/items",
    "/impls",
    "/implementations",
    "/variants",
    "/fields",
    "/kind/plain/fields",
    "/kind/struct/fields",
    "/kind/tuple",
    "/kind/tuple/fields",
];

impl<'a> Api<'a> {
    /// `allowed`: whose types may be named. `exception`: the one item that may name one other type.
    pub(super) fn walk(description: &'a Value, allowed: &'a [&'a str], exception: (&'a str, &'a str)) -> Self {
        let (seen, leaks) = (HashSet::new(), BTreeSet::new());
        let mut api = Self { description, allowed, exception, seen, items: 0, references: 0, leaks };
        let root = &description["root"];
        let name = api.item(root)["name"].as_str().unwrap_or_default();
        api.visit(root, "", name);
        api
    }

    fn item(&self, id: &Value) -> &'a Value {
        &self.description["index"][id.to_string()]
    }

    /// `name` is the one to use where the item has none, or is re-exported under another.
    fn visit(&mut self, id: &Value, parent: &str, name: &str) {
        let item = self.item(id);
        let Some((kind, inner)) = item["inner"].as_object().and_then(|inner| inner.iter().next()) else {
            return;
        };
        if item["crate_id"] != 0 || !id.as_u64().is_some_and(|id| self.seen.insert(id)) {
            return;
        }
        let place = match (parent.is_empty(), name.is_empty()) {
            (true, _) => name.to_owned(),
            (_, true) => parent.to_owned(),
            _ => format!("{parent}::{name}"),
        };
        match kind.as_str() {
            // What the compiler adds to every type, and what a foreign blanket implementation adds.
            "impl" if inner["is_synthetic"] == true || !inner["blanket_impl"].is_null() => return,
            "use" => return self.visit_use(inner, parent),
            _ => {}
        }
        self.items += 1;
        self.references_in(inner, &place);
        for child in CHILDREN.iter().filter_map(|path| inner.pointer(path)).flat_map(list) {
            let child_name = self.item(child)["name"].as_str().unwrap_or_default();
            self.visit(child, &place, child_name);
        }
    }

    /// A re-export: of our own, then it is followed; of another crate, then it is a reference.
    fn visit_use(&mut self, inner: &Value, parent: &str) {
        let glob = inner["is_glob"] == true;
        let name = if glob { "" } else { inner["name"].as_str().unwrap_or_default() };
        if self.item(&inner["id"]).is_object() {
            return self.visit(&inner["id"], parent, name);
        }
        let source = inner["source"].as_str().unwrap_or_default();
        self.refer(&inner["id"], source, &format!("{parent}::{}", inner["name"].as_str().unwrap_or_default()));
    }

    fn references_in(&mut self, value: &Value, place: &str) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.references_in(value, place)),
            Value::Object(members) => {
                if let (Some(Value::String(path)), Some(id), true) =
                    (members.get("path"), members.get("id"), members.contains_key("args"))
                {
                    self.refer(id, path, place);
                }
                members.values().for_each(|value| self.references_in(value, place));
            }
            _ => {}
        }
    }

    fn refer(&mut self, id: &Value, written: &str, place: &str) {
        self.references += 1;
        let path = &self.description["paths"][id.to_string()];
        let owner = match path["crate_id"].as_u64() {
            Some(0) => return,
            Some(owner) => self.description["external_crates"][owner.to_string()]["name"].as_str(),
            // A private item of the crate has no path; it is described like any other.
            None if self.item(id)["crate_id"] == 0 => return,
            None => None,
        };
        let owner = owner.unwrap_or("an unknown crate");
        let name = list(&path["path"]).last().and_then(Value::as_str).unwrap_or(written);
        let named = format!("{owner}::{name}");
        if !self.allowed.contains(&owner) && (place, named.as_str()) != self.exception {
            self.leaks.insert(format!("{place}: names `{named}`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A crate `ours` whose root holds the item 1, of the given kind; 2 to 4 are what it may refer to.
    fn describe(item: &Value, more: &[(u64, Value)]) -> Value {
        let mut index = json!({
            "0": {"name": "ours", "crate_id": 0, "inner": {"module": {"items": [1]}}},
            "1": {"name": "Thing", "crate_id": 0, "inner": item},
        });
        for (id, inner) in more {
            index[id.to_string()] = json!({"name": format!("item{id}"), "crate_id": 0, "inner": inner});
        }
        json!({
            "root": 0,
            "index": index,
            "paths": {
                "2": {"crate_id": 7, "path": ["std", "string", "String"]},
                "3": {"crate_id": 8, "path": ["foreign", "deep", "Value"]},
                "1": {"crate_id": 0, "path": ["ours", "Thing"]},
            },
            "external_crates": {"7": {"name": "std"}, "8": {"name": "foreign"}},
        })
    }

    fn reference(id: u64) -> Value {
        json!({"resolved_path": {"path": "X", "id": id, "args": null}})
    }

    fn leaks(description: &Value) -> Vec<String> {
        Api::walk(description, &["std"], ("ours::door", "foreign::Value")).leaks.into_iter().collect()
    }

    #[test]
    fn std_and_ours_are_fine_and_anothers_type_is_a_leak_however_deep_it_stands() {
        let alias = |id| json!({"type_alias": {"type": {"slice": {"tuple": [reference(2), reference(id)]}}}});
        assert_eq!(leaks(&describe(&alias(1), &[])), [""; 0]);
        assert_eq!(leaks(&describe(&alias(3), &[])), ["ours::Thing: names `foreign::Value`"]);
        assert_eq!(leaks(&describe(&alias(9), &[])), ["ours::Thing: names `an unknown crate::X`"]);
        let api = describe(&alias(1), &[]);
        let api = Api::walk(&api, &["std"], ("", ""));
        assert_eq!((api.items, api.references), (2, 2));
    }

    #[test]
    fn fields_methods_variants_and_traits_are_followed() {
        let field = |id| json!({"struct_field": reference(id)});
        let holders = [
            json!({"struct": {"kind": {"plain": {"fields": [5]}}, "impls": []}}),
            json!({"struct": {"kind": {"tuple": [null, 5]}, "impls": []}}),
            json!({"enum": {"variants": [6], "impls": []}}),
            json!({"struct": {"kind": "unit", "impls": [7]}}),
            json!({"trait": {"items": [5], "implementations": []}}),
            json!({"trait": {"items": [], "implementations": [7]}}),
        ];
        let variant = json!({"variant": {"kind": {"struct": {"fields": [5]}}}});
        let implementation =
            json!({"impl": {"is_synthetic": false, "blanket_impl": null, "items": [5], "trait": null}});
        for holder in holders {
            for (id, found) in [(2, 0), (3, 1)] {
                let more = [(5, field(id)), (6, variant.clone()), (7, implementation.clone())];
                assert_eq!(leaks(&describe(&holder, &more)).len(), found, "{holder}");
            }
        }
    }

    #[test]
    fn a_foreign_trait_is_a_leak_unless_the_compiler_or_a_blanket_brings_it() {
        let holder = json!({"struct": {"kind": "unit", "impls": [5]}});
        let of = |synthetic: bool, blanket: Value| {
            let path = json!({"path": "X", "id": 3, "args": null});
            json!({"impl": {"is_synthetic": synthetic, "blanket_impl": blanket, "items": [], "trait": path}})
        };
        let found = |implementation| leaks(&describe(&holder, &[(5, implementation)])).len();
        assert_eq!((found(of(false, Value::Null)), found(of(true, Value::Null))), (1, 0));
        assert_eq!(found(of(false, json!({"generic": "T"}))), 0);
    }

    #[test]
    fn re_exports_are_followed_or_named() {
        let of = |id: u64, glob: bool| json!({"use": {"source": "a::B", "name": "B", "id": id, "is_glob": glob}});
        assert_eq!(leaks(&describe(&of(3, false), &[])), ["ours::B: names `foreign::Value`"]);
        assert_eq!(leaks(&describe(&of(2, false), &[])), [""; 0]);
        let inner = json!({"module": {"items": [6]}});
        let more = [(5, inner), (6, json!({"constant": {"type": reference(3)}}))];
        assert_eq!(leaks(&describe(&of(5, true), &more)), ["ours::item6: names `foreign::Value`"]);
    }

    #[test]
    fn the_exception_is_one_item_and_one_type() {
        let mut description = describe(&json!({"function": {"sig": reference(3)}}), &[]);
        assert_eq!(leaks(&description).len(), 1);
        description["index"]["1"]["name"] = json!("door");
        assert_eq!(leaks(&description), [""; 0]);
        description["paths"]["3"]["path"] = json!(["foreign", "Other"]);
        assert_eq!(leaks(&description).len(), 1);
    }
}
