//! Names of actor types that stand around others, put together when a program is compiled.

/// Bytes of such a name. Longer ones do not compile.
const TYPE_NAME_BYTES_MAX: usize = 128;

/// The name of a type and what it is wrapped in: `Resizer.troupe`.
pub(crate) struct TypeName {
    bytes: [u8; TYPE_NAME_BYTES_MAX],
    len: usize,
}

impl TypeName {
    /// Two parts, joined.
    pub(crate) const fn of(name: &str, suffix: &str) -> Self {
        let mut joined = Self { bytes: [0; TYPE_NAME_BYTES_MAX], len: 0 };
        joined.push(name.as_bytes());
        joined.push(suffix.as_bytes());
        joined
    }

    const fn push(&mut self, part: &[u8]) {
        let mut at = 0;
        while at < part.len() {
            self.bytes[self.len] = part[at];
            self.len += 1;
            at += 1;
        }
    }

    pub(crate) const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(name) => name,
            Err(_) => panic!("two texts joined are a text"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_as_they_are() {
        const NAME: &TypeName = &TypeName::of("Größe", ".troupe");
        assert_eq!(NAME.as_str(), "Größe.troupe");
    }
}
