//! The manifest as TOML has it, and the checks that make a [`Manifest`] of it.

mod grants;

use super::{ARCHITECTURES, Code, Isolation, Manifest, ManifestActor, ManifestError, Runtime};
use crate::limits::{
    ACTOR_NAME_BYTES_MAX, ACTORS_MAX, IMAGE_NAME_BYTES_MAX, INCLUDE_MAX, INTERPRETER_BYTES_MAX, MANIFEST_BYTES_MAX,
    REQUIRE_BYTES_MAX, REQUIRE_MAX, VERSION_BYTES_MAX, WHERE_BYTES_MAX,
};
use crate::{Grants, Version, check_name};
use grants::RawGrants;
use serde::Deserialize;
use std::collections::BTreeSet;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    name: Spanned<String>,
    version: Option<Spanned<String>>,
    runtime: Spanned<String>,
    code: Spanned<toml::Value>,
    interpreter: Option<Spanned<String>>,
    isolation: Option<Spanned<String>>,
    include: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(default)]
    actor: Vec<Spanned<RawActor>>,
    grants: Option<RawGrants>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawActor {
    name: Spanned<String>,
    require: Option<Spanned<Vec<Spanned<String>>>>,
    #[serde(rename = "where")]
    expression: Option<Spanned<String>>,
}

type Checked<T> = Result<T, ManifestError>;

/// The text that spans point into.
struct Lines<'a>(&'a str);

pub(super) fn parse(text: &str) -> Checked<Manifest> {
    if text.len() > MANIFEST_BYTES_MAX {
        return Err(ManifestError::TooLarge { bytes: text.len() });
    }
    let lines = Lines(text);
    let raw: RawManifest = toml::from_str(text).map_err(|e| lines.toml_error(&e))?;
    let runtime = lines.runtime(&raw.runtime)?;
    let interpreter = raw.interpreter.as_ref().map(|name| lines.interpreter(runtime, name)).transpose()?;
    Ok(Manifest {
        name: lines.image_name(&raw.name)?,
        version: raw.version.as_ref().map_or(Ok(Version::none()), |v| lines.version(v))?,
        runtime,
        code: lines.code(runtime, interpreter.is_some(), &raw.code)?,
        interpreter,
        isolation: raw.isolation.as_ref().map_or(Ok(Isolation::default()), |i| lines.isolation(&raw, runtime, i))?,
        include: lines.include(raw.include.as_ref())?,
        actors: lines.actors(&raw.actor)?,
        grants: raw.grants.as_ref().map_or(Ok(Grants::default()), |grants| lines.grants(runtime, grants))?,
    })
}

impl Lines<'_> {
    fn line(&self, at: usize) -> usize {
        let before = self.0.get(..at).unwrap_or(self.0);
        1 + before.bytes().filter(|b| *b == b'\n').count()
    }

    fn of<T>(&self, spanned: &Spanned<T>) -> usize {
        self.line(spanned.span().start)
    }

    fn toml_error(&self, error: &toml::de::Error) -> ManifestError {
        let at = error.span().map_or(0, |s| s.start);
        ManifestError::Toml { line: self.line(at), reason: error.message().replace('\n', ", ") }
    }

    fn value(&self, key: &'static str, found: &Spanned<String>, expected: impl Into<String>) -> ManifestError {
        let (line, found) = (self.of(found), found.get_ref().clone());
        ManifestError::Value { line, key, found, expected: expected.into() }
    }

    fn short<'t>(&self, key: &'static str, text: &'t Spanned<String>, max: usize) -> Checked<&'t str> {
        let bytes = text.get_ref().len();
        if bytes > max {
            return Err(ManifestError::TooLong { line: self.of(text), key, bytes, max });
        }
        Ok(text.get_ref())
    }

    fn few<'t>(
        &self,
        key: &'static str,
        list: &'t Spanned<Vec<Spanned<String>>>,
        max: usize,
    ) -> Checked<&'t [Spanned<String>]> {
        let found = list.get_ref().len();
        if found > max {
            return Err(ManifestError::TooMany { line: self.of(list), key, found, max });
        }
        Ok(list.get_ref())
    }

    fn image_name(&self, name: &Spanned<String>) -> Checked<String> {
        let text = self.short("name", name, IMAGE_NAME_BYTES_MAX)?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let good = text.bytes().next().is_some_and(plain) && text.bytes().all(|b| plain(b) || b == b'-');
        let expected = "a lower-case letter or digit, then lower-case letters, digits and dashes";
        if good { Ok(text.to_owned()) } else { Err(self.value("name", name, expected)) }
    }

    fn version(&self, version: &Spanned<String>) -> Checked<Version> {
        let text = self.short("version", version, VERSION_BYTES_MAX)?;
        let expected = "digits, letters and dots, with something between the dots";
        text.parse().map_err(|_| self.value("version", version, expected))
    }

    fn runtime(&self, runtime: &Spanned<String>) -> Checked<Runtime> {
        let found = Runtime::KNOWN.iter().find(|(name, _)| name == runtime.get_ref());
        found.map(|(_, known)| *known).ok_or_else(|| {
            let known: Vec<_> = Runtime::KNOWN.iter().map(|(name, _)| *name).collect();
            self.value("runtime", runtime, format!("one of the known runtimes: {}", known.join(", ")))
        })
    }

    fn path(&self, key: &'static str, path: &Spanned<String>) -> Checked<String> {
        match check_name(path.get_ref()) {
            Ok(()) => Ok(path.get_ref().clone()),
            Err(e) => Err(self.value(key, path, format!("the path of a file in the image, but it {e}"))),
        }
    }

    /// A path, or a table of paths by architecture.
    fn code(&self, runtime: Runtime, is_script: bool, code: &Spanned<toml::Value>) -> Checked<Code> {
        let expected = "the path of a file in the image, or a table of paths by architecture";
        let wrong = |found: String, expected: &str| ManifestError::Value {
            line: self.of(code),
            key: "code",
            found,
            expected: expected.into(),
        };
        let path = |value: &toml::Value| match value {
            toml::Value::String(path) => self.path("code", &Spanned::new(code.span(), path.clone())),
            other => Err(wrong(other.to_string(), expected)),
        };
        match code.get_ref() {
            toml::Value::Table(table) if table.is_empty() => Err(wrong("an empty table".into(), expected)),
            toml::Value::Table(_) if runtime == Runtime::Wasm => {
                Err(wrong("a table".into(), "one path: a component runs on every architecture"))
            }
            toml::Value::Table(_) if is_script => {
                Err(wrong("a table".into(), "one path: a script runs on every architecture"))
            }
            toml::Value::Table(table) => {
                if let Some(unknown) = table.keys().find(|name| !ARCHITECTURES.contains(&name.as_str())) {
                    let expected = format!("an architecture: {}", ARCHITECTURES.join(", "));
                    return Err(wrong(unknown.clone(), &expected));
                }
                let files = table.iter().map(|(name, value)| Ok((name.clone(), path(value)?)));
                files.collect::<Checked<_>>().map(Code::ByArchitecture)
            }
            value => path(value).map(Code::Any),
        }
    }

    fn interpreter(&self, runtime: Runtime, name: &Spanned<String>) -> Checked<String> {
        let text = self.short("interpreter", name, INTERPRETER_BYTES_MAX)?;
        if runtime != Runtime::Process {
            return Err(self.value("interpreter", name, "no such key: only the runtime process has one"));
        }
        let mut bytes = text.bytes();
        let good = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
            && bytes.all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b));
        let expected = "the bare name of a program that nodes have, such as python3";
        if good { Ok(text.to_owned()) } else { Err(self.value("interpreter", name, expected)) }
    }

    fn isolation(&self, raw: &RawManifest, runtime: Runtime, name: &Spanned<String>) -> Checked<Isolation> {
        if runtime != Runtime::Wasm {
            return Err(self.value("isolation", name, "no such key: only the runtime wasm has one"));
        }
        if raw.grants.is_some() && name.get_ref() == "image" {
            return Err(self.value("isolation", name, "actor: an image with [grants] has an instance for each actor"));
        }
        let found = Isolation::KNOWN.iter().find(|(known, _)| known == name.get_ref());
        found.map(|(_, known)| *known).ok_or_else(|| {
            let known: Vec<_> = Isolation::KNOWN.iter().map(|(name, _)| *name).collect();
            self.value("isolation", name, format!("one of: {}", known.join(", ")))
        })
    }

    fn include(&self, include: Option<&Spanned<Vec<Spanned<String>>>>) -> Checked<Vec<String>> {
        let Some(include) = include else { return Ok(Vec::new()) };
        self.few("include", include, INCLUDE_MAX)?.iter().map(|p| self.path("include", p)).collect()
    }

    fn actors(&self, raw: &[Spanned<RawActor>]) -> Checked<Vec<ManifestActor>> {
        if let Some(first_too_many) = raw.get(ACTORS_MAX) {
            let line = self.of(first_too_many);
            return Err(ManifestError::TooMany { line, key: "actor", found: raw.len(), max: ACTORS_MAX });
        }
        if raw.is_empty() {
            return Err(ManifestError::NoActor);
        }
        let mut names = BTreeSet::new();
        raw.iter().map(|a| self.actor(a.get_ref(), &mut names)).collect()
    }

    fn actor<'r>(&self, raw: &'r RawActor, names: &mut BTreeSet<&'r str>) -> Checked<ManifestActor> {
        let name = self.short("actor.name", &raw.name, ACTOR_NAME_BYTES_MAX)?;
        if !is_type_name(name) {
            let expected = "a letter or underscore, then letters, digits and underscores; parts may be joined by dots";
            return Err(self.value("actor.name", &raw.name, expected));
        }
        if !names.insert(name) {
            return Err(self.value("actor.name", &raw.name, "a name that no other actor of this image has"));
        }
        let require = raw.require.as_ref().map_or(Ok(Vec::new()), |r| self.require(r))?;
        let expression = raw.expression.as_ref().map(|e| self.expression(e)).transpose()?;
        Ok(ManifestActor { name: name.to_owned(), require, expression })
    }

    fn require(&self, list: &Spanned<Vec<Spanned<String>>>) -> Checked<Vec<String>> {
        let names = self.few("actor.require", list, REQUIRE_MAX)?.iter().map(|name| {
            let text = self.short("actor.require", name, REQUIRE_BYTES_MAX)?;
            let empty = || self.value("actor.require", name, "the name of a capability");
            if text.is_empty() { Err(empty()) } else { Ok(text.to_owned()) }
        });
        names.collect()
    }

    fn expression(&self, expression: &Spanned<String>) -> Checked<String> {
        let text = self.short("actor.where", expression, WHERE_BYTES_MAX)?;
        if text.trim().is_empty() {
            return Err(self.value("actor.where", expression, "an expression, or no such key"));
        }
        Ok(text.to_owned())
    }
}

fn is_type_name(text: &str) -> bool {
    let is_identifier = |part: &str| {
        let mut bytes = part.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    text.split('.').all(is_identifier)
}
