//! `odeon.toml`: what an image is called, what runs it, and which actor types it has.
//!
//! A [`Manifest`] was checked in full: names, counts and lengths. Expressions are only bounded here; the
//! capabilities crate parses them.

mod code;
mod error;
mod raw;

pub use code::{ARCHITECTURES, Code};
pub use error::ManifestError;

use crate::{Grants, Version};

/// What an image says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Lower-case letters, digits and dashes.
    pub name: String,
    /// Orders the images of one name.
    pub version: Version,
    /// What executes the code.
    pub runtime: Runtime,
    /// The file in the image that holds the code, or one for each processor architecture.
    pub code: Code,
    /// The program of the node that runs the code, a script; only for a process.
    pub interpreter: Option<String>,
    /// What the image's actors share.
    pub isolation: Isolation,
    /// Files and folders that are packed beside the manifest and the code.
    pub include: Vec<String>,
    /// The actor types; at least one.
    pub actors: Vec<ManifestActor>,
    /// What the code asks to reach outside of itself.
    pub grants: Grants,
}

/// What executes an image's actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// A WebAssembly component.
    Wasm,
    /// A program or a script in a process of its own.
    Process,
}

/// What the actors of an image share on a node, where they run in wasm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Isolation {
    /// Nothing: each has an instance of its own.
    #[default]
    Actor,
    /// One instance, with its memory, its limits and its end.
    Image,
}

/// The capability of nodes that run the code of images as processes. Such a node has it, and no other.
pub const PROCESS_CAPABILITY: &str = "odeon.process";

/// The capability of nodes that allow images something outside of themselves. Such a node has it, and no other.
pub const GRANTS_CAPABILITY: &str = "odeon.grants";

/// One actor type of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestActor {
    /// The type's name, unique in the image.
    pub name: String,
    /// Capabilities that must be true where one is to live.
    pub require: Vec<String>,
    /// A CEL expression over the capabilities that must hold there. Not parsed yet.
    pub expression: Option<String>,
}

impl Runtime {
    /// The runtimes that this version knows.
    pub const KNOWN: &[(&str, Self)] = &[("wasm", Self::Wasm), ("process", Self::Process)];

    /// As it is written in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wasm => "wasm",
            Self::Process => "process",
        }
    }
}

impl Isolation {
    /// As they are written in a manifest.
    pub const KNOWN: &[(&str, Self)] = &[("actor", Self::Actor), ("image", Self::Image)];
}

impl Manifest {
    /// Reads and checks the text of an `odeon.toml`.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        raw::parse(text)
    }

    /// Name and version, as people write them.
    pub fn title(&self) -> String {
        let Self { name, version, .. } = self;
        if version.as_str().is_empty() { name.clone() } else { format!("{name}@{version}") }
    }

    /// The capabilities that must be true where an actor type is to live: its own, and what the runtime and the grants need.
    pub fn required(&self, actor: &ManifestActor) -> Vec<String> {
        let of_runtime = (self.runtime == Runtime::Process).then_some(PROCESS_CAPABILITY);
        let of_grants = (!self.grants.is_empty()).then_some(GRANTS_CAPABILITY);
        let needed = of_runtime.into_iter().chain(of_grants).map(str::to_owned);
        let missing = needed.filter(|key| !actor.require.contains(key));
        actor.require.iter().cloned().chain(missing).collect()
    }

    /// The actor type of a name.
    pub fn actor(&self, name: &str) -> Option<&ManifestActor> {
        self.actors.iter().find(|a| a.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::*;

    const GOOD: &str = r#"
name = "hello"
version = "1.0.0"
runtime = "wasm"
code = "hello.wasm"
[[actor]]
name = "Hello"
require = ["Has DB access"]
where = "gpu > 1"
[[actor]]
name = "World"
"#;

    fn error(text: &str) -> String {
        Manifest::parse(text).unwrap_err().to_string()
    }

    fn with(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from));
        GOOD.replacen(from, to, 1)
    }

    #[test]
    fn a_good_manifest_says_what_it_says() {
        let manifest = Manifest::parse(GOOD).unwrap();
        assert_eq!(manifest.name, "hello");
        assert_eq!(manifest.version.as_str(), "1.0.0");
        assert_eq!(manifest.title(), "hello@1.0.0");
        assert_eq!(manifest.runtime, Runtime::Wasm);
        assert_eq!(manifest.code, Code::Any("hello.wasm".into()));
        assert_eq!(manifest.interpreter, None);
        assert_eq!(manifest.isolation, Isolation::Actor);
        assert_eq!(manifest.required(manifest.actor("Hello").unwrap()), ["Has DB access"]);
        assert_eq!(manifest.actor("Hello").unwrap().require, ["Has DB access"]);
        assert_eq!(manifest.actor("Hello").unwrap().expression.as_deref(), Some("gpu > 1"));
        assert_eq!(manifest.actor("World").unwrap().expression, None);
        assert!(manifest.actor("Other").is_none());
    }

    #[test]
    fn a_manifest_without_a_version_has_the_lowest_one() {
        let manifest = Manifest::parse(&with("version = \"1.0.0\"\n", "")).unwrap();
        assert_eq!(manifest.version, Version::none());
        assert_eq!(manifest.title(), "hello");
    }

    #[test]
    fn actors_in_wasm_may_share_an_instance() {
        let isolation = |value: &str| with("\nruntime", &format!("\nisolation = \"{value}\"\nruntime"));
        assert_eq!(Manifest::parse(&isolation("image")).unwrap().isolation, Isolation::Image);
        assert_eq!(Manifest::parse(&isolation("actor")).unwrap().isolation, Isolation::Actor);
        assert_eq!(
            error(&isolation("none")),
            "odeon.toml line 4, isolation: found \"none\", expected one of: actor, image"
        );
        let granted = format!("{}\n[grants]\n", isolation("image"));
        assert!(error(&granted).contains("an image with [grants] has an instance for each actor"));
        let process = PROCESS.replacen("runtime", "isolation = \"image\"\nruntime", 1);
        let found = error(&process);
        assert!(found.starts_with("odeon.toml line 2, isolation: found \"image\", expected no such key"), "{found}");
    }

    #[test]
    fn errors_name_the_line_the_key_what_was_found_and_what_was_expected() {
        assert_eq!(
            error(&with("\"hello\"", "\"Hello\"")),
            "odeon.toml line 2, name: found \"Hello\", expected a lower-case letter or digit, then lower-case letters, digits and dashes"
        );
        assert_eq!(
            error(&with("\"wasm\"", "\"jvm\"")),
            "odeon.toml line 4, runtime: found \"jvm\", expected one of the known runtimes: wasm, process"
        );
        assert_eq!(
            error(&with("\"World\"", "\"Hello\"")),
            "odeon.toml line 11, actor.name: found \"Hello\", expected a name that no other actor of this image has"
        );
        assert!(
            error(&with("\"World\"", "\"9 lives\"")).starts_with("odeon.toml line 11, actor.name: found \"9 lives\"")
        );
        assert!(error(&with("hello.wasm", "../hello.wasm")).starts_with("odeon.toml line 5, code: "));
        assert!(error(&with("1.0.0", "1.0-0")).starts_with("odeon.toml line 3, version: "));
    }

    #[test]
    fn unknown_keys_wrong_types_and_broken_toml_name_their_line() {
        assert!(error(&with("where", "when")).starts_with("odeon.toml line 9: unknown field `when`, expected one of"));
        assert!(error(&with("\"1.0.0\"", "1")).starts_with("odeon.toml line 3: invalid type: integer `1`, expected"));
        assert!(error("name = \n").starts_with("odeon.toml line 1: "));
        assert!(error(&with("name = \"hello\"\n", "")).contains("missing field `name`"));
    }

    #[test]
    fn a_manifest_has_an_actor() {
        let text = GOOD.split("[[actor]]").next().unwrap();
        assert!(error(text).contains("at least one [[actor]]"), "{}", error(text));
    }

    #[test]
    fn every_count_and_length_is_bounded() {
        let many_actors: String = (0..=ACTORS_MAX).map(|i| format!("[[actor]]\nname = \"A{i}\"\n")).collect();
        let head = GOOD.split("[[actor]]").next().unwrap();
        assert!(matches!(
            Manifest::parse(&format!("{head}{many_actors}")),
            Err(ManifestError::TooMany { found, max: ACTORS_MAX, .. }) if found == ACTORS_MAX + 1
        ));
        let many_names = format!("[{}]", "\"a\",".repeat(REQUIRE_MAX + 1));
        assert!(matches!(
            Manifest::parse(&with("[\"Has DB access\"]", &many_names)),
            Err(ManifestError::TooMany { max: REQUIRE_MAX, line: 8, .. })
        ));
        let many_files = format!("code = \"hello.wasm\"\ninclude = [{}]", "\"a\",".repeat(INCLUDE_MAX + 1));
        assert!(matches!(
            Manifest::parse(&with("code = \"hello.wasm\"", &many_files)),
            Err(ManifestError::TooMany { max: INCLUDE_MAX, .. })
        ));
        for (from, bytes, max) in [
            ("\"hello\"", IMAGE_NAME_BYTES_MAX + 1, IMAGE_NAME_BYTES_MAX),
            ("\"World\"", ACTOR_NAME_BYTES_MAX + 1, ACTOR_NAME_BYTES_MAX),
            ("\"gpu > 1\"", WHERE_BYTES_MAX + 1, WHERE_BYTES_MAX),
            ("\"Has DB access\"", REQUIRE_BYTES_MAX + 1, REQUIRE_BYTES_MAX),
        ] {
            let long = format!("\"{}\"", "a".repeat(bytes));
            let found = Manifest::parse(&with(from, &long)).unwrap_err();
            assert!(
                matches!(&found, ManifestError::TooLong { max: m, bytes: b, .. } if *m == max && *b == bytes),
                "{found}"
            );
        }
        let huge = format!("{GOOD}#{}", "x".repeat(MANIFEST_BYTES_MAX));
        assert!(matches!(Manifest::parse(&huge), Err(ManifestError::TooLarge { .. })));
    }

    #[test]
    fn what_is_included_stays_inside_the_folder() {
        for path in ["../secret", "/etc/passwd", "a\\\\b", "c:/x", "a//b", "."] {
            let text = with("code = \"hello.wasm\"", &format!("code = \"hello.wasm\"\ninclude = [\"{path}\"]"));
            assert!(error(&text).starts_with("odeon.toml line 6, include: "), "{}", error(&text));
        }
        let text = with("code = \"hello.wasm\"", "code = \"hello.wasm\"\ninclude = [\"data\", \"LICENSE\"]");
        assert_eq!(Manifest::parse(&text).unwrap().include, ["data", "LICENSE"]);
    }

    const PROCESS: &str = "name = \"hello\"\nruntime = \"process\"\ncode = \"hello.py\"\ninterpreter = \"python3\"\n[[actor]]\nname = \"Hello\"\n";

    #[test]
    fn a_process_has_a_script_with_an_interpreter_or_programs_by_architecture() {
        let script = Manifest::parse(PROCESS).unwrap();
        assert_eq!((script.runtime, script.interpreter.as_deref()), (Runtime::Process, Some("python3")));
        assert_eq!(script.code.of("riscv64"), Some("hello.py"));
        assert_eq!(script.required(script.actor("Hello").unwrap()), [PROCESS_CAPABILITY]);
        let by_architecture = "code = { x86_64 = \"bin/x\", aarch64 = \"bin/a\" }";
        let programs =
            PROCESS.replace("code = \"hello.py\"", by_architecture).replace("interpreter = \"python3\"\n", "");
        let programs = Manifest::parse(&programs).unwrap();
        assert_eq!((programs.code.of("aarch64"), programs.code.of("riscv64")), (Some("bin/a"), None));
        assert_eq!(programs.code.files().collect::<Vec<_>>(), ["bin/a", "bin/x"]);
    }

    #[test]
    fn what_is_wrong_with_the_code_of_a_process_names_its_line() {
        let with = |from: &str, to: &str| {
            assert!(PROCESS.contains(from));
            error(&PROCESS.replacen(from, to, 1))
        };
        for name in ["/usr/bin/python3", "python 3", "-c", "", ".."] {
            let found = with("\"python3\"", &format!("{name:?}"));
            assert!(found.starts_with(&format!("odeon.toml line 4, interpreter: found {name:?}, expected")), "{found}");
        }
        let long = with("\"python3\"", &format!("{:?}", "p".repeat(INTERPRETER_BYTES_MAX + 1)));
        assert!(long.starts_with("odeon.toml line 4, interpreter: found 65 bytes"), "{long}");
        let program = PROCESS.replace("interpreter = \"python3\"\n", "");
        let unknown = error(&program.replace("\"hello.py\"", "{ amd64 = \"hello\" }"));
        assert!(unknown.starts_with("odeon.toml line 3, code: found \"amd64\", expected an architecture"), "{unknown}");
        assert!(with("\"hello.py\"", "{ x86_64 = \"hello\" }").contains("a script runs on every architecture"));
        assert!(with("\"hello.py\"", "{ }").starts_with("odeon.toml line 3, code: "));
        assert!(with("\"hello.py\"", "3").starts_with("odeon.toml line 3, code: "));
        assert!(with("\"hello.py\"", "{ x86_64 = 3 }").starts_with("odeon.toml line 3, code: "));
        assert!(with("\"process\"", "\"wasm\"").starts_with("odeon.toml line 4, interpreter: "));
        let wasm = PROCESS.replace("process", "wasm").replace("interpreter = \"python3\"\n", "");
        assert!(error(&wasm.replace("\"hello.py\"", "{ x86_64 = \"hello\" }")).contains("on every architecture"));
    }
}
