//! The allowed-signers text of OpenSSH (ssh-keygen(1), ALLOWED SIGNERS): whose signatures count, and when.
//!
//! Differences, all on the strict side or said in docs/images.md: one broken line refuses the whole text, so that a
//! mistake shows when the authority is set; certificates need principals, and times without `Z` are UTC, because a
//! fleet's nodes may be in several time zones and must agree.

mod certificate;
mod line;
mod pattern;

pub use line::Signer;
pub(crate) use pattern::may_be_one;

use crate::limits::{ALLOWED_SIGNERS_BYTES_MAX, ALLOWED_SIGNERS_LINE_BYTES_MAX, PRINCIPALS_MAX, SIGNERS_MAX};
use crate::{ALGORITHMS, Rejection, Signature};

/// Keys whose signatures count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedSigners {
    signers: Vec<Signer>,
}

/// Why a text is not a list of allowed signers. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum AllowedSignersError {
    #[error("allowed signers of {bytes} bytes are larger than {ALLOWED_SIGNERS_BYTES_MAX} bytes")]
    TooLarge { bytes: usize },
    #[error("allowed signers line {line}: {bytes} bytes, expected at most {ALLOWED_SIGNERS_LINE_BYTES_MAX}")]
    LineTooLong { line: usize, bytes: usize },
    #[error("allowed signers line {line}: more than {SIGNERS_MAX} keys")]
    TooMany { line: usize },
    #[error("allowed signers without a key: expected a line such as `alice@example.org ssh-ed25519 AAAA…`")]
    Empty,
    #[error("allowed signers line {line}: found only {found:?}, expected principals, then options if any, then a key")]
    NoKey { line: usize, found: String },
    #[error("allowed signers line {line}: a quote is not closed")]
    QuoteOpen { line: usize },
    #[error("allowed signers line {line}: more than {PRINCIPALS_MAX} principals")]
    TooManyPrincipals { line: usize },
    #[error(
        "allowed signers line {line}: unknown option {found:?}, expected cert-authority, namespaces, valid-after or \
         valid-before"
    )]
    UnknownOption { line: usize, found: String },
    #[error("allowed signers line {line}: option {option} twice")]
    OptionTwice { line: usize, option: &'static str },
    #[error("allowed signers line {line}: option {option} without a value in double quotes")]
    OptionValue { line: usize, option: &'static str },
    #[error(
        "allowed signers line {line}: found the time {found:?}, expected YYYYMMDD or YYYYMMDDHHMM[SS], with or without Z"
    )]
    Time { line: usize, found: String },
    #[error("allowed signers line {line}: valid-before is not later than valid-after")]
    Validity { line: usize },
    #[error("allowed signers line {line}: key does not parse: {reason}")]
    Key { line: usize, reason: String },
    #[error("allowed signers line {line}: key of the algorithm {found}, expected {ALGORITHMS}")]
    Algorithm { line: usize, found: String },
}

impl AllowedSigners {
    /// Reads and checks the whole text. A text without any key is refused: it would approve nothing.
    pub fn parse(text: &str) -> Result<Self, AllowedSignersError> {
        if text.len() > ALLOWED_SIGNERS_BYTES_MAX {
            return Err(AllowedSignersError::TooLarge { bytes: text.len() });
        }
        let mut signers = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            if text.len() > ALLOWED_SIGNERS_LINE_BYTES_MAX {
                return Err(AllowedSignersError::LineTooLong { line, bytes: text.len() });
            }
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            if signers.len() == SIGNERS_MAX {
                return Err(AllowedSignersError::TooMany { line });
            }
            signers.push(Signer::parse(line, text)?);
        }
        if signers.is_empty() { Err(AllowedSignersError::Empty) } else { Ok(Self { signers }) }
    }

    /// The signers in the order of the text.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// Who made a signature for the image of this name, as the lines that permit it now say. One is enough.
    pub(crate) fn signatory(
        &self,
        signature: &Signature,
        image: &str,
        now_unix_s: u64,
    ) -> Result<Signatory, Rejection> {
        let fingerprint = signature.fingerprint();
        let mut rejection = Rejection::SignerNotAllowed { fingerprint: fingerprint.clone() };
        let mut found: Option<Signatory> = None;
        for signer in &self.signers {
            let Some(principals) = signer.principals_of(signature, now_unix_s) else { continue };
            match principals.and_then(|names| signer.permits(signature.namespace(), image, now_unix_s).map(|()| names))
            {
                Ok(names) => match &mut found {
                    Some(signatory) => signatory.is_also(names),
                    None => found = Some(Signatory::new(signer, names, &fingerprint)),
                },
                Err(reason) => {
                    rejection =
                        Rejection::SignerNotPermitted { fingerprint: fingerprint.clone(), line: signer.line, reason };
                }
            }
        }
        found.ok_or(rejection)
    }
}

/// Who made a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signatory {
    /// The principals of the line, or those of the certificate that fit them.
    pub(crate) by: String,
    /// For people to read.
    pub(crate) reason: String,
    /// The same of every line that permits the key.
    pub(crate) names: Vec<String>,
}

impl Signatory {
    fn new(signer: &Signer, by: String, fingerprint: &str) -> Self {
        let what = if signer.certifies { "certified by the key" } else { "allowed" };
        let reason = format!("signed by {fingerprint}, {what} on line {} of the allowed signers", signer.line);
        Self { names: vec![by.clone()], by, reason }
    }

    fn is_also(&mut self, names: String) {
        if !self.names.contains(&names) {
            self.names.push(names);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
    const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDPzNa3WrQm1ac4+nKGAGvPQ5BfwZ4BsV3NYc7p8k0rMqTZyWNFk4pHvvGW3zsYVZkm3ZdXlZyZcAQkDLYkc5Og6LMqDbrOCA6bSRAyGQNQLcdMI4zAy1tNp1gCgtKk0s0iPdYzJcYqeC6wsXjQvuHnWhLdhKzAqM5NcRLB6Wgi0Q==";

    fn one(line: &str) -> Result<Signer, AllowedSignersError> {
        AllowedSigners::parse(line).map(|s| s.signers()[0].clone())
    }

    #[test]
    fn comments_blank_lines_and_several_signers_are_read() {
        let text = format!("# people\n\nalice@example.org {KEY} her laptop\r\n  bob,carol {KEY}\n");
        let allowed = AllowedSigners::parse(&text).unwrap();
        let who: Vec<_> = allowed.signers().iter().map(|s| (s.line, s.principals.as_str())).collect();
        assert_eq!(who, [(3, "alice@example.org"), (4, "bob,carol")]);
    }

    #[test]
    fn options_say_when_and_for_what_a_key_may_sign() {
        let line = format!(
            r#""alice smith" namespaces="git,odeon-*",valid-after="20200101",Valid-Before="20300101120000Z" {KEY}"#
        );
        let signer = one(&line).unwrap();
        assert_eq!(signer.principals, "alice smith");
        assert_eq!(signer.permits("odeon-image", "db-main", 1_700_000_000), Ok(()));
        assert_eq!(signer.permits("git", "db-main", 1_700_000_000), Ok(()));
        assert!(signer.permits("file", "db-main", 1_700_000_000).unwrap_err().contains("namespaces"));
        assert!(signer.permits("git", "db-main", 1_577_836_799).unwrap_err().contains("valid-after"));
        assert_eq!(signer.permits("git", "db-main", 1_577_836_800), Ok(()));
        assert_eq!(signer.permits("git", "db-main", 1_893_499_200), Ok(()));
        assert!(signer.permits("git", "db-main", 1_893_499_201).unwrap_err().contains("valid-before"));
    }

    #[test]
    fn a_namespace_can_be_ruled_out() {
        let signer = one(&format!(r#"a namespaces="*,!odeon-image" {KEY}"#)).unwrap();
        assert!(signer.permits("odeon-image", "db-main", 0).is_err());
        assert_eq!(signer.permits("file", "db-main", 0), Ok(()));
    }

    #[test]
    fn a_line_permits_every_image_or_those_of_some_names() {
        let permits = |namespaces: &str, image: &str| {
            one(&format!(r#"a namespaces="{namespaces}" {KEY}"#)).unwrap().permits("odeon-image", image, 0)
        };
        for (namespaces, image, permitted) in [
            ("odeon-image", "hello", true),
            ("odeon-image/hello", "hello", true),
            ("odeon-image/hello", "hello2", false),
            ("odeon-image/db-*", "db-main", true),
            ("odeon-image/db-*", "hello", false),
            ("git,odeon-image/db-*,odeon-image/web", "web", true),
            ("odeon-image/*", "hello", true),
            ("odeon-*", "hello", true),
            ("odeon-image,!odeon-image/secret", "hello", true),
            ("odeon-image,!odeon-image/secret", "secret", false),
            ("odeon-image/*,!odeon-image", "hello", false),
            ("odeon-imagehello", "hello", false),
            ("git", "hello", false),
        ] {
            assert_eq!(permits(namespaces, image).is_ok(), permitted, "{namespaces} for {image}");
        }
        let reason = permits("odeon-image/db-*", "hello").unwrap_err();
        assert!(reason.contains("\"odeon-image/db-*\"") && reason.contains("\"odeon-image/hello\""), "{reason}");
    }

    #[test]
    fn every_broken_line_has_its_number_and_its_reason() {
        use AllowedSignersError as E;
        let cases = [
            ("alice".to_owned(), E::NoKey { line: 2, found: "alice".into() }),
            (format!("alice cert-authority=\"\" {KEY}"), E::UnknownOption { line: 2, found: "cert-authority=".into() }),
            (
                format!("alice cert-authority,cert-authority {KEY}"),
                E::OptionTwice { line: 2, option: "cert-authority" },
            ),
            (format!("{} {KEY}", ["a"; PRINCIPALS_MAX + 1].join(",")), E::TooManyPrincipals { line: 2 }),
            (format!("alice permit-pty {KEY}"), E::UnknownOption { line: 2, found: "permit-pty".into() }),
            (format!("alice namespaces=git {KEY}"), E::OptionValue { line: 2, option: "namespaces" }),
            (format!("alice namespaces {KEY}"), E::OptionValue { line: 2, option: "namespaces" }),
            (format!("alice namespaces=\"git {KEY}"), E::QuoteOpen { line: 2 }),
            (format!("\"alice {KEY}"), E::QuoteOpen { line: 2 }),
            (format!(r#"alice namespaces="a",namespaces="b" {KEY}"#), E::OptionTwice { line: 2, option: "namespaces" }),
            (format!(r#"alice valid-after="2020" {KEY}"#), E::Time { line: 2, found: "2020".into() }),
            (format!(r#"alice valid-after="20200230" {KEY}"#), E::Time { line: 2, found: "20200230".into() }),
            (format!(r#"alice valid-after="20200102",valid-before="20200101" {KEY}"#), E::Validity { line: 2 }),
            (
                format!("alice ssh-ed25519-cert-v01@openssh.com {}", &KEY[12..]),
                E::Algorithm { line: 2, found: "ssh-ed25519-cert-v01@openssh.com".into() },
            ),
            (format!("alice {RSA}"), E::Algorithm { line: 2, found: "ssh-rsa".into() }),
        ];
        for (line, expected) in cases {
            assert_eq!(AllowedSigners::parse(&format!("#\n{line}\n")), Err(expected), "{line}");
        }
        assert!(matches!(one("alice ssh-ed25519 AAAA"), Err(E::Key { line: 1, .. })));
        assert!(matches!(one("alice ssh-ed25519"), Err(E::Key { line: 1, .. })));
    }

    #[test]
    fn texts_beyond_the_limits_are_refused() {
        use AllowedSignersError as E;
        assert_eq!(AllowedSigners::parse("# nobody\n"), Err(E::Empty));
        let huge = "#".repeat(ALLOWED_SIGNERS_BYTES_MAX + 1);
        assert!(matches!(AllowedSigners::parse(&huge), Err(E::TooLarge { .. })));
        let long = format!("#\n#{}", "x".repeat(ALLOWED_SIGNERS_LINE_BYTES_MAX));
        assert!(matches!(AllowedSigners::parse(&long), Err(E::LineTooLong { line: 2, .. })));
        let many = format!("a {KEY}\n").repeat(SIGNERS_MAX + 1);
        assert_eq!(AllowedSigners::parse(&many), Err(E::TooMany { line: SIGNERS_MAX + 1 }));
    }
}
