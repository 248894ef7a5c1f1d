//! One thing that came along with an image: a signature over its file, or a statement with the signature over that.

use crate::signature::armour_begins;
use crate::{Image, NAMESPACE, Rejection, STATEMENT_NAMESPACE, Signature, SignatureError, Statement, StatementError};

/// A signature with what it is over. Nothing of it is verified yet.
pub(crate) struct Evidence<'a> {
    /// None for the image's file.
    statement: Option<(Statement, &'a str)>,
    pub(crate) signature: Signature,
}

impl<'a> Evidence<'a> {
    /// Reads a signature in its armour, or a statement with such a signature right behind it.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Rejection> {
        if !Statement::is_meant(text) {
            return Ok(Self { statement: None, signature: Signature::parse_in(text, NAMESPACE)? });
        }
        let (signed, armour) = armour_begins(text).ok_or(StatementError::Unsigned)?;
        let statement = signed.parse()?;
        let signature = Signature::parse_in(armour, STATEMENT_NAMESPACE)?;
        Ok(Self { statement: Some((statement, signed)), signature })
    }

    /// Whether it is about this image now and its key made it.
    pub(crate) fn verify(&self, image: &Image, now_unix_s: u64) -> Result<(), Rejection> {
        let Some((statement, signed)) = &self.statement else { return Ok(self.signature.verify(image.bytes())?) };
        self.signature.verify(signed.as_bytes()).map_err(|why| match why {
            SignatureError::Mismatch => Rejection::from(StatementError::Mismatch),
            other => other.into(),
        })?;
        statement.is_on(image)?;
        Ok(statement.counts_at(now_unix_s)?)
    }

    pub(crate) fn into_statement(self) -> Option<Statement> {
        self.statement.map(|(statement, _)| statement)
    }
}
