//! The expansion, and the errors for what cannot be expanded.

use super::*;

fn error(arguments: &str, source: &str) -> String {
    let arguments = arguments.parse().expect("the test's arguments are tokens");
    expand(arguments, source.parse().expect("the test's source is tokens"))
        .expect_err("this cannot be an actor")
        .to_string()
}

fn expanded(arguments: &str, source: &str) -> String {
    let arguments = arguments.parse().expect("the test's arguments are tokens");
    let tokens = expand(arguments, source.parse().expect("the test's source is tokens")).expect("this is an actor");
    syn::parse2::<syn::File>(tokens.clone()).expect("the expansion parses");
    tokens.to_string()
}

#[test]
fn the_marks_are_taken_away_and_the_names_are_kept() {
    let text = expanded(
        "",
        "#[require_capability(\"a\")] #[odeon::require_capability(\"b\")] impl my::Hello {
            #[handler] fn one(&mut self, message: &One, cx: &mut Context) {}
            #[fallback] fn other(&mut self, message: &AnyMessage, cx: &mut odeon::Context) -> Result<(), Failure> { Ok(()) }
            #[constructor] fn new() -> io::Result<Self> { Ok(Self) }
            #[capability_check] fn check(c: &dyn CapabilityView, r: &Requirements) -> bool { true }
            fn plain(self) {}
        }",
    );
    for mark in ["# [handler]", "# [fallback]", "# [constructor]", "# [capability_check]", "require_capability"] {
        assert!(!text.contains(mark), "{mark} is still in {text}");
    }
    assert!(text.contains("\"Hello\"") && text.contains("[\"a\" , \"b\"]"), "{text}");
    assert!(text.contains("map_err") && !text.contains("Default"), "{text}");
}

#[test]
fn without_marks_it_is_an_actor_by_default_that_ignores_everything() {
    let text = expanded("name = \"Other\"", "impl Hello {}");
    assert!(text.contains("\"Other\"") && text.contains("default :: Default"), "{text}");
}

#[test]
fn errors_say_what_was_found_and_what_was_expected() {
    let handler = |signature: &str| error("", &format!("impl A {{ #[handler] {signature} {{}} }}"));
    for (found, part) in [
        (handler("fn a(message: &M, cx: &mut Context)"), "found no `&mut self`"),
        (handler("fn a(&mut self, message: &M)"), "found 2 arguments"),
        (handler("fn a(&mut self, message: M, cx: &mut Context)"), "not behind `&`"),
        (handler("fn a(&mut self, message: &mut M, cx: &mut Context)"), "found a mutable message"),
        (handler("fn a(&mut self, message: &M, cx: Context)"), "another type than `&mut Context`"),
        (handler("async fn a(&mut self, message: &M, cx: &mut Context)"), "found an async method"),
        (handler("fn a<T>(&mut self, message: &T, cx: &mut Context)"), "found a generic method"),
    ] {
        assert!(found.contains(part) && found.contains(HANDLER), "{found}");
    }
    assert!(handler("fn a(&mut self, message: &AnyMessage, cx: &mut Context)").contains("`#[fallback]`"));
}

const HANDLER: &str = "expected `fn(&mut self, message: &M, cx: &mut Context)`";

#[test]
fn blocks_that_cannot_be_actors_are_refused() {
    for (found, part) in [
        (error("", "struct A;"), "expected `#[actor]` on an `impl` block"),
        (error("", "impl Actor for A {}"), "found an implementation of a trait"),
        (error("", "impl<T> A<T> {}"), "found a generic actor"),
        (error("", "impl (A, B) {}"), "expected the name of the actor's type"),
        (error("title = \"x\"", "impl A {}"), "expected `name = \"...\"`"),
        (error("name = \"\"", "impl A {}"), "the name is empty"),
        (error("", "#[require_capability] impl A {}"), "expected the name of one capability"),
        (error("", "#[require_capability(\"\")] impl A {}"), "the name is empty"),
        (error("", "impl A { #[handler] #[fallback] fn a(&mut self, m: &M, cx: &mut Context) {} }"), "second mark"),
        (error("", "impl A { #[handler(x)] fn a(&mut self, m: &M, cx: &mut Context) {} }"), "unexpected token"),
        (error("", "impl A { #[constructor] fn a() {} }"), "found no result"),
        (error("", "impl A { #[constructor] fn a(x: u8) -> Self {} }"), "found 1 arguments"),
        (error("", "impl A { #[capability_check] fn a(x: u8) -> bool {} }"), "found other arguments"),
        (error("", "impl A { #[fallback] fn a(&mut self, m: &M, cx: &mut Context) {} }"), "found a fallback of one"),
    ] {
        assert!(found.contains(part), "{found:?} does not say {part:?}");
    }
}

#[test]
fn two_handlers_of_one_message_and_two_of_a_mark_are_refused() {
    let twice = error(
        "",
        "impl A {
            #[handler] fn one(&mut self, m: &M, cx: &mut Context) {}
            #[handler] fn two(&mut self, m: &M, cx: &mut Context) {}
        }",
    );
    assert!(twice.contains("`one` already handles `M`"), "{twice}");
    let marks = error("", "impl A { #[constructor] fn a() -> Self {} #[constructor] fn b() -> Self {} }");
    assert!(marks.contains("found a second `#[constructor]`"), "{marks}");
}

#[test]
fn a_requirement_without_an_actor_says_where_it_belongs() {
    assert!(misplaced_requirement(&quote!("x")).to_string().contains("between `#[actor]` and `impl`"));
}
