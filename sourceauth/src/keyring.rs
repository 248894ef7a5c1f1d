//! A keyring: the keys that may sign, and how many signers an image needs.
//!
//! Signers are people, not keys: keys whose principals may be the same person's do not count as two, so that nobody makes
//! two of himself with a second key. So many signatures have to be there of which no two may be one person's.

use crate::allowed_signers::{Signatory, may_be_one};
use crate::evidence::Evidence;
use crate::limits::{EVIDENCE_BYTES_MAX, REQUIRED_MAX, SIGNATURES_MAX};
use crate::{AllowedSigners, AllowedSignersError, Approval, Endorsement, Image, Rejection, Signer};
use ssh_key::public::KeyData;
use std::collections::BTreeSet;

/// Allowed signers, and how many of them an image needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyring {
    allowed: AllowedSigners,
    required: usize,
}

/// Why there is no such keyring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum KeyringError {
    #[error(transparent)]
    AllowedSigners(#[from] AllowedSignersError),
    #[error("{found} required signers: expected 1 to {REQUIRED_MAX}")]
    Required { found: usize },
    #[error(
        "{required} signers are required, and the allowed signers are {found}: keys on lines with a principal in common \
         count as one"
    )]
    TooFew { required: usize, found: usize },
}

/// A signature that holds.
struct Counted {
    /// Which of those that came along it was, from 1.
    number: usize,
    key: KeyData,
    names: Vec<String>,
    endorsement: Endorsement,
}

impl Keyring {
    /// Reads the allowed signers. A keyring that could approve nothing is refused.
    pub fn parse(allowed_signers: &str, required: usize) -> Result<Self, KeyringError> {
        let allowed = AllowedSigners::parse(allowed_signers)?;
        if !(1..=REQUIRED_MAX).contains(&required) {
            return Err(KeyringError::Required { found: required });
        }
        // An authority may certify as many as it likes, and of many lines nobody requires more than there are.
        let mut lines: Vec<&Signer> = Vec::new();
        for signer in allowed.signers() {
            if !lines.iter().any(|known| known.principals == signer.principals) && lines.len() <= SIGNATURES_MAX {
                lines.push(signer);
            }
        }
        if allowed.signers().iter().all(|signer| !signer.certifies) && lines.len() <= SIGNATURES_MAX {
            let found = different(&lines, |a, b| a.has_key_of(b) || may_be_one(&a.principals, &b.principals));
            if found < required {
                return Err(KeyringError::TooFew { required, found });
            }
        }
        Ok(Self { allowed, required })
    }

    /// The keys and the authorities.
    pub fn allowed(&self) -> &AllowedSigners {
        &self.allowed
    }

    /// How many signers an image needs.
    pub fn required(&self) -> usize {
        self.required
    }

    /// Whether what came along with an image approves it now. What does not count does no harm beside what does.
    pub fn approve(&self, image: &Image, evidence: &[String], now_unix_s: u64) -> Result<Approval, Rejection> {
        match evidence.len() {
            0 => return Err(Rejection::SignatureMissing),
            1..=SIGNATURES_MAX => {}
            found => return Err(Rejection::TooMany { found }),
        }
        let (mut counted, mut refused) = (Vec::new(), Vec::new());
        for (number, text) in (1..).zip(evidence) {
            match self.endorse(image, number, text, now_unix_s) {
                Ok(one) => counted.push(one),
                Err(why) if evidence.len() == 1 && self.required == 1 => return Err(why),
                Err(why) => refused.push(format!("signature {number}: {why}")),
            }
        }
        let found = different(&counted, Counted::may_be_one_with);
        if found < self.required {
            refused.extend(counted.iter().enumerate().filter_map(|(at, one)| one.is_again(&counted[..at])));
            return Err(Rejection::TooFew { counted: found, required: self.required, reasons: refused });
        }
        let bytes: usize = counted.iter().map(|one| one.endorsement.text.len() + one.endorsement.by.len()).sum();
        if bytes > EVIDENCE_BYTES_MAX {
            return Err(Rejection::TooLarge { bytes });
        }
        let until_unix_s = self.until(&counted);
        Ok(Approval::signed(counted.into_iter().map(|one| one.endorsement).collect(), until_unix_s))
    }

    /// The signer is looked up before the bytes are hashed, so that a stranger's signature costs next to nothing. The
    /// name that the signer is looked up for is in the manifest, which the signature covers.
    fn endorse(&self, image: &Image, number: usize, text: &str, now_unix_s: u64) -> Result<Counted, Rejection> {
        let evidence = Evidence::parse(text)?;
        let Signatory { by, reason, names } =
            self.allowed.signatory(&evidence.signature, &image.manifest().name, now_unix_s)?;
        evidence.verify(image, now_unix_s)?;
        let (key, fingerprint) = (evidence.signature.key().clone(), evidence.signature.fingerprint());
        let statement = evidence.into_statement();
        let endorsement = Endorsement { by, fingerprint, reason, statement, text: text.to_owned() };
        Ok(Counted { number, key, names, endorsement })
    }

    /// The last second in which enough of these count; none for always.
    fn until(&self, counted: &[Counted]) -> Option<u64> {
        let end = |one: &Counted| one.endorsement.statement.as_ref().and_then(|s| s.not_after_unix_s);
        let ends: BTreeSet<u64> = counted.iter().filter_map(end).collect();
        ends.into_iter().find(|until| {
            let left: Vec<&Counted> = counted.iter().filter(|one| end(one).is_none_or(|end| end > *until)).collect();
            different(&left, |a, b| a.may_be_one_with(b)) < self.required
        })
    }
}

impl Counted {
    fn may_be_one_with(&self, other: &Self) -> bool {
        let names_meet = || self.names.iter().any(|a| other.names.iter().any(|b| may_be_one(a, b)));
        self.key == other.key || names_meet()
    }

    /// What to say of a signature by somebody who has signed already.
    fn is_again(&self, before: &[Self]) -> Option<String> {
        let first = before.iter().find(|other| self.may_be_one_with(other))?;
        let (number, by, first) = (self.number, &self.endorsement.by, first.number);
        Some(format!("signature {number}, by {by}, is by the same signer as signature {first}"))
    }
}

/// How many can be picked of which no two may be the same: one more can only add to them. Of at most
/// [`SIGNATURES_MAX`], by trying both with and without each that is in doubt.
fn different<T>(all: &[T], may_be_one: impl Fn(&T, &T) -> bool) -> usize {
    fn most(left: u32, conflicts: &[u32]) -> usize {
        if left == 0 {
            return 0;
        }
        let first = left.trailing_zeros();
        let others = left & !(1 << first);
        let in_doubt = conflicts.get(first as usize).map_or(0, |conflicts| conflicts & others);
        let with = 1 + most(others & !in_doubt, conflicts);
        if in_doubt == 0 { with } else { with.max(most(others, conflicts)) }
    }
    let all: Vec<&T> = all.iter().take(SIGNATURES_MAX).collect();
    let conflicts: Vec<u32> = all
        .iter()
        .map(|a| all.iter().enumerate().filter(|(_, b)| may_be_one(a, b)).fold(0, |set, (at, _)| set | 1 << at))
        .collect();
    most((1 << all.len()) - 1, &conflicts)
}
