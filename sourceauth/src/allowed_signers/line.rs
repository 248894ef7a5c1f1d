//! One line of an allowed-signers text.

use super::AllowedSignersError as Error;
use super::certificate;
use super::pattern::{Fit, fit};
use crate::limits::PRINCIPALS_MAX;
use crate::time::parse_unix_s;
use crate::{Signature, algorithm_verified};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, PublicKey};
use std::str::FromStr;

/// How the names of key types begin; options never do.
const KEY_TYPES: [&str; 4] = ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"];

/// One key whose signatures count, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Where it stands in the text, counted from 1.
    pub line: usize,
    /// Whose key it is: a list of patterns. Of a key that signs images itself they are a name for people; certificates
    /// have to fit them.
    pub principals: String,
    /// Whether it is the key of an authority, whose certificates say whose the keys are that sign.
    pub certifies: bool,
    key: KeyData,
    options: Options,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Options {
    cert_authority: Option<()>,
    namespaces: Option<String>,
    valid_after: Option<Time>,
    valid_before: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Time {
    unix_s: u64,
    text: String,
}

impl Signer {
    /// Reads a line that is neither blank nor a comment, without spaces around it.
    pub(super) fn parse(line: usize, text: &str) -> Result<Self, Error> {
        let (principals, rest) = principals(line, text)?;
        if rest.is_empty() {
            return Err(Error::NoKey { line, found: principals });
        }
        let (options, key) = if KEY_TYPES.iter().any(|t| rest.starts_with(t)) {
            (Options::default(), rest)
        } else {
            Options::parse(line, rest)?
        };
        if key.is_empty() {
            return Err(Error::NoKey { line, found: text.to_owned() });
        }
        if principals.split(',').count() > PRINCIPALS_MAX {
            return Err(Error::TooManyPrincipals { line });
        }
        let certifies = options.cert_authority.is_some();
        Ok(Self { line, principals, certifies, key: parse_key(line, key)?, options })
    }

    /// The fingerprint of the key, as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The patterns of namespaces that it permits; none for any.
    pub fn namespaces(&self) -> Option<&str> {
        self.options.namespaces.as_deref()
    }

    pub(crate) fn has_key_of(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// Whether the line lets the key sign the image of this name at this time, or why not.
    ///
    /// Its `namespaces` are held against the namespace, which stands for all images, and against `NAMESPACE/NAME`.
    /// One that fits is enough, unless a pattern with `!` rules either out.
    pub fn permits(&self, namespace: &str, image: &str, now_unix_s: u64) -> Result<(), String> {
        let Options { namespaces, valid_after, valid_before, .. } = &self.options;
        if let Some(list) = namespaces {
            let named = format!("{namespace}/{image}");
            let fits = [fit(namespace, list), fit(&named, list)];
            if fits.contains(&Fit::RuledOut) || !fits.contains(&Fit::Fits) {
                return Err(format!(
                    "its namespaces are {list:?}, which permit neither every image ({namespace:?}) nor this one ({named:?})"
                ));
            }
        }
        if let Some(time) = valid_after.as_ref().filter(|t| now_unix_s < t.unix_s) {
            return Err(format!("it counts from valid-after {:?} on", time.text));
        }
        if let Some(time) = valid_before.as_ref().filter(|t| now_unix_s > t.unix_s) {
            return Err(format!("it counted until valid-before {:?}", time.text));
        }
        Ok(())
    }

    /// As whom a signature's key signs by this line; none if the line is about another key.
    pub(super) fn principals_of(&self, signature: &Signature, now_unix_s: u64) -> Option<Result<String, String>> {
        match signature.certificate() {
            None if !self.certifies && self.key == *signature.key() => Some(Ok(self.principals.clone())),
            Some(found) if self.certifies && self.key == *found.signature_key() => {
                Some(certificate::principals(found, &self.principals, now_unix_s))
            }
            _ => None,
        }
    }
}

/// The first word, or what is in quotes, and the rest.
fn principals(line: usize, text: &str) -> Result<(String, &str), Error> {
    let (first, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or(Error::QuoteOpen { line })?,
        None => text.split_once(char::is_whitespace).unwrap_or((text, "")),
    };
    Ok((first.to_owned(), rest.trim_start()))
}

fn parse_key(line: usize, text: &str) -> Result<KeyData, Error> {
    // What follows the key is a comment.
    let mut words = text.split_whitespace();
    let (name, data) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if !Algorithm::from_str(name).is_ok_and(|a| algorithm_verified(&a)) {
        return Err(Error::Algorithm { line, found: name.to_owned() });
    }
    let key =
        PublicKey::from_openssh(&format!("{name} {data}")).map_err(|e| Error::Key { line, reason: e.to_string() })?;
    Ok(key.key_data().clone())
}

impl Options {
    /// Reads options separated by commas up to the first space outside quotes.
    fn parse(line: usize, text: &str) -> Result<(Self, &str), Error> {
        let mut options = Self::default();
        let mut rest = text;
        loop {
            let end = rest.find(|c: char| c == '=' || c == ',' || c.is_whitespace()).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            rest = options.set(line, &name.to_ascii_lowercase(), after)?;
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
        if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
            return Err(Error::UnknownOption {
                line,
                found: rest.split_whitespace().next().unwrap_or_default().to_owned(),
            });
        }
        if let (Some(after), Some(before)) = (&options.valid_after, &options.valid_before)
            && before.unix_s <= after.unix_s
        {
            return Err(Error::Validity { line });
        }
        Ok((options, rest.trim_start()))
    }

    /// Sets one option from what follows its name, and answers what follows its value.
    fn set<'t>(&mut self, line: usize, name: &str, after: &'t str) -> Result<&'t str, Error> {
        match name {
            "namespaces" => {
                let (value, rest) = quoted(line, "namespaces", after)?;
                set_once(line, "namespaces", &mut self.namespaces, value)?;
                Ok(rest)
            }
            "valid-after" => {
                let (value, rest) = quoted(line, "valid-after", after)?;
                set_once(line, "valid-after", &mut self.valid_after, time(line, value)?)?;
                Ok(rest)
            }
            "valid-before" => {
                let (value, rest) = quoted(line, "valid-before", after)?;
                set_once(line, "valid-before", &mut self.valid_before, time(line, value)?)?;
                Ok(rest)
            }
            // It takes no value.
            "cert-authority" if after.starts_with('=') => Err(Error::UnknownOption { line, found: format!("{name}=") }),
            "cert-authority" => {
                set_once(line, "cert-authority", &mut self.cert_authority, ())?;
                Ok(after)
            }
            _ => Err(Error::UnknownOption { line, found: name.to_owned() }),
        }
    }
}

fn set_once<T>(line: usize, option: &'static str, place: &mut Option<T>, value: T) -> Result<(), Error> {
    match place.replace(value) {
        Some(_) => Err(Error::OptionTwice { line, option }),
        None => Ok(()),
    }
}

fn time(line: usize, text: String) -> Result<Time, Error> {
    match parse_unix_s(&text) {
        Some(unix_s) => Ok(Time { unix_s, text }),
        None => Err(Error::Time { line, found: text }),
    }
}

/// The value in `="…"`, where `\"` is a quote, and what follows it.
fn quoted<'t>(line: usize, option: &'static str, after: &'t str) -> Result<(String, &'t str), Error> {
    let inside = after.strip_prefix("=\"").ok_or(Error::OptionValue { line, option })?;
    let mut value = String::new();
    let mut chars = inside.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &inside[at + 1..])),
            '\\' if chars.peek().is_some_and(|(_, next)| *next == '"') => {
                value.push('"');
                chars.next();
            }
            _ => value.push(c),
        }
    }
    Err(Error::QuoteOpen { line })
}
