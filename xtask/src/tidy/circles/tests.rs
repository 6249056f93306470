//! Small crates, each with or without a circle of files.

use super::*;

const MANIFESTS: [(&str, &str); 2] =
    [("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"), ("crates/a/Cargo.toml", "[package]\n")];

fn look(files: &[(&str, &str)]) -> (usize, Vec<String>) {
    let mut problems = Vec::new();
    let files: Vec<_> = MANIFESTS.into_iter().chain(files.iter().copied()).collect();
    let looked_at = none(&Tree::of(&files), &mut problems);
    (looked_at, problems)
}

/// A crate of the modules `one` and `two`, with what stands in each.
fn of_two(one: &str, two: &str) -> (usize, Vec<String>) {
    let (lib, one_rs, two_rs) = ("crates/a/src/lib.rs", "crates/a/src/one.rs", "crates/a/src/two.rs");
    look(&[(lib, "mod one;\nmod two;\npub use one::One;\n"), (one_rs, one), (two_rs, two)])
}

#[test]
fn two_files_that_import_each_other_are_a_circle() {
    let circle = "crates/a/src/one.rs: imports itself: one.rs uses `Two` of two.rs, two.rs uses `One` of one.rs; \
                  move what they share into a file below them";
    for (one, two) in [
        ("use crate::two::Two;\npub struct One;", "use super::one::One;\npub struct Two;"),
        ("pub struct One(crate::two::Two);", "pub struct Two(Option<super::one::One>);"),
        // Through a re-export, a module's name, another name, a glob, a macro, and a name that a macro makes.
        ("use crate::two::Two;\npub struct One;", "use crate::One;\npub struct Two;"),
        ("use crate::two;\npub struct One(two::Two);", "use crate::{one as first};\npub struct Two(first::One);"),
        ("use crate::two::Two as Other;\npub struct One;", "use crate::one::*;\npub struct Two;"),
        ("pub struct One;\nfn f() { g!(1, crate::two::Two); }", "use crate::one::One as _;\npub struct Two;"),
        ("make!(One);\nuse crate::two::Two;", "use crate::one::One;\nmake!(Two);"),
        ("pub struct One;\nfn f() { use crate::two::Two; }", "pub struct Two;\nimpl crate::one::One for Two {}"),
    ] {
        assert_eq!(of_two(one, two), (2, vec![circle.to_owned()]), "{one}\n{two}");
    }
}

#[test]
fn imports_in_one_direction_are_no_circle() {
    for (one, two) in [
        ("use crate::two::Two;\npub struct One;", "pub struct Two;"),
        ("use crate::two::Two;", "/// [`One`](crate::one::One)\npub struct Two;\n#[cfg(test)]\nuse crate::one::One;"),
        ("use crate::two::Two;", "pub struct Two;\n#[cfg(test)]\nmod tests { use crate::one::One; }"),
        ("use crate::two::Two;", "pub struct Two;\nimpl Two { #[cfg(all(test, unix))]\nfn t() { crate::one::one() } }"),
        ("use crate::two::Two;", "use one::One;\nuse std::one;\npub struct Two(one::One, ::one::One);"),
        ("use crate::two::Two;\npub fn one() {}", "pub struct Two;\nfn f(it: It) { g!(it.one()); }\nuse crate::one;"),
    ] {
        assert_eq!(of_two(one, two), (1, Vec::new()), "{one}\n{two}");
    }
}

#[test]
fn a_parent_may_hand_on_what_its_child_defines_and_not_use_it_when_the_child_imports_the_parent() {
    let (lib, child) = ("crates/a/src/lib.rs", "crates/a/src/child/mod.rs");
    for (parent, below, circles) in [
        ("mod child;\npub use child::Child;\npub struct Parent;", "use super::Parent;\npub struct Child;", 0),
        ("mod child;\npub use child::*;\npub struct Parent;", "use super::Parent;\npub struct Child;", 0),
        ("mod child;\nuse child::Child;\npub struct Parent;", "pub struct Child;", 0),
        ("mod child;\nuse child::Child;\npub struct Parent;", "use super::Parent;\npub struct Child;", 1),
        ("mod child;\npub use child::Child;\npub struct Parent(Child);", "use super::Parent;\npub struct Child;", 1),
        ("mod child;\npub use child::*;\npub struct Parent(Child);", "use super::Parent;\npub struct Child;", 1),
        // A crate of the same name, a method of the same name.
        ("mod child;\npub struct Parent(::child::Child);", "use super::Parent;\npub struct Child;", 0),
        ("mod child;\npub use child::f;\npub struct Parent;\ng!(it.f());", "use super::Parent;\npub fn f() {}", 0),
        ("mod child;\npub use child::f;\npub struct Parent;\ng!(it, f());", "use super::Parent;\npub fn f() {}", 1),
        // A module in the same file is no file.
        ("mod child { use super::P;\npub struct C; }\nuse child::C;\nstruct P;", "", 0),
    ] {
        let (looked_at, problems) = look(&[(lib, parent), (child, below)]);
        assert_eq!(problems.len(), circles, "{parent}\n{below}\n{problems:#?}");
        assert_eq!(looked_at, usize::from(!below.is_empty()) + circles, "{parent}\n{below}");
    }
}

#[test]
fn the_shortest_circle_of_each_group_is_named_in_order() {
    let lib = "mod a;\nmod b;\nmod c;\nmod d;\nmod e;\n";
    let (looked_at, problems) = look(&[
        ("crates/a/src/main.rs", lib),
        ("crates/a/src/a.rs", "use crate::b::B;\npub struct A;"),
        ("crates/a/src/b.rs", "use crate::c::C;\npub struct B;"),
        ("crates/a/src/c.rs", "use crate::a::A;\npub struct C;"),
        ("crates/a/src/d.rs", "use crate::e::E;\nuse crate::a::A;\npub struct D;"),
        ("crates/a/src/e.rs", "use crate::d::D;\npub struct E;"),
    ]);
    assert_eq!(looked_at, 6);
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(
        problems[0].contains("a.rs uses `B` of b.rs, b.rs uses `C` of c.rs, c.rs uses `A` of a.rs;"),
        "{problems:#?}"
    );
    assert!(problems[1].contains("d.rs uses `E` of e.rs, e.rs uses `D` of d.rs;"), "{problems:#?}");
}

#[test]
fn files_of_tests_are_held_and_a_stated_path_is_followed() {
    let (_, problems) = look(&[
        ("crates/a/tests/all/main.rs", "#[path = \"../help.rs\"]\nmod help;\nmod rows;\nuse rows::ROWS;"),
        ("crates/a/tests/help.rs", "pub use super::rows::ROWS;\npub fn help() {}"),
        ("crates/a/tests/all/rows.rs", "use crate::help::help;\npub const ROWS: u8 = 1;"),
    ]);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains("crates/a/tests/help.rs uses `ROWS` of rows.rs"), "{problems:#?}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let (_, problems) = look(&[("crates/a/src/lib.rs", "mod gone;\nmod bad;"), ("crates/a/src/bad.rs", "fn")]);
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[0].contains("`mod gone;` has no file") && problems[1].contains("not Rust"), "{problems:#?}");
}
